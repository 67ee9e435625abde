"""Programs on pseudo-terminals, as a person would use them. A program that the host has not got prints one line less."""
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import termios
import time

BUSYBOX = "/bin/busybox"
DIRECTORIES = "/usr/local/bin:/usr/bin:/bin"
ROWS, COLUMNS = 12, 60
failures = 0


def check(name, good, detail=""):
    global failures
    failures += not good
    print(f"ok {name}" if good else f"FAIL {name}: {detail!r}", flush=True)


class Screen:
    """As much of a vt100 as the programs here use (ECMA-48)."""

    def __init__(self):
        self.rows = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0
        self.top, self.bottom = 0, ROWS  # of the region that scrolls
        self.rest = ""

    def text(self):
        return ["".join(row).rstrip() for row in self.rows]

    def line(self):
        if self.row == self.bottom - 1:
            self.scroll(self.top, 1)
        else:
            self.row = min(ROWS - 1, self.row + 1)

    def scroll(self, top, lines):
        """The lines from `top` to the region's end go up; down where `lines` is negative."""
        empty = [[" "] * COLUMNS for _ in range(min(abs(lines), self.bottom - top))]
        part = self.rows[top:self.bottom]
        self.rows[top:self.bottom] = part[len(empty):] + empty if lines > 0 else empty + part[:len(part) - len(empty)]

    def draw(self, text):
        text = self.rest + text
        at = 0
        while at < len(text):
            control = re.compile(r"\x1b(\[[0-9;?>=!]*[@-~]|[()][0-9A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\)|P[^\x1b]*\x1b\\|[=>78DMEHc])").match(text, at)
            if control:
                self.control(control.group(1))
                at = control.end()
                continue
            if text[at] == "\x1b" and len(text) - at < 40:
                break
            self.put(text[at])
            at += 1
        self.rest = text[at:]

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.line()
        elif char == "\b":
            self.column = max(0, self.column - 1)
        elif char == "\t":
            self.column = min(COLUMNS - 1, self.column // 8 * 8 + 8)
        elif char >= " ":
            if self.column == COLUMNS:
                self.column = 0
                self.line()
            self.rows[self.row][self.column] = char
            self.column += 1

    def control(self, text):
        if text == "M" and self.row == self.top:
            self.scroll(self.top, -1)
        elif text == "M":
            self.row = max(0, self.row - 1)
        if text[0] != "[" or "?" in text or ">" in text:
            return
        numbers = [int(word or 0) for word in text[1:-1].split(";")] if text[1:-1] else []
        first = numbers[0] if numbers else 0
        kind, count = text[-1], first or 1
        if kind in "Hf":
            self.row = min(ROWS, count) - 1
            self.column = min(COLUMNS, (numbers[1] if len(numbers) > 1 else 1) or 1) - 1
        elif kind == "r":
            self.top, self.bottom = (first or 1) - 1, numbers[1] if len(numbers) > 1 else ROWS
            self.row = self.column = 0
        elif kind in "LM" and self.top <= self.row < self.bottom:
            self.scroll(self.row, count if kind == "M" else -count)
        elif kind in "AB":
            self.row = min(ROWS - 1, max(0, self.row + (-count if kind == "A" else count)))
        elif kind in "CD":
            self.column = min(COLUMNS - 1, max(0, min(self.column, COLUMNS - 1) + (-count if kind == "D" else count)))
        elif kind == "K":
            cells = range(self.column if first == 0 else 0, COLUMNS if first != 1 else self.column + 1)
            for column in cells:
                self.rows[self.row][min(column, COLUMNS - 1)] = " "
        elif kind == "J":
            whole = range(ROWS) if first == 2 else range(self.row + 1, ROWS) if first == 0 else range(self.row)
            for row in whole:
                self.rows[row] = [" "] * COLUMNS
            if first != 2:
                self.control("[K" if first == 0 else "[1K")


class Program:
    def __init__(self, *argv):
        self.screen, self.text = Screen(), ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="vt100", PATH=DIRECTORIES, PS1="ready> ", LC_ALL="C", LINES=str(ROWS), COLUMNS=str(COLUMNS))
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            os.execv(argv[0], argv)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def more(self, limit=0.1):
        if not select.select([self.fd], [], [], limit)[0]:
            return False
        try:
            chunk = os.read(self.fd, 65536).decode("utf-8", "replace")
        except OSError:
            return False
        if "\x1b[6n" in chunk:
            self.send("\x1b[1;1R")
        self.text += chunk
        self.screen.draw(chunk)
        return bool(chunk)

    def until(self, condition, limit=15):
        end = time.monotonic() + limit
        while not (value := condition()) and time.monotonic() < end:
            self.more()
        return value

    def expect(self, pattern):
        found = self.until(lambda: re.search(pattern, self.text))
        if found:
            self.text = self.text[found.end():]
        return found

    def shows(self, row, pattern):
        return self.until(lambda: re.search(pattern, self.screen.text()[row]))

    def send(self, text):
        os.write(self.fd, text.encode())

    def end(self, keys=""):
        if keys:
            self.send(keys)
        late = time.monotonic() + 15
        while time.monotonic() < late:
            # Its terminal may be gone a little before it is.
            if not self.more(0.05):
                time.sleep(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        return "late"


def found(name):
    return shutil.which(name, path=DIRECTORIES)


def scripts():
    one = Program(found("script"), "-qec", "tty; stty size; exit 3", "typescript")
    check("script", one.expect(r"/dev/pts/\d+\r\n12 60\r\n"), one.text)
    check("with the status of its command", (status := one.end()) == 3, status)
    check("and a typescript", re.search(r"/dev/pts/\d+\r\n12 60\r\n", open("typescript", newline="").read()))
    one = Program("/usr/bin/python3", "-c", "import pty; pty.spawn(['/bin/sh', '-c', 'tty; read x; echo got $x'])")
    check("pty.spawn", one.expect(r"/dev/pts/\d+\r\n") and not one.send("word\r") and one.expect("got word"), one.text)
    one.end()


def jobs():
    shell = Program("/bin/bash", "--norc", "-i")
    check("bash", shell.expect("ready> "), shell.text)
    shell.send("cat\r")
    shell.expect("cat\r\n")
    shell.until(lambda: False, 0.3)
    shell.send("\x1a")
    check("^Z stops its job", shell.expect(r"Stopped +cat") and shell.expect("ready> "), shell.text)
    shell.send("sleep 100 &\r")
    check("a job in the background", shell.expect(r"\[2\] \d+") and shell.expect("ready> "), shell.text)
    shell.send("jobs\r")
    check("both are listed", shell.expect(r"\[1\]\+ +Stopped +cat\r\n\[2\]- +Running +sleep"), shell.text)
    shell.send("fg %1\r")
    check("fg", shell.expect(r"cat\r\n") and not shell.send("again\r") and shell.expect("again\r\nagain\r\n"), shell.text)
    shell.send("\x03")
    shell.expect("ready> ")
    shell.send("kill %2; wait; stty -echo; echo d''one\r")
    check("kill and wait", shell.expect("done\r\n"), shell.text)
    check("exit", (status := shell.end("exit 5\r")) == 5, status)


def editor(name, *argv):
    with open("text", "w") as file:
        file.write("".join(f"line {n}\n" for n in range(1, 31)))
    one = Program(*argv, "text")
    check(f"{name} draws", one.shows(0, "^line 1$") and one.shows(10, "^line 11$"), one.screen.text())
    one.send("3Gdd")
    check(f"{name} deletes a line", one.shows(2, "^line 4$") and one.shows(10, "^line 12$"), one.screen.text())
    one.send("Gonew\x1b")
    check(f"{name} adds one at the end", one.until(lambda: "new" in one.screen.text()[:11]), one.screen.text())
    one.end(":wq\r")
    wanted = [f"line {n}" for n in range(1, 31) if n != 3] + ["new"]
    check(f"{name} writes", open("text").read().splitlines() == wanted, open("text").read())


def pager(name, *argv):
    with open("text", "w") as file:
        file.write("".join(f"line {n}\n" for n in range(1, 31)))
    one = Program(*argv, "text")
    check(f"{name} shows a page", one.shows(0, "^line 1$") and one.shows(10, "^line 11$"), one.screen.text())
    one.send(" ")
    check(f"{name} turns it", one.shows(0, "^line 12$") and one.shows(10, "^line 22$"), one.screen.text())
    one.send("/line 25\r")
    check(f"{name} finds", one.until(lambda: "line 25" in one.screen.text()), one.screen.text())
    one.end("q")


def top(name, pattern, *argv):
    one = Program(*argv)
    check(f"{name} draws", one.shows(0, pattern), one.screen.text())
    check(f"{name} ends", (status := one.end("q")) == 0, status)


scripts()
jobs()
editor("vi", BUSYBOX, "vi")
pager("more or less", BUSYBOX, "less")
top("busybox top", "^Mem: ", BUSYBOX, "top")
if vim := found("vim"):
    editor("vim", vim, "-u", "NONE", "-N", "-i", "NONE")
if less := found("less"):
    pager("less", less)
if procps := found("top"):
    top("top", "^top - ", procps)
print("all good" if failures == 0 else f"{failures} failures")
