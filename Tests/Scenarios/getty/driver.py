"""Two people log in over serial lines at once; a third line has a loop plug."""
import re
import select
import socket
import time

import places
from driverlib import Shell, devices
from sitelib import SCRATCH, check, finish, until

BUS = devices(("ttyS0", "uart16550", {"far": "ttyS0.sock"}), ("ttyS1", "uart16550", {"far": "ttyS1.sock"}), ("ttyS2", "uart16550", {}))
BOX = places.BUSYBOX
# crypt(3) of "secret".
SECRET = "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1"
# Whoever logs in has busybox for a shell; getty starts its login(1), not the host's.
PREPARE = f"""
mkdir -p /tmp/home; printf '#!{BOX} sh\\nexec {BOX} sh "$@"\\n' > /tmp/home/shell
printf '#!{BOX} sh\\nexec {BOX} login -p "$@"\\n' > /tmp/login; chmod 755 /tmp/login /tmp/home/shell; chown -R 1234:1234 /tmp/home
echo 'kim:x:1234:1234:Kim:/tmp/home:/tmp/home/shell' >> /etc/passwd; echo 'kim:x:1234:' >> /etc/group
"""


class Line:
    """The far end of a serial line, and who types there."""

    def __init__(self, name):
        self.path = str(SCRATCH / f"{name}.sock")
        self.text = ""
        self.connect()

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path)

    def send(self, text):
        self.socket.sendall(text.encode())

    def expect(self, pattern, limit=15):
        end = time.monotonic() + limit
        while not (found := re.search(pattern, self.text)) and time.monotonic() < end:
            if select.select([self.socket], [], [], 0.1)[0]:
                self.text += self.socket.recv(65536).decode("utf-8", "replace")
        if found:
            self.text = self.text[found.end():]
        return found

    def login(self, password="secret"):
        if not self.expect("login: ", 1):
            self.send("\r")  # what was printed while nobody was there is lost
            if not self.expect("login: "):
                return False
        self.send("kim\r")
        if not self.expect("Password: "):
            return False
        self.send(password + "\r")
        return password != "secret" or self.expect(r"\$ ")

    def shown(self, line, pattern):
        self.send(line + "\r")
        return self.expect(pattern) and self.expect(r"\$ ")


def logins(shell, one, two):
    check("a wrong password is refused", one.login("wrong") and one.expect("Login incorrect"), repr(one.text))
    check("the right one is not", one.login(), repr(one.text))
    check("on the other line too", two.login(), repr(two.text))
    check("each has its terminal", one.shown("tty", r"(?m)^/dev/ttyS0\r\n") and two.shown("tty", r"(?m)^/dev/ttyS1\r\n"), repr(one.text + two.text))
    check("as the user", one.shown("id -u", r"(?m)^1234\r\n"), repr(one.text))
    check("at the speed of getty", one.shown("stty | head -n 1", r"(?m)^speed 115200 baud"), repr(one.text))
    check("who owns the line", (said := shell("stat -c '%u %a' /dev/ttyS0")) == "1234 600\n== 0", said)
    one.send("echo u''p; cat\r")
    one.expect(r"(?m)^up\r\n")
    check("two sessions", two.shown("echo n''ot mine", r"(?m)^not mine\r\n") and "mine" not in one.text, repr(one.text))
    one.send("line\x7fe of text\r")
    check("a line is edited", one.expect(r"line of text\r\n"), repr(one.text))
    one.send("\x03")
    check("^C", one.expect(r"\$ "), repr(one.text))
    one.send("sleep 100\r")
    until(lambda: "sleep 100" in shell("ps -o args"))
    one.send("\x1a")
    check("^Z", one.expect(r"(?i)stopped") and one.expect(r"\$ "), repr(one.text))
    check("jobs", one.shown("jobs", r"(?i)\[1\]\+? +stopped.*sleep 100"), repr(one.text))
    check("fg, ^C", one.send("fg\r") or (one.expect("sleep 100") and not time.sleep(0.2) and not one.send("\x03") and one.expect(r"\$ ")), repr(one.text))
    two.send("seq 1 20000; echo o''ver\r")
    numbers = two.expect(r"(?s)(?m)^1\r\n2\r\n.*^over\r\n", 30)
    check("much output", numbers and numbers.group(0).count("\r\n") == 20001, numbers and len(numbers.group(0)))
    two.expect(r"\$ ")
    one.send("exit\r")
    check("logout: getty again", one.login(), repr(one.text))


def carriers(shell, one, two):
    """Without CLOCAL the carrier counts: getty -L does not look, stty does."""
    two.socket.close()
    until(lambda: shell.ask("devices").count(", connected") == 1)
    two.text = ""
    two.connect()
    check("with CLOCAL a lost carrier is nothing", two.shown("echo st''ill", r"(?m)^still\r\n"), repr(two.text))
    one.send("stty -clocal; sh -c 'trap \"echo hung up > /tmp/home/said; exit\" HUP; echo re\"\"ady; while :; do sleep 0.1; done'\r")
    check("without it", one.expect(r"(?m)^ready\r\n"), repr(one.text))
    one.socket.close()
    said = until(lambda: "hung up" in shell("cat /tmp/home/said 2>/dev/null"))
    check("the leader goes, and who was in the foreground hears it", said, shell("ps -o pid,args"))
    one.text = ""
    one.connect()
    check("and getty is there again", one.login(), repr(one.text))


for privilege in ("supervisor", "user"):
    print(f"-- {privilege}", flush=True)
    shell = Shell(privilege, BUS, ("uart16550",))
    for command in PREPARE.strip().splitlines():
        shell(command)
    shell(f"echo 'kim:{SECRET}:19000:0:99999:7:::' >> /etc/shadow")
    shell(f"for n in 0 1; do (while :; do {BOX} getty -i -L -l /tmp/login 115200 ttyS$n vt100; done) > /dev/null 2>&1 & done")
    said = shell("$TESTS/glibc/serial /dev/ttyS2 | tail -n 1")
    check("a loop plug", said == "all good\n== 0", shell("$TESTS/glibc/serial /dev/ttyS2 | grep FAIL"))
    one, two = Line("ttyS0"), Line("ttyS1")
    logins(shell, one, two)
    carriers(shell, one, two)
    check("the site ends", (status := shell.site.end()) == 0, status)
finish()
