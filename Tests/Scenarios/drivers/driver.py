import os
import re
import shutil
from pathlib import Path

from driverlib import OBJECTS, TORTURE, Shell, build_torture, devices
from sitelib import SCRATCH, check, finish, until

WARM, CYCLES = 1000, 1000
BUS = devices(("disk0", "virtio-blk", {"image": "disk.img"}), ("rng0", "virtio-rng", {}), ("ttyS0", "uart16550", {}), ("clock", "rtc", {}),
              ("teach", "edu", {}))

# What each one must come to: words of an answer, a table or the log that say what was wrong. The last four are nothing's fault.
MISDEEDS = [
    ("fault_init", "SIGSEGV at address 0x8 in fault_init.so"), ("fault_probe", "SIGSEGV at address 0x8 in fault_probe.so"),
    ("fault_read", "SIGSEGV at address 0x8 in fault_read.so"), ("fault_handler", "(handler+"),
    ("fault_unload", "SIGSEGV at address 0x8 in fault_unload.so"), ("abort_init", "teach: SIGABRT"), ("divide", "teach: SIGFPE"),
    ("stack", "teach: SIGSEGV"), ("slow_init", "took longer than 2 s and was cut off in slow_init.so"),
    ("loop_read", "took longer than 2 s and was cut off in loop_read.so"), ("loop_handler", "took longer than 2 s and was cut off in loop_handler.so"),
    ("dma_overrun", "behind the end of its DMA memory"), ("stray_dma", "teach: reaches for 4096 bytes at bus address 0x"),
    ("garbage", "torture: its driver claims to have moved more than it was asked to"),
    ("double_done", "teach: ends a request that is not under way"), ("wild_free", "teach: frees memory that it does not have"),
    ("never_claims", "1000 interrupts in a row that nobody claimed: masked"), ("claims_all", "teach: claimed 10000 interrupts on line"),
    ("leaks", " bytes of DMA memory, 1 interrupt handlers left behind, taken back"), ("abi_major", "built for ABI 9.1; needed: ABI 1.0 to 1.1"),
    ("small_table", "has 8 bytes"), ("no_init", "has no init"), ("no_entry", "exports no drv_driver"),
    ("no_delete", "is marked NODELETE"), ("constructor", "has constructors or destructors"),
    ("undefined", "undefined symbol: no_such_function"), ("not_elf", "is not an ELF file"), ("truncated", "is truncated"),
    ("machine", "is for machine 183"),
    ("newer_minor", "loaded, 1 instancex== 0"), ("garbage_ops", "loaded, 1 instancex== 0"), ("forged_self", "driver torture at teach: says who?"),
    ("other", "loaded, 1 instancex== 0"),
]


def torture(shell, objects):
    """Those that did something else than they should, that nothing was said of, or that left the site ill."""
    wrong = []
    for name, words in MISDEEDS:
        before = len(shell.log)
        said = shell.ask("load", f"{objects}/{name}.so", "new")
        if "loaded, 1 instance" in said:
            said += shell("head -c 1 /dev/torture") + shell("echo x > /dev/torture")
            if "handler" in name or "claims" in name:  # what comes of the interrupt
                until(lambda: words in shell.ask("drivers") + shell.log[before:], 5)
            said += shell.ask("drivers")
            if (gone := shell.ask("unload", "torture")) != "unloaded":
                wrong.append((name, gone))
        said += shell.log[before:]
        if words not in said:
            wrong.append((name, said[-300:]))
        if "torture" in shell.ask("drivers"):
            wrong.append((name, "stays"))
        good = shell.ask("load", f"{objects}/good.so", "new") + shell("head -c 1 /dev/torture") + shell.ask("unload", "torture")
        if good != "loaded, 1 instancex== 0unloaded":
            wrong.append((name, "afterwards " + good))
    return wrong


def holdings(shell):
    """What the drivers' home has: mappings of torture's objects, all mappings, descriptors, KiB in memory. Its lanes do not count:
    each is touched as far as a message once filled it, and stays so."""
    process = Path(f"/proc/{shell.home()}")
    text = (process / "maps").read_text()
    resident, lane = 0, False
    for line in (process / "smaps").read_text().splitlines():
        if re.match("[0-9a-f]+-", line):
            lane = "memfd:lane" in line
        elif line.startswith("Rss:") and not lane:
            resident += int(line.split()[1])
    return text.count("/torture/"), len(text.splitlines()), len(os.listdir(process / "fd")), resident


def cycles(shell, count):
    """Loads and unloads; every tenth time somebody uses what is loaded. What went wrong."""
    for number in range(count):
        said = shell.ask("load", f"{TORTURE}/good.so", "new") + (shell("head -c 1 /dev/torture") if number % 10 == 0 else "x== 0")
        said += shell.ask("unload", "torture")
        if said != "loaded, 1 instancex== 0unloaded":
            return said
    return ""


build_torture()
objects = TORTURE
for privilege in ("supervisor", "user"):
    print(f"-- {privilege}", flush=True)
    disk = SCRATCH / "disk.img"
    disk.write_bytes(bytes(8 << 20))
    shell = Shell(privilege, BUS, ["virtio-blk", "virtio-rng", "uart16550", "rtc", "edu"])
    check("the nodes are there", (said := shell("ls /dev/disk0 /dev/hwrng /dev/rtc0 /dev/edu /dev/ttyS0 | wc -l")) == "5\n== 0", said)
    shell("dd if=/dev/urandom of=/tmp/data bs=64k count=32 2>/dev/null")
    said = shell("dd if=/tmp/data of=/dev/disk0 bs=64k 2>/dev/null && sync && dd if=/dev/disk0 bs=4k count=512 2>/dev/null | cmp - /tmp/data")
    check("a disk keeps what is written", said == "== 0", said)
    said = shell("dd if=/dev/disk0 bs=1000 skip=7 count=3 2>/dev/null | md5sum; dd if=/tmp/data bs=1000 skip=7 count=3 2>/dev/null | md5sum")
    check("at any offset", len(set(said.split("\n")[:2])) == 1, said)
    check("its size", (said := shell("blockdev --getsize64 /dev/disk0")) == "8388608\n== 0", said)
    check("its end", "No space left" in shell("dd if=/dev/zero of=/dev/disk0 bs=1k seek=8192 count=1 2>&1"))
    check("random bytes", (said := shell("dd if=/dev/hwrng bs=16 count=300 2>/dev/null | wc -c")) == "4800\n== 0", said)
    said = shell("exec 5<>/dev/edu; echo 10 >&5; read -r n <&5; echo $n; exec 5>&-")
    check("a factorial, by interrupt", said == "3628800\n== 0", said)
    check("a clock", (said := shell("hwclock -r -u -f /dev/rtc0 | cut -d' ' -f1-3 | grep -c .")) == "1\n== 0", said)
    said = shell("stty -F /dev/ttyS0 raw -echo; (sleep 0.2; echo hello > /dev/ttyS0) & head -n 1 /dev/ttyS0; wait")
    check("a serial line with a loop plug", said == "hello\n== 0", said)

    # A new build takes over while the disk is read and written.
    shutil.copy(OBJECTS / "virtio-blk.so", SCRATCH / "virtio-blk-2.so")
    shutil.copy(OBJECTS / "virtio-blk.so", SCRATCH / "virtio-blk-3.so")
    shell("(for i in 1 2 3 4 5 6 7 8; do dd if=/tmp/data of=/dev/disk0 bs=32k conv=notrunc 2>/dev/null || echo bad write; "
          "dd if=/dev/disk0 bs=32k count=64 2>/dev/null | cmp - /tmp/data || echo bad read; done; echo all over) > /tmp/log 2>&1 &")
    said = [shell.chorus("load", "--replace", str(SCRATCH / f"virtio-blk-{n}.so")) for n in (2, 3, 2, 3)]
    check("a driver is replaced under load", said == ["loaded, 1 instance"] * 4, said)
    said = shell("wait; cat /tmp/log")
    check("nobody lost anything", said == "all over\n== 0", said)

    shell("exec 6</dev/disk0")
    check("an open device keeps its driver", "disk0 is open (1)" in (said := shell.chorus("unload", "virtio-blk")), said)
    shell("exec 6<&-")
    check("a closed one does not", (said := shell.chorus("unload", "virtio-blk")) == "unloaded", said)
    check("and takes its node away", (said := shell("test -e /dev/disk0")) == "== 1", said)
    check("it comes back", (said := shell.chorus("load", str(OBJECTS / "virtio-blk.so"))) == "loaded, 1 instance", said)
    check("with the data", (said := shell("dd if=/dev/disk0 bs=32k count=64 2>/dev/null | cmp - /tmp/data")) == "== 0", said)
    check("software drivers too", (said := shell.chorus("load", str(OBJECTS / "ramdisk.so"))) == "loaded, 1 instance", said)
    said = shell("dd if=/tmp/data of=/dev/ram0 bs=64k 2>/dev/null; dd if=/dev/ram0 bs=64k count=32 2>/dev/null | cmp - /tmp/data")
    check("a disk of memory", said == "== 0", said)

    # Devices that fail.
    check("faults are named", "names no faults" in (said := shell.device("fail", "disk0", "nonsense:1")), said)
    shell.device("fail", "disk0", "seed:3,lost-interrupt:400,spurious-interrupt:300")
    said = shell("dd if=/dev/disk0 bs=16k count=128 2>/dev/null | cmp - /tmp/data", 120)
    check("lost and spurious interrupts cost time alone", said == "== 0", said)
    shell.device("fail", "disk0", "seed:3,read-error:1000")
    check("a read error is an error", "Input/output error" in (said := shell("dd if=/dev/disk0 of=/dev/null bs=4k count=1 2>&1")), said)
    shell.device("fail", "disk0")
    check("and over when it is over", (said := shell("dd if=/dev/disk0 bs=32k count=64 2>/dev/null | cmp - /tmp/data")) == "== 0", said)
    check("a device is added", (said := shell.device("add", "disk1", "virtio-blk", "size=1048576")) == "added", said)
    check("and driven", (said := shell("blockdev --getsize64 /dev/disk1")) == "1048576\n== 0", said)
    shell("exec 6<>/dev/disk1")
    check("in use it stays", "of driver virtio-blk is open (1)" in (said := shell.device("remove", "disk1")), said)
    check("pulled out it goes", (said := shell.device("remove", "--surprise", "disk1")) == "removed", said)
    check("its users get an error", (said := shell("dd bs=512 count=1 <&6 2>/dev/null | wc -c")) == "0\n== 0", said)
    shell("exec 6>&-")

    check("edu makes room", (said := shell.chorus("unload", "edu")) == "unloaded", said)
    check("torture", not (wrong := torture(shell, objects)), wrong[:3])
    shell("(while [ ! -e /tmp/enough ]; do dd if=/tmp/data of=/dev/disk0 bs=32k conv=notrunc 2>/dev/null || echo bad write; "
          "dd if=/dev/disk0 bs=32k count=64 2>/dev/null | cmp - /tmp/data || echo bad read; done; echo all over) > /tmp/log 2>&1 &")
    said, before = cycles(shell, WARM), holdings(shell)
    said, after = said or cycles(shell, CYCLES), holdings(shell)
    check(f"{CYCLES} times loaded and unloaded under I/O: memory, mappings and descriptors are as before", not said and after[0] == 0
          # Memory moves by what the allocator keeps for threads that come and go; after some thousand cycles it stands still.
          and after[1] <= before[1] + 12 and after[2] <= before[2] + 2 and after[3] <= before[3] + 4096, (said, before, after))
    said = shell("touch /tmp/enough; wait; cat /tmp/log")
    check("and the I/O was well", said == "all over\n== 0", said)
    check("one that refuses to go", "refuses with -3" in (shell.chorus("load", f"{objects}/busy.so") + (said := shell.chorus("unload", "torture"))), said)
    check("the site ends", (status := shell.site.end()) == 0, status)
finish()
