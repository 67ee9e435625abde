import re
import socket
import subprocess

import places
from driverlib import Shell, devices
from sitelib import SCRATCH, check, finish, until

BUS = devices(("net0", "virtio-net", {"cable": "c0", "pcap": "net0.pcap"}),
              ("net1", "virtio-net", {"cable": "c0", "address": "52:54:00:00:00:01"}), ("hvc0", "virtio-console", {}), ("hvc1", "virtio-console", {"far": "hvc1.sock", "columns": 132, "rows": 50}),
              ("hvc2", "virtio-console", {"far": "hvc2.sock"}))
LINES = 50000


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
    # More than all buffers hold: the far end does not read yet, and later gets every byte; the guest likewise.
    shell(f"seq {LINES} > /tmp/lines; (cat /tmp/lines >&4; echo over >&4) & sleep 0.2")
    wanted = b"".join(b"%d\n" % n for n in range(1, LINES + 1))
    one.text = b""
    check("a slow far end loses nothing", one.expect(b"over\n") and one.text == wanted + b"over\n", len(one.text))
    shell(f"head -n {LINES} <&5 > /tmp/got &")
    two.send(b"".join(b"%d\n" % n for n in range(1, LINES + 1)))
    check("nor does a slow guest", (said := shell(f"wait; seq {LINES} | cmp - /tmp/got")) == "== 0", said)
    shell("exec 4>&- 5>&-")
    one.socket.close()
    check("a far end comes back", until(lambda: shell.ask("devices").count(", connected") == 1))
    again = Far("hvc1.sock")
    until(lambda: shell.ask("devices").count(", connected") == 2)
    check("with nothing left of before", shell("echo again > /dev/hvc1") == "== 0" and again.expect(b"again\n") and again.text == b"again\n", again.text)


def notes(shell, name):
    """What a network device counted, by its words."""
    line = next(line for line in shell.ask("devices").splitlines() if line.split()[0] == name)
    return {words: int(number) for words, number in re.findall(r"(sent|received|no buffer) (\d+)", line)}


def capture(name):
    """The frames of a capture, one a line, as tcpdump shows them; its status; what it says of errors."""
    dump = subprocess.run(["tcpdump", "-n", "-e", "-r", SCRATCH / name], capture_output=True, text=True)
    return [line for line in dump.stdout.splitlines() if line[0].isdigit()], dump.returncode, dump.stderr[-300:]


def links(shell):
    said = shell(f"{places.PROGRAMS}/musl/links 2>&1")
    lines = said.splitlines()
    check("a program with two links", lines[-2:] == ["all good", "== 0"] and "FAIL" not in said, said[-300:])
    burst = next((int(line.split()[1]) for line in lines if line.startswith("burst ")), -1)
    check("what was lost was counted", burst + lost(shell) == 2000, (burst, lost(shell), shell.ask("devices"), shell.ask("drivers")))
    # Each frame in the file, as somebody else reads it.
    frames, status, errors = capture("net0.pcap")
    count = notes(shell, "net0")
    check("tcpdump reads the capture", status == 0 and len(frames) == count["sent"] + count["received"] > 3000,
          (errors, len(frames), count))
    out = sum(" > 52:54:00:00:00:01, " in line for line in frames)
    check("with its addresses", out >= count["sent"] - 2 and sum(line.split()[1] == "52:54:00:00:00:01" for line in frames) == count["received"],
          (out, count, frames[:2]))
    check("and lengths", "length 1514:" in frames[0], frames[0])

    shell("exec 7<>/dev/net1")
    check("an open link keeps its driver", "net1 is open (1)" in (said := shell.chorus("unload", "virtio-net")), said)
    shell("(cat <&7 >/dev/null 2>&1; echo ended $?) > /tmp/cat & head -c 100 /dev/zero > /dev/net0")
    check("a cable has two ends", "has a device at both ends" in (said := shell.device("add", "net2", "virtio-net", "cable=c0")), said)
    check("a device is pulled out", (said := shell.device("remove", "--surprise", "net1")) == "removed", said)
    check("whoever read it is told", (said := shell("wait; cat /tmp/cat; exec 7>&-")) == "ended 1\n== 0", said)
    check("its node is gone", (said := shell("test -e /dev/net1")) == "== 1", said)
    said = shell("head -c 100 /dev/zero > /dev/net0") + shell.ask("devices")
    check("the other end goes on without it", said.startswith("== 0") and "cable c0, down" in said and "no carrier 1" in said, said)
    said = shell.device("add", "net2", "virtio-net", "cable=c0", f"pcap={SCRATCH}/net2.pcap") + shell("test -c /dev/net2")
    check("another one takes its place", said == "added== 0", said)
    said = shell("(head -c 60 < /dev/net2 | wc -c) & sleep 0.2; head -c 60 /dev/zero > /dev/net0; wait")
    check("and hears it", said == "60\n== 0", said)
    check("it goes when it is asked to", (said := shell.device("remove", "net2")) == "removed", said)
    frames, status, errors = capture("net2.pcap")
    check("its capture is whole", status == 0 and len(frames) == 1, (frames, errors))


def lost(shell):
    """Frames for net1 for which there was no room, in its ring or with its driver's home."""
    row = next(line.split() for line in shell.ask("drivers").splitlines() if " net1 " in line)
    head = shell.ask("drivers").splitlines()[0].split()
    return int(row[head.index("ERRORS")]) + notes(shell, "net1").get("no buffer", 0)


for privilege in ("supervisor", "user"):
    print(f"-- {privilege}", flush=True)
    shell = Shell(privilege, BUS, ("virtio-net", "virtio-console"))
    links(shell)
    consoles(shell)
    check("the site ends", (status := shell.site.end()) == 0, status)
    check("no socket is left", not (SCRATCH / "hvc1.sock").exists())
finish()
