import os
import random
import subprocess

import places
from sitelib import SCRATCH, check, finish

# STORM_SECONDS and SEED of the environment repeat or prolong a run.
seconds = int(os.environ.get("STORM_SECONDS") or 60)
seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1, 1 << 32))
USERS = 4
ACTOR = """
[[actor]]
name = "{name}"
object = "{places.PROGRAMS}/subsystems/storm.so"
privilege = "{privilege}"
options = {{ seed = {seed}, seconds = {seconds}, user = {user} }}
"""


def actor(user):
    entry = ACTOR.format(places=places, name=f"storm-{user}", privilege="user" if user else "supervisor", seed=seed,
                         seconds=seconds, user=user)
    return entry + ("" if user == 0 else 'system = false\nneeds = ["storm-0"]\n')


manifest = SCRATCH / "storm.toml"
manifest.write_text('[subsystem]\nname = "storm"\n' + "".join(actor(user) for user in range(USERS + 1)))
process = subprocess.run([str(places.CHORUS), "boot", str(manifest)], stdin=subprocess.DEVNULL, capture_output=True,
                         text=True, timeout=seconds + 150)
good = check("nothing is lost, served twice or left", process.returncode == 0 and process.stdout == "0 wrong\n",
             process.returncode)
deaths = [line for line in process.stderr.splitlines() if "died" in line]
good &= check("one died in the middle, the others ended by themselves",
              sorted(line.rsplit("(", 1)[1] for line in deaths) == ["exit status 0)"] * 3 + ["exit status 3)"], deaths)
if not good:
    print(f"seed {seed}, {seconds} s\n{process.stdout}{process.stderr}")
finish()
