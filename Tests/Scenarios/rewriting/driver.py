import subprocess
from pathlib import Path

import places
from sitelib import WORK, check, finish

# What the gate needs (Nucleus/Sources/CMachine/guestCalls.c): elsewhere all sites stay as they are.
flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")).split()
able = "rewritten" if {"fsgsbase", "bmi2"} <= set(flags) else "as compiled"
for manifest, name, wanted in (("mix", "rewrites", able), ("mix-user", "rewrites", able),
                               (places.SIGNALS, "does not", "as compiled")):
    argv = places.chorus_run(manifest, [str(places.PROGRAMS / "musl" / "sites"), "look"], WORK)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    check(f"{manifest} {name}", done.stdout == f"{wanted}\n" * 2, done)
finish()
