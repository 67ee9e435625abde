import json
import os
import re
import signal
import subprocess
import time

import places
from driverlib import OBJECTS, TORTURE, Shell, build_torture, devices
from sitelib import SCRATCH, check, finish, tool, until

# Everything on one line, and a second disk beside it.
BUS = devices(("disk0", "virtio-blk", {"size": "1MiB", "line": 5}), ("ttyS0", "uart16550", {"line": 5}),
              ("teach", "edu", {"line": 5}), ("rng0", "virtio-rng", {"line": 5}), ("disk1", "virtio-blk", {"size": "1MiB", "line": 6}))
DRIVERS = ["virtio-blk", "virtio-rng", "uart16550", "edu", "rtc", "virtio-net", "virtio-console"]
# What each device of the line does, for the shell; each prints one word.
DISK = "dd if=/dev/urandom of=/tmp/d bs=4k count=32 2>/dev/null; dd if=/tmp/d of=/dev/disk0 bs=4k 2>/dev/null; dd if=/dev/disk0 bs=4k count=32 2>/dev/null | cmp - /tmp/d && echo disk"
EDU = "exec 5<>/dev/edu; for i in 1 2 3 4 5 6 7 8; do echo 6 >&5; read -r n <&5; [ $n = 720 ] || echo bad $n; done; exec 5>&-; echo edu"
UART = "stty -F /dev/ttyS0 raw -echo; (sleep 0.1; for i in 1 2 3 4 5 6 7 8; do echo hello; done > /dev/ttyS0) & head -n 8 /dev/ttyS0 | grep -c hello; wait"
RNG = "dd if=/dev/hwrng bs=512 count=4 2>/dev/null | wc -c"
MODELS = {  # and what uses a device x0 of theirs; not the shell itself, whose terminal it would become
    "virtio-blk": "dd if=/dev/x0 bs=512 count=4", "virtio-rng": "head -c 64 /dev/hwrng", "uart16550": "",
    "rtc": "hwclock -r -u -f /dev/rtc0", "edu": "echo 5 > /dev/edu", "virtio-net": "", "virtio-console": "echo hello | dd of=/dev/x0",
}
# Whoever opens a node that is not there makes a file.
GONE = "for n in x0 edu; do [ ! -f /dev/$n ] || rm /dev/$n; done; ls /dev | grep -qE '^(x0|edu|hwrng|rtc0)$' || echo gone"
WORKS = "disk\nedu\n8\n2048\n== 0"


def line(shell, number):
    """A line of `chorus interrupts`: its state, and what was claimed, unclaimed and stuck."""
    for row in shell.ask("interrupts").splitlines():
        words = re.split(r"  +", row.strip())
        if words[0] == str(number):
            return words[2], int(words[4]), int(words[5]), int(words[7])
    return "", 0, 0, 0


def states(shell, word):
    """How many instances of the line say `word`."""
    return sum(1 for row in shell.ask("drivers").splitlines() if word in row)


def all_work(shell):
    return shell(f"{DISK}; {EDU}; {UART}; {RNG}")


def traced(shell, command, *options):
    """What is traced while the shell does something; ^C ends it."""
    file = SCRATCH / "trace"
    with file.open("w") as out:
        process = subprocess.Popen([str(places.CHORUS), "trace", "--bus", *options, shell.name], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.PIPE, text=True)
    # It has begun when it shows something of a device on another line.
    until(lambda: (shell("head -c 512 /dev/disk1 2>&1 > /dev/null"), file.stat().st_size > 50)[1])
    said = shell(command)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=15)[1]
    return process.returncode, file.read_text(), errors, said


build_torture()
for privilege in ("supervisor", "user"):
    print(f"-- {privilege}", flush=True)
    shell = Shell(privilege, BUS, DRIVERS)

    check("four devices on one line work", (said := all_work(shell)) == WORKS, said)
    before = line(shell, 5)
    shell(EDU)
    after = line(shell, 5)
    # On a busy host the driver may look at its device before the interrupt comes.
    check("what they claim is counted", after[0] == "quiet" and 4 <= after[1] - before[1] <= 8 and after[2] - before[2] <= 4 and after[3] == 0,
          (before, after))

    # The trace.
    status, out, errors, said = traced(shell, "exec 5<>/dev/edu; echo 5 >&5; read -r n <&5; exec 5>&-; echo $n")
    check("^C ends chorus trace --bus", status == 0 and not errors and said == "120\n== 0", (status, errors, said))
    rows = out.splitlines()
    check("every line has a time and a device", rows and all(re.match(r"\d\d:\d\d:\d\d\.\d{6} (teach|disk0|ttyS0|rng0|disk1) ", row) for row in rows), rows[:3])
    mine = [row.split(" ", 2)[2] for row in rows if " teach " in row]
    mine = mine[mine.index("store32 0x008 0x5"):] if "store32 0x008 0x5" in mine else mine
    check("registers, the line, in their order", mine[:6] == ["store32 0x008 0x5", "line 5 raised", "load32 0x024 = 0x1", "store32 0x064 0x1",
                                                            "line 5 lowered", "load32 0x008 = 0x78"], mine)
    status, out, errors, said = traced(shell, "dd if=/dev/disk0 of=/dev/null bs=1k count=1 iflag=direct 2>/dev/null")
    rows = [row.split(" ", 2)[2] for row in out.splitlines() if " disk0 " in row]
    check("DMA", any(re.match(r"DMA writes 0x\w+ 1024 B$", row) for row in rows) and any(re.match(r"DMA reads 0x\w+ 16 B$", row) for row in rows), rows)
    shell.device("fail", "disk1", "seed:1,read-error:1000")
    status, out, errors, said = traced(shell, "dd if=/dev/disk1 of=/dev/null bs=1k count=1 2>&1", "--json")
    events = json.loads(out)["traceEvents"]
    check("JSON, and faults", {"bus"} == {event["cat"] for event in events if event["ph"] != "M"} and any(event["name"] == "fault read-error" for event in events)
          and all("ts" in event for event in events if event["ph"] != "M"), out[-300:])
    shell.device("fail", "disk1")
    began = time.monotonic()
    done = tool("trace", "--bus", "--seconds", "0.5", shell.name)
    check("--seconds", done.status == 0 and not done.err and 0.4 < time.monotonic() - began < 10, done)
    shell.ask("bus-trace", "text", "now")
    shell("dd if=/dev/disk1 of=/dev/null bs=512 count=1000 iflag=direct 2>/dev/null")
    numbers = shell.ask("bus-trace", "text", "1").split("\n")[0].split()
    check("what is not fetched in time is counted", len(numbers) == 2 and int(numbers[1]) > 0, numbers)
    shell.ask("bus-trace", "end")
    shell("dd if=/dev/disk1 of=/dev/null bs=512 count=8 2>/dev/null")
    check("ended is ended", shell.ask("bus-trace", "text", "1").split("\n")[1:] == [], "")

    # A device that leaves the line up: masked, and everybody goes on by looking.
    shell.device("fail", "teach", "seed:1,stuck-interrupt:1000")
    said = shell(EDU)
    check("a stuck device still answers", said == "edu\n== 0", said)
    check("its line is masked", until(lambda: line(shell, 5)[0].startswith("masked")) and line(shell, 5)[3] >= 1, line(shell, 5))
    check("the log says so", "interrupt line 5: 1000 interrupts in a row that nobody claimed: masked" in shell.log, shell.log[-300:])
    check("chorus drivers too, of all four", states(shell, "interrupt line 5 is masked") == 4, shell.ask("drivers"))
    check("chorus device counts it", re.search(r"^teach .*stuck-interrupt [1-9]", shell.ask("devices"), re.M), shell.ask("devices"))
    check("the others go on without", (said := all_work(shell)) == WORKS, said)
    began = time.monotonic()
    shell("dd if=/dev/disk0 of=/dev/null bs=4k count=100 iflag=direct 2>/dev/null")
    check("and not slowly", (took := time.monotonic() - began) < 2, took)
    shell.chorus("interrupts", "--unmask", "5")
    check("unmasked it is masked again, since nothing has changed", until(lambda: line(shell, 5)[3] >= 2 and line(shell, 5)[0].startswith("masked")), line(shell, 5))
    shell.device("fail", "teach")
    said = shell.chorus("unload", "edu"), shell.chorus("load", str(OBJECTS / "edu.so"))
    check("its driver loaded again, it is well", said == ("unloaded", "loaded, 1 instance") and line(shell, 5)[0] == "quiet"
          and states(shell, "is masked") == 0, (said, line(shell, 5)))
    check("and all work", (said := all_work(shell)) == WORKS, said)
    check("a line that there is not", "256 is no interrupt line" in (said := shell.chorus("interrupts", "--unmask", "256")), said)

    # Drivers that spoil the line for the others.
    shell.chorus("unload", "edu")
    said = shell.chorus("load", f"{TORTURE}/never_claims.so") + shell("echo x > /dev/torture")
    check("a driver that never claims has the line masked", until(lambda: states(shell, "interrupt line 5 is masked") == 4), (said, shell.ask("drivers")))
    check("the others go on", (said := shell(f"{DISK}; {UART}; {RNG}")) == "disk\n8\n2048\n== 0", said)
    said = shell.chorus("unload", "torture")
    check("until it goes", said == "unloaded" and line(shell, 5)[0] == "quiet", (said, line(shell, 5)))
    said = shell.chorus("load", f"{TORTURE}/claims_all.so") + shell("echo x > /dev/torture")
    check("one that claims everything is put out of use", until(lambda: states(shell, "claimed 10000 interrupts on line 5 without quieting its device") == 1),
          (said, shell.ask("drivers")))
    check("the others have the line", (said := shell(f"{DISK}; {UART}; {RNG}")) == "disk\n8\n2048\n== 0" and line(shell, 5)[0] == "quiet", (said, line(shell, 5)))
    check("it goes, edu comes", (said := (shell.chorus("unload", "torture"), shell.chorus("load", str(OBJECTS / "edu.so")))) == ("unloaded", "loaded, 1 instance"), said)

    # Pulled out in the middle of an access, at each one in turn.
    shell("exec 6</dev/disk1")
    shell.device("fail", "disk1", "remove-after:9")
    said = shell("dd bs=4k count=200 <&6 2>&1 | tail -n 1; exec 6<&-")
    check("pulled out under I/O, users get an error", "== 0" in said and "200+0" not in said, said)
    check("chorus device says so", until(lambda: re.search(r"^disk1 .*removed", shell.ask("devices"), re.M)) and "disk1: pulled out" in shell.log, shell.ask("devices"))
    check("the node is gone", until(lambda: shell("test -e /dev/disk1") == "== 1"))
    shell.ask("device-remove", "disk1", "asked")
    said = shell.ask("device-add", "disk1", "virtio-blk", "size=65536", "line=6") + shell("blockdev --getsize64 /dev/disk1")
    check("plugged in again it serves", said == "added65536\n== 0", said)
    shell.device("fail", "disk1", "seed:5,surprise-removal:200")
    shell("dd if=/dev/disk1 of=/dev/null bs=512 count=100 iflag=direct 2>/dev/null")
    check("by chance too", until(lambda: re.search(r"^disk1 .*removed.*surprise-removal 1", shell.ask("devices"), re.M)), shell.ask("devices"))
    check("the line's devices work still", (said := all_work(shell)) == WORKS, said)

    # Every model, at any access of its driver.
    for name in ("disk0", "ttyS0", "teach", "rng0", "disk1"):
        shell.ask("device-remove", name, "surprise")
    wrong = []
    for model, use in MODELS.items():
        for count in range(0, 48, 5 if privilege == "supervisor" else 9):
            said = shell.ask("device-add", "x0", model, *(["size=65536"] if "blk" in model else []), f"faults=remove-after:{count}")
            if use:
                shell(f"({use}) > /dev/null 2>&1")
            said += shell.ask("device-remove", "x0", "surprise")
            if said != "addedremoved" or not until(lambda: shell(GONE) == "gone\n== 0"):
                wrong.append((model, count, said, shell("ls /dev")))
    check("every model at any access of its driver", not wrong, wrong[:3])
    rows = [re.split(r"  +", row) for row in shell.ask("drivers").splitlines()[1:]]
    check("which all wait for the next device", len(rows) == 7 and all(row[-1] == "no device" for row in rows) and "refuses" not in shell.log, rows)
    check("the site ends", (status := shell.site.end()) == 0, status)
finish()
