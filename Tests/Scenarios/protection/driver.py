import os
import random
import subprocess

import places
from sitelib import SCRATCH, check, finish

# SEED and ROUNDS of the environment repeat or prolong a run.
seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1, 1 << 32))
rounds = int(os.environ.get("ROUNDS") or 300)
manifest = SCRATCH / "protection.toml"
manifest.write_text(f"""
[subsystem]
name = "protection"

[[actor]]
name = "guard"
object = "{places.PROGRAMS}/subsystems/guard.so"
privilege = "supervisor"

[[actor]]
name = "intruder"
object = "{places.PROGRAMS}/subsystems/intruder.so"
privilege = "user"
system = false
needs = ["guard"]
limits = {{ memory = "8MiB", threads = 8, ports = 64 }}
options = {{ seed = {seed}, rounds = {rounds} }}
""")
process = subprocess.run([str(places.CHORUS), "boot", str(manifest)], stdin=subprocess.DEVNULL, capture_output=True,
                         text=True, timeout=100)
print(process.stdout, end="")
good = check("the site ends well", process.returncode == 0, process.returncode)
if not good or "FAIL" in process.stdout:
    print(f"seed {seed}, {rounds} rounds")
    lines = [line for line in process.stderr.splitlines() if "error: intruder:" not in line]
    print("\n".join(lines[-20:]))
finish()
