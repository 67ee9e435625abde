import subprocess
from pathlib import Path

from driverlib import OBJECTS, TORTURE, Shell, devices
import places
from sitelib import check, finish, until

CYCLES = 50
OBJECT = OBJECTS / "edu-swift.so"
FAULTS = [("fault", "SIGILL at address"), ("loop", "took longer than 2 s and was cut off"), ("deep", "SIGSEGV at address")]


def factorial(shell, number):
    return shell(f"exec 5<>/dev/edu; echo {number} >&5; read -r n <&5; echo $n; exec 5>&-")


def mappings(shell):
    return [line for line in Path(f"/proc/{shell.home()}/maps").read_text().splitlines()]


needed = subprocess.run(["nm", "-D", "--undefined-only", str(OBJECT)], capture_output=True, text=True).stdout.split()
names = {name.split("@")[0] for name in needed if len(name) > 1}
known = {"free", "memset", "posix_memalign", "__stack_chk_fail", "__cxa_finalize", "__gmon_start__", "_ITM_deregisterTMCloneTable",
         "_ITM_registerTMCloneTable"}
check("it needs the C library alone", names <= known, names - known)
subprocess.run(["make", "-s", "-C", str(places.ROOT / "DriverKitStubs/Drivers/torture"), f"INCLUDE={places.BUILD}/include", f"OUT={TORTURE}",
                "swift"], check=True)
for privilege in ("supervisor", "user"):
    print(f"-- {privilege}", flush=True)
    shell = Shell(privilege, devices(("teach", "edu", {})), [])
    check("it serves", (said := (shell.ask("load", OBJECT, "new"), factorial(shell, 10))) == ("loaded, 1 instance", "3628800\n== 0"), said)
    check("it says what it does not take", "Invalid argument" in (said := shell("echo ten > /dev/edu")) or said.endswith("== 1"), said)
    shell("exec 6</dev/edu")
    check("its users hold it", "edu is open (1)" in (said := shell.ask("unload", "edu-swift")), said)
    shell("exec 6<&-")
    shell.ask("unload", "edu-swift")
    before = len(mappings(shell))
    for cycle in range(CYCLES):
        said = (shell.ask("load", OBJECT, "new"), factorial(shell, 5), shell.ask("unload", "edu-swift"))
        if said != ("loaded, 1 instance", "120\n== 0", "unloaded"):
            break
    after = mappings(shell)
    check("fifty times in and out", said[2] == "unloaded" and cycle == CYCLES - 1, (cycle, said))
    check("no mapping stays", not any("edu-swift" in line for line in after) and len(after) <= before + 8, (before, len(after)))
    for name, words in FAULTS:
        object = TORTURE / f"swift_{name}.so"
        said = shell.ask("load", object, "new") + shell("head -c 4 /dev/torture 2>&1")
        until(lambda: words in shell.ask("drivers"), 5)
        said += shell.ask("drivers") + shell("echo x > /dev/torture")
        check(f"{name}: an error, and out of use", words in said and "Input/output error" in said and said.endswith("== 1"), said[-400:])
        check(f"{name}: it goes", (said := shell.ask("unload", "torture")) == "unloaded", said)
        said = shell.ask("load", TORTURE / "swift_good.so", "new") + shell("head -c 1 /dev/torture") + shell.ask("unload", "torture")
        check(f"{name}: the next one works", said == "loaded, 1 instancex== 0unloaded", said)
    shell.ask("load", TORTURE / "swift_leak.so", "new")
    shell.ask("unload", "torture")
    check("what it leaves behind is taken back", "bytes of memory left behind, taken back" in shell.log, shell.log[-300:])
    check("nothing of all these stays", not any("/torture/" in line for line in mappings(shell)))
    check("the site ends", (status := shell.site.end()) == 0, status)
finish()
