import subprocess
import sys

import places
from sitelib import MANIFEST, SCRATCH, WORK

text = places.manifest_file(MANIFEST).read_text()
limited = SCRATCH / "limited.toml"
limited.write_text(text.replace("[subsystem]\n", '[subsystem]\nmemory = "96MiB"\n', 1))
argv = places.chorus_run(str(limited), [str(places.PROGRAMS / "musl" / "memory-limit")], WORK)
sys.exit(subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=50).returncode)
