import os
import re
import time

from driverlib import Shell, devices
from sitelib import check, finish

SEED = int(os.environ.get("SEED", "1991"))
WANTED = 10_000
FAULTS = {  # in a thousand
    "disk0": "read-error:200,write-error:200,short-dma:200,lost-interrupt:30,spurious-interrupt:600",
    "teach": "short-dma:300,lost-interrupt:100,spurious-interrupt:600",
    "rng0": "read-error:100,short-dma:300,lost-interrupt:100,spurious-interrupt:600",
    "ttyS0": "lost-interrupt:50,spurious-interrupt:200",
}
KINDS = sorted({word.split(":")[0] for faults in FAULTS.values() for word in faults.split(",")})
# Each has a line of its own but the last two.
BUS = devices(("disk0", "virtio-blk", {"size": "1MiB"}), ("rng0", "virtio-rng", {}), ("ttyS0", "uart16550", {"line": 5}),
              ("teach", "edu", {"line": 5}))


def counts(shell):
    """How often each kind has struck, by device."""
    found = {}
    for row in shell.ask("devices").splitlines():
        if row.split()[0] in FAULTS:
            found[row.split()[0]] = {kind: int(number) for kind, number in re.findall(r"([a-z]+-[a-z]+) (\d+)", row) if kind in KINDS}
    return found


for privilege in ("supervisor", "user"):
    print(f"-- {privilege}", flush=True)
    shell = Shell(privilege, BUS, ["virtio-blk", "virtio-rng", "uart16550", "edu"])
    for name, faults in FAULTS.items():
        shell.ask("device-faults", name, f"seed:{SEED},{faults}")
    began = time.monotonic()
    shell(f"rm -f /tmp/enough; $TESTS/musl/device-faults {SEED} > /tmp/out 2>&1 &")
    while sum(sum(kinds.values()) for kinds in counts(shell).values()) < WANTED and time.monotonic() - began < 60:
        time.sleep(0.1)
    struck = counts(shell)
    took = time.monotonic() - began
    total = sum(sum(kinds.values()) for kinds in struck.values())
    check(f"{WANTED} faults", total >= WANTED, f"seed {SEED}: {total} in {took:.0f} s: {struck}")
    seen = sorted({kind for kinds in struck.values() for kind in kinds})
    check("of every kind, on every device", seen == KINDS and all(sum(struck[name].values()) >= 100 for name in FAULTS), (SEED, struck))
    for name in FAULTS:
        shell.ask("device-faults", name)
    shell("touch /tmp/enough")
    said = shell("wait; cat /tmp/out", 40)
    lines = said.split("\n")
    check("nobody lost a byte, hung, or saw another error than EIO", lines[-2:] == ["all good", "== 0"] and "FAIL" not in said, (SEED, said))
    told = re.search(r"(\d+) requests, (\d+) EIO", said)
    check("and errors there were", told and int(told[2]) >= 500, said)
    states = [re.split(r"  +", row)[-1].strip() for row in shell.ask("drivers").splitlines()[1:]]
    check("every driver is well", states == ["ok"] * 4 and "out of use" not in shell.log, (states, shell.log[-300:]))
    check("no line is masked", "masked" not in shell.ask("interrupts"), shell.ask("interrupts"))
    check("the site ends", (status := shell.site.end()) == 0, status)
finish()
