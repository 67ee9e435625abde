import json
import subprocess

import places
from sitelib import check, finish

done = subprocess.run([str(places.CHORUS), "bench", "driver", "--rounds", "1", "--json"], stdin=subprocess.DEVNULL,
                      capture_output=True, text=True, timeout=110)
good = check("it ends well, with every row", done.returncode == 0, done.returncode)
rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
moved = [f"{way}{what}" for way in ("", "direct-") for what in ("read-1m", "write-64k", "random-read-4k", "random-write-4k")]
own = ["load32", "interrupt-1", "interrupt-4", "interrupt-edge"]
good &= check("wherever drivers live", all(rows.get(f"{home}-{name}", {}).get("ns", 0) > 0 for home in "supx"
                                           for name in (own if home != "x" else []) + moved), sorted(rows))
good &= check("beside the host's file", all("ratio" in rows.get(f"s-{name}", {}) for name in moved if "direct" not in name), rows)
if not good:
    print(f"{done.stdout}{done.stderr}")
finish()
