import json
import subprocess

import places
from sitelib import check, finish


def bench(*words):
    return subprocess.run([str(places.CHORUS), "bench", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=200)


done = bench("ipc", "--rounds", "1", "--json")
good = check("it ends well, with every row", done.returncode == 0, done.returncode)
rows = [json.loads(line) for line in done.stdout.splitlines()]
times = {(row["name"], row["processors"]): row["ns"] for row in rows if "ns" in row}
pairs = [(pair + size, where) for pair in ("ss", "us", "su", "uu") for size in ("-null", "-1m") for where in ("one", "all")]
good &= check("each pairing, on one processor and on all", all(times.get(pair, 0) > 0 for pair in pairs), times)
counts = {row["name"]: row["count"] for row in rows if "count" in row}
good &= check("the null call allocates nothing, and allocations would be seen",
              counts.get("ss-allocations") == 0 and counts.get("ss-queued-allocations", 0) > 0, counts)
good &= check("what cannot be measured is refused", bench("nonsense").returncode != 0)
if not good:
    print(f"{done.stdout}{done.stderr}")
finish()
