import socket

from driverlib import Shell, devices
from sitelib import SCRATCH, check, finish, until

BUS = devices(("hvc0", "virtio-console", {}), ("hvc1", "virtio-console", {"far": "hvc1.sock", "columns": 132, "rows": 50}),
              ("hvc2", "virtio-console", {"far": "hvc2.sock"}))
LINES = 500


class Far:
    """The far end of a console."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(SCRATCH / name))
        self.socket.settimeout(10)
        self.text = b""

    def expect(self, words):
        while words not in self.text and (chunk := self.socket.recv(65536)):
            self.text += chunk
        return words in self.text

    def send(self, text):
        self.socket.sendall(text)


def consoles(shell):
    shell("for n in 0 1 2; do stty -F /dev/hvc$n raw -echo; done")
    check("consoles have numbers of their own", (said := shell("stat -c %t:%T /dev/hvc0 /dev/hvc2")) == "e5:0\ne5:2\n== 0", said)
    check("a loop plug", (said := shell("(sleep 0.1; echo around > /dev/hvc0) & head -n 1 /dev/hvc0; wait")) == "around\n== 0", said)
    check("a window", (said := shell("stty -F /dev/hvc1 size")) == "50 132\n== 0", said)
    one, two = Far("hvc1.sock"), Far("hvc2.sock")
    connected = until(lambda: shell.ask("devices").count(", connected") == 2)
    check("two are connected", connected, shell.ask("devices"))
    shell("exec 4<>/dev/hvc1 5<>/dev/hvc2")
    shell("for n in 1 2 3; do echo one $n >&4; echo two $n >&5; done")
    check("several at once", one.expect(b"one 3") and two.expect(b"two 3") and b"two" not in one.text, (one.text, two.text))
    one.send(b"in one\n")
    two.send(b"in two\n")
    said = shell("read -r a <&4; read -r b <&5; echo $a, $b")
    check("and the other way", said == "in one, in two\n== 0", said)
    # More than all buffers hold: the far end does not read, and later gets every byte; the guest likewise.
    shell(f"(seq {LINES * 20} >&4; echo over >&4) &")
    wanted = b"".join(b"%d\n" % n for n in range(1, LINES * 20 + 1))
    one.text = b""
    check("a slow far end loses nothing", one.expect(b"over\n") and one.text == wanted + b"over\n", len(one.text))
    shell(f"head -n {LINES * 10} <&5 > /tmp/got &")
    two.send(b"".join(b"%d\n" % n for n in range(1, LINES * 10 + 1)))
    check("nor does a slow guest", (said := shell(f"wait; seq {LINES * 10} | cmp - /tmp/got")) == "== 0", said)
    shell("exec 4>&- 5>&-")
    one.socket.close()
    check("a far end comes back", until(lambda: shell.ask("devices").count(", connected") == 1))
    again = Far("hvc1.sock")
    until(lambda: shell.ask("devices").count(", connected") == 2)
    check("with nothing left of before", shell("echo again > /dev/hvc1") == "== 0" and again.expect(b"again\n") and again.text == b"again\n", again.text)


for privilege in ("supervisor", "user"):
    print(f"-- {privilege}", flush=True)
    shell = Shell(privilege, BUS, ("virtio-net", "virtio-console"))
    consoles(shell)
    check("the site ends", (status := shell.site.end()) == 0, status)
    check("no socket is left", not (SCRATCH / "hvc1.sock").exists())
finish()
