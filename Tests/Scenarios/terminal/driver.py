"""A person at a terminal. The same session natively is the measure."""
import termios

import places
from sitelib import NATIVE, Terminal, check, finish

PROMPT = r"ready> "
term = Terminal([places.BUSYBOX, "sh", "-i"], environment=dict(places.ENVIRONMENT, PS1="ready> "))


def enter(line):
    term.send(line + "\r")


def shown(name, line, pattern):
    """Types a line; the pattern must come, then the prompt."""
    enter(line)
    good = term.expect(pattern) and term.expect(PROMPT)
    check(name, good, repr(term.text[-300:]))


def started(line):
    """Starts something that says `up` when it runs; quotes keep the echo of the typing from looking like it."""
    enter(line)
    return term.expect(r"(?m)^up\r?\n")


check("the prompt comes", term.expect(PROMPT), repr(term.log[-300:]))
shown("a command runs", "echo one$((1+1))three", r"(?m)^one2three\r\n")
shown("standard input is a terminal", "test -t 0 && test -t 1 && test -t 2 && echo it''is", r"(?m)^itis\r\n")
shown("the terminal can be opened by name", "echo to > /dev/tty; read x < /dev/null; echo st$?", r"(?m)^to\r\nst1\r\n")
shown("backspace", "echo wrong\x7f\x7f\x7f\x7f\x7fright", r"(?m)^right\r\n")
shown("arrow keys", "echo ac\x1b[Db", r"(?m)^abc\r\n")
shown("^A and ^E", "cho begin\x01e\x05end", r"(?m)^beginend\r\n")
shown("^U throws the line away", "nonsense here\x15echo kept", r"(?m)^kept\r\n")
enter("echo hist''ory")
term.expect(r"(?m)^history\r\n") and term.expect(PROMPT)
shown("history", "\x1b[A", r"(?m)^history\r\n")

check("sleep starts", started("sh -c 'echo u\"\"p; exec sleep 100'"), repr(term.text))
term.send("\x03")
check("^C ends it", term.expect(PROMPT), repr(term.text))
shown("with SIGINT", "echo st$?", r"(?m)^st130\r\n")
term.send("half a line\x03")
check("^C at the prompt gives a new one", term.expect(r"\^?C?\r\n.*" + PROMPT), repr(term.text))
check("a loop starts", started("echo u''p; while :; do :; done"), repr(term.text))
term.send("\x03")
check("^C ends a loop of the shell", term.expect(PROMPT), repr(term.text))
check("a pipeline starts", started("sh -c 'echo u\"\"p >&2; exec sleep 100' | cat | cat"), repr(term.text))
term.send("\x03")
check("^C ends a pipeline", term.expect(PROMPT), repr(term.text))
# Not by way of `sh -c`, which ignores SIGQUIT until it has become something else.
check("awk waits for a line", started("awk 'BEGIN { print \"u\" \"p\"; fflush(); getline }'"), repr(term.text))
term.send("\x1c")
check("^\\ ends it", term.expect(PROMPT), repr(term.text))
shown("with SIGQUIT", "echo st$?", r"(?m)^st131\r\n")
check("one that ignores ^C", started("sh -c 'trap \"echo caught\" INT; echo u\"\"p; read x; echo got $x'"), repr(term.text))
term.send("\x03")
check("catches it", term.expect(r"caught"), repr(term.text))
enter("line")
check("and reads on, or ends", term.expect(PROMPT), repr(term.text))
enter("")
term.expect(PROMPT)

check("cat starts", started("echo u''p; cat"), repr(term.text))
enter("first line")
check("it is echoed, then copied", term.expect(r"first line\r\nfirst line\r\n"), repr(term.text))
term.send("wrong word\x17thinx\x7fg\r")
check("the line is edited by the terminal", term.expect(r"(?m)^wrong thing\r\n"), repr(term.text))
term.send("part\x04")
check("^D in a line sends it", term.expect(r"partpart"), repr(term.text))
term.send("\r\x04")
check("^D at its start ends the input", term.expect(PROMPT), repr(term.text))

check("a job starts", started("sh -c 'echo u\"\"p; sleep 1; echo job d\"\"one; exec sleep 100'"), repr(term.text))
term.send("\x1a")
check("^Z stops it", term.expect(r"(?i)stopped") and term.expect(PROMPT), repr(term.text))
shown("jobs tells", "jobs", r"(?i)\[1\]\+? +stopped")
enter("fg")
check("fg goes on with it", term.expect(r"(?m)^job done\r\n"), repr(term.text))
term.send("\x1a")
check("^Z again", term.expect(r"(?i)stopped") and term.expect(PROMPT), repr(term.text))
enter("bg")
check("bg", term.expect(PROMPT), repr(term.text))
shown("it runs in the background", "jobs", r"(?i)\[1\]\+? +running")
shown("kill %1", "kill %1; wait 2>/dev/null; echo ki''lled", r"(?m)^killed\r\n")
enter("cat & sleep 0.3; jobs")
check("reading in the background stops", term.expect(r"(?i)stopped"), repr(term.text))
term.expect(PROMPT)
enter("kill -9 %1; kill -9 %2; wait; echo en''d")
check("and is killed", term.expect(r"(?m)^end\r\n"), repr(term.text))
term.expect(PROMPT)

shown("window size at the start", "stty size", r"(?m)^24 80\r\n")
term.resize(40, 132)
shown("a new window size", "stty size", r"(?m)^40 132\r\n")
check("one that waits for SIGWINCH", started("sh -c 'trap \"stty size; exit\" WINCH; echo u\"\"p; while :; do sleep 0.1; done'"),
      repr(term.text))
term.resize(50, 90)
check("is told", term.expect(r"(?m)^50 90\r\n") and term.expect(PROMPT), repr(term.text))

enter("stty -echo; echo se''cret; read word; stty echo; echo \"<$word>\"")
term.expect(r"(?m)^secret\r\n")
term.send("hidden\r")
check("without echo", term.expect(r"^<hidden>\r\n"), repr(term.text))
term.expect(PROMPT)
enter("stty raw -echo; echo ra''w; dd bs=1 count=1 2>/dev/null | od -An -tx1; stty sane")
term.expect(r"(?m)^raw")
term.send("\x03")
check("raw: ^C is a byte", term.expect(r" 03"), repr(term.text))
term.expect(PROMPT)
shown("sane again", "echo sa''ne", r"(?m)^sane\r\n")
shown("a file through the terminal", "seq 1 2000", r"(?m)^1999\r\n2000\r\n")
enter("exit 7")
check("exit status", (code := term.status()) == 7, code)
# Natively nobody undoes what `stty sane` did; a site gives its terminal back.
check("the terminal is as before", NATIVE or termios.tcgetattr(term.slave)[:4] == term.before[:4],
      f"{termios.tcgetattr(term.slave)[:4]} {term.before[:4]}")
term = Terminal([places.BUSYBOX, "sh", "-i"], environment=dict(places.ENVIRONMENT, PS1="ready> "))
term.expect(PROMPT)
enter("false")
term.expect(PROMPT)
term.send("\x04")
check("^D at the prompt ends the shell with the last status", (code := term.status()) == 1, code)
finish()
