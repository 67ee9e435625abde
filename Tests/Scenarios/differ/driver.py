"""What once was different, and generated sequences from a seed of the day, natively and on the site, line by line.

DIFFER_SEED=N begins with that sequence, DIFFER_COUNT=N takes as many."""
import os
import random
import subprocess
import sys

import places
from sitelib import SCRATCH, check, finish, run

SAMPLE = os.environ["SITE_SET"] == "sample"
# Two variants for a sample; two variants under three manifests for all.
COUNT = int(os.environ.get("DIFFER_COUNT", 1000 if SAMPLE else 8400))
SEED = int(os.environ.get("DIFFER_SEED", random.SystemRandom().randrange(1, 10**9)))
PIECE = 500
SHOWN = 5
PROGRAM = str(places.PROGRAMS / os.environ["SITE_VARIANT"] / "differ")


def native(*words):
    folder = SCRATCH / "native"
    folder.mkdir(exist_ok=True)
    done = subprocess.run([PROGRAM, *words], cwd=folder, env=places.ENVIRONMENT, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=300)
    return done.stdout.decode(), done.stderr.decode(errors="replace")


def both(*words):
    ours = run([PROGRAM, *words], limit=300)
    return native(*words), (ours.out.decode(), ours.err.decode(errors="replace"))


def explain(what, *words):
    """Whether it differs once more: the first line that does."""
    (_, theirs), (_, ours) = both(*words, "-v")
    for native_line, line in zip(theirs.splitlines(), ours.splitlines()):
        if native_line != line:
            print(f"note: {what}: natively {native_line!r}, here {line!r}", file=sys.stderr)
            return True
    return False


def differing(first, count):
    (theirs, _), (ours, _) = both(str(first), str(count))
    theirs, ours = theirs.splitlines(), ours.splitlines()
    if len(theirs) != len(ours):
        print(f"note: from {first} on: {len(theirs)} lines natively, {len(ours)} here", file=sys.stderr)
        return [first]
    return [int(line.split()[0]) for line, other in zip(theirs, ours) if line != other]


(theirs, _), (ours, _) = both("corpus")
good = theirs == ours and "corpus 0 " in theirs
if not good:
    explain("corpus", "corpus")
check("what once was different", good)

print(f"note: DIFFER_SEED={SEED} DIFFER_COUNT={COUNT}", file=sys.stderr)
found = []
for first in range(SEED, SEED + COUNT, PIECE):
    found += differing(first, min(PIECE, SEED + COUNT - first))
# A machine that is late may end a wait or an alarm otherwise: what counts is there again.
real = [seed for seed in found[:SHOWN] if any(explain(f"sequence {seed}", str(seed), "1") for _ in range(3))]
for seed in found[:SHOWN]:
    if seed not in real:
        print(f"note: sequence {seed} differed once only", file=sys.stderr)
check("generated sequences", not real, f"{len(found)} of {COUNT} differ, {found[:20]}")
finish()
