import os
import signal
from pathlib import Path

import driverlib
from driverlib import OBJECTS, TORTURE, Shell, devices
from sitelib import SCRATCH, alive, check, finish, maps, until

BUS = devices(("disk0", "virtio-blk", {"image": "disk.img"}), ("rng0", "virtio-rng", {}), ("ttyS0", "uart16550", {}),
              ("clock", "rtc", {}), ("teach", "edu", {}))
DRIVERS = [("virtio-blk", {"privilege": "user", "device": "disk0", "restart": "always"})] + [
    (name, {"privilege": "user"}) for name in ("virtio-rng", "uart16550", "rtc", "edu")]
WRITE = "dd if=/tmp/data of=/dev/disk0 bs=32k conv=notrunc 2>/dev/null"
READ = "dd if=/dev/disk0 bs=32k count=32 2>/dev/null | cmp - /tmp/data"
DISK, USER = "virtio-blk@disk0", "virtio-blk-user"

# What each one must come to: words of the message, or others, while loading, reading or in the table. The process is all it costs.
TORTURE_WORDS = [
    ("fault_init", "SIGSEGV at address 0x8 in fault_init.so"), ("fault_read", "SIGSEGV at address 0x8 in fault_read.so"),
    ("fault_handler", "(handler+"), ("loop_handler", "took longer than 2 s"), ("stack", "SIGSEGV"), ("dma_overrun", "SIGSEGV"),
    ("leaks", ""), ("garbage", "== 1"), ("double_done", ""), ("fault_unload", ""), ("newer_minor", ""),
    ("undefined", "undefined symbol: no_such_function"), ("no_init", "has no init"), ("exits", "its host process"), ("scribble", "its host process|SIG"),
    ("sleeps", "does not answer"),
]


class Hosts(Shell):
    def rows(self, driver):
        return [line.split() for line in self.ask("drivers").splitlines() if line.split()[:1] == [driver]]

    def pid(self, driver):
        """Of its host process; 0 while there is none."""
        rows = self.rows(driver)
        return int(rows[0][3]) if rows and rows[0][3].isdigit() else 0

    def kill(self, driver):
        pid = self.pid(driver)
        os.kill(pid, signal.SIGKILL)
        return pid

    def is_new(self, driver, dead):
        return self.pid(driver) not in (0, dead) and self.rows(driver)[0][-1] == "ok"

    def load(self, object_, *options):
        return self.chorus("load", "--privilege", "user", *options, str(object_))


AGAIN = ("fault_read", "fault_handler", "exits")     # where the home is a user actor


def torture(shell):
    """Those that did something else than they should, or cost more than their process."""
    wrong = []
    for name, words in TORTURE_WORDS:
        if shell.privilege == "user" and name not in AGAIN:
            continue
        said = shell.load(TORTURE / f"{name}.so")
        if "loaded, 1 instance" in said:
            pid = shell.pid("torture")
            said += shell("head -c 1 /dev/torture") + shell("echo x > /dev/torture")
            until(lambda: any(word in said + shell.ask("drivers") for word in words.split("|")), 12)
            said += shell.ask("drivers")
            if (gone := shell.chorus("unload", "torture")) != "unloaded":
                wrong.append((name, gone))
            if not until(lambda: not alive(pid)):
                wrong.append((name, "its process stays"))
        if not any(word in said for word in words.split("|")):
            wrong.append((name, said[-400:]))
    return wrong


def left(shell):
    """What a home has: descriptors, mappings; and the site's processes."""
    home = shell.home()
    return len(os.listdir(f"/proc/{home}/fd")), len(Path(f"/proc/{home}/maps").read_text().splitlines()), len(shell.site.host_processes())


driverlib.build_torture()
for privilege in ("supervisor", "user"):
    print(f"-- the home is in {privilege} privilege", flush=True)
    (SCRATCH / "disk.img").write_bytes(bytes(8 << 20))
    shell = Hosts(privilege, BUS, DRIVERS)
    shell("dd if=/dev/urandom of=/tmp/data bs=32k count=32 2>/dev/null")
    pid = shell.pid(DISK)
    check("a driver has a process of its own", pid in shell.site.host_processes() and maps(pid, "/virtio-blk.so")
          and not maps(shell.home(), "/virtio-blk.so"), shell.ask("drivers"))
    check("it serves a disk", (said := shell(f"{WRITE} && {READ}")) == "== 0", said)
    check("random bytes", (said := shell("dd if=/dev/hwrng bs=16 count=50 2>/dev/null | wc -c")) == "800\n== 0", said)
    check("a clock", (said := shell("hwclock -r -u -f /dev/rtc0 | grep -c .")) == "1\n== 0", said)
    said = shell("exec 5<>/dev/edu; echo 10 >&5; read -r n <&5; echo $n")
    check("a factorial, by interrupt", said == "3628800\n== 0", said)
    said = shell("stty -F /dev/ttyS0 raw -echo; (sleep 0.2; echo hello > /dev/ttyS0) & head -n 1 /dev/ttyS0; wait")
    check("a serial line", said == "hello\n== 0", said)

    # Killed while it works.
    shell("exec 6</dev/disk0")
    shell("rm -f /tmp/stop; (n=0; until [ -e /tmp/stop ]; do n=$((n + 1)); " + WRITE + " || echo bad write; " + READ
          + " || echo bad read; done; echo all over) > /tmp/log 2>&1 &")
    for _ in range(3):
        dead = shell.kill(DISK)
        until(lambda: shell.is_new(DISK, dead))
    check("killed, it is started again", shell.rows(DISK)[0][4] == "3" and shell.rows(DISK)[0][-1] == "ok", shell.ask("drivers"))
    said = shell("touch /tmp/stop; wait; cat /tmp/log")
    check("nobody lost anything", said == "all over\n== 0", said)
    check("open descriptors go on", (said := shell("dd bs=32k count=1 <&6 2>/dev/null | wc -c; exec 6<&-")) == "32768\n== 0", said)
    dead = shell.kill("edu")
    until(lambda: "died" in shell.ask("drivers"))
    check("without a policy its devices answer EIO", "Input/output error" in (said := shell("(echo 5 >&5) 2>&1; exec 5>&-")), said)
    check("and it says why", f"its host process {dead} died" in (said := shell.ask("drivers")), said)
    check("it makes room", (said := shell.chorus("unload", "edu")) == "unloaded", said)

    # Split in two: interrupts beside the bus, the queue in a process.
    check("one half beside the bus", (said := [shell.chorus("unload", DISK), shell.chorus("load", str(OBJECTS / "virtio-blk-stub.so"))])
          == ["unloaded", "loaded, 1 instance"], said)
    check("the other in a process", (said := shell.load(OBJECTS / "virtio-blk-user.so", "--restart", "always")) == "loaded, 1 instance", said)
    check("serve the same disk", (said := shell(f"{READ} && {WRITE} && {READ}")) == "== 0", said)
    said = [line.split()[:4] for line in shell.ask("devices").splitlines() if "disk0" in line]
    check("as two devices", [row[:3] for row in said] == [["disk0", "virtio-mmio", "2"], ["disk0-raw", "virtio-mmio-raw", "2"]], said)
    shell("exec 6</dev/disk0")
    shell("rm -f /tmp/stop; (until [ -e /tmp/stop ]; do " + WRITE + " || echo bad write; " + READ
          + " || echo bad read; done; echo all over) > /tmp/log 2>&1 &")
    for _ in range(2):
        dead = shell.kill(USER)
        until(lambda: shell.is_new(USER, dead))
    said = shell("touch /tmp/stop; wait; cat /tmp/log; dd bs=32k count=1 <&6 2>/dev/null | wc -c")
    check("one half dies, nobody loses anything", said == "all over\n32768\n== 0", (said, shell.ask("drivers")))
    lines = {line.split()[0]: line for line in shell.ask("interrupts").splitlines()}
    line = next(row.split()[3] for row in shell.ask("devices").splitlines() if row.split()[:1] == ["disk0"])
    check("the line is in order", "masked" not in lines[line] and lines[line].split()[-1] == "0", lines[line])
    check("who gives a device stays", "disk0-raw is driven (1)" in (said := shell.chorus("unload", "virtio-blk-stub")), said)
    shell("exec 6<&-")
    said = [shell.chorus("unload", name) for name in (USER, "virtio-blk-stub")]
    check("both go", said == ["unloaded"] * 2 and "disk0-raw" not in shell.ask("devices"), said)
    check("and the disk is driven in one piece again", (said := shell.load(OBJECTS / "virtio-blk.so", "--device", "disk0")
                                                        + shell(READ)) == "loaded, 1 instance== 0", said)

    # One that crashes whenever it is used.
    said = shell.load(TORTURE / "fault_read.so", "--restart", "2", "--device", "teach")
    check("restarts are bounded", said == "loaded, 1 instance", said)
    for _ in range(3):
        before = shell.pid("torture@teach")
        shell("head -c 1 /dev/torture 2>/dev/null")
        until(lambda: "given up" in shell.ask("drivers") or shell.is_new("torture@teach", before))
    check("it is given up, and says so", "given up after 2 restarts: SIGSEGV" in (said := shell.ask("drivers")), said)
    check("and unloaded", (said := shell.chorus("unload", "torture@teach")) == "unloaded", said)
    check("torture costs its process", not (wrong := torture(shell)), wrong[:3])

    check("another device's driver is not its", "has driver virtio-rng" in (said := shell.load(OBJECTS / "virtio-rng.so", "--device", "rng0")), said)
    check("no such device", "no device \"rng7\"; there are" in (said := shell.load(OBJECTS / "virtio-rng.so", "--device", "rng7")), said)
    pid = (shell.load(TORTURE / "good.so"), shell.pid("torture"), shell.chorus("unload", "torture"))[1]
    until(lambda: not alive(pid))
    before = left(shell)
    for _ in range(8):
        said = shell.load(TORTURE / "good.so") + shell("head -c 1 /dev/torture") + shell.chorus("unload", "torture")
        if said != "loaded, 1 instancex== 0unloaded":
            break
    until(lambda: left(shell)[2] <= before[2], 5)
    after = left(shell)
    check("loading and unloading leaves nothing", said.endswith("unloaded") and after[0] <= before[0] + 2 and after[1] <= before[1] + 8
          and after[2] <= before[2], (said, before, after))
    if privilege == "user":
        hosts = [shell.pid(name) for name in (DISK, "virtio-rng", "uart16550", "rtc")]
        os.kill(shell.home(), signal.SIGKILL)
        check("a home that dies takes its hosts along", until(lambda: not any(alive(pid) for pid in hosts)), hosts)
        check("the site lives, without devices", "No such device" in (said := shell("head -c 1 /dev/disk0 2>&1; echo alive")) and "alive" in said, said)
        check("and says so", "the drivers' home is gone" in (said := shell.chorus("drivers")), said)
    check("the site ends", (status := shell.site.end()) == 0, status)
finish()
