import json
import os
import re
import signal
import subprocess

import places
from sitelib import PATIENCE, Site, check, finish, tool, until

name = f"trace-{os.getpid()}"
# `sleep` stays parked in a system call; each line that is sent makes one `cat` of a file.
site = Site([places.BUSYBOX, "sh", "-c", "sleep 1000 & echo up; while read word; do cat $word; done; kill $!; exit 4"],
            options=["--name", name])
check("the site is up", site.expect(b"up\n"), site.output)
TIME = r"^\d\d:\d\d:\d\d\.\d{6} "
TRAP = re.compile(TIME + r"\[pid (\d+|\?)( [^\]]+)?\] [a-z_0-9]+\((-?\w+)?(, …)?\) = (\?|-?\w+( E[A-Z0-9]+)?)( <[\d.]+ (us|ms|s)>)?$")
MESSAGE = re.compile(TIME + r"\S+ [→⇢] (FILE|DEVICE|PROCESS) [A-Z_]+ \d+(\+\d+)? B( [\d.]+ (us|ms|s))?$")
ANY = re.compile(TIME + r"\S")

site.send(b"/etc/hostname\n")
text = until(lambda: "actor deleted" in (found := tool("trace", name)).out and found)
lines = text.out.splitlines() if text else []
check("chorus trace answers", text and text.status == 0 and len(lines) > 20, text)
check("every line has a time", all(ANY.match(line) for line in lines), [line for line in lines if not ANY.match(line)][:3])
check("in the order of beginnings", [line[:15] for line in lines] == sorted(line[:15] for line in lines) or
      lines and lines[0][:2] != lines[-1][:2])  # or midnight
traps = [line for line in lines if re.match(TIME + r"\[pid", line) and "(" in line]
check("system calls by name, with process and result", traps and all(TRAP.match(line) for line in traps),
      [line for line in traps if not TRAP.match(line)][:3])
check("of the shell too", any(re.search(r"\[pid 2 \w+\] read\(0, …\) = 1 ", line) for line in traps), traps[-9:])
messages = [line for line in lines if " → " in line or " ⇢ " in line]
check("messages say who, to whom, what and how much", messages and all(MESSAGE.match(line) for line in messages),
      [line for line in messages if not MESSAGE.match(line)][:3])
check("a file was opened by one", any("process-manager → FILE FILE_OPEN " in line for line in messages), messages[-9:])
check("a process came and went", any("is process" in line for line in lines) and any("actor deleted" in line for line in lines))

parsed = json.loads(tool("trace", name, "--json").out)["traceEvents"]
spans = [event for event in parsed if event["ph"] == "X"]
check("JSON for Perfetto", spans and all(event["dur"] > 0 and event["ts"] > 0 and event["tid"] > 0 for event in spans))
check("with its categories", {"trap", "message", "life"} <= {event["cat"] for event in parsed if event["ph"] != "M"})
named = {event["pid"] for event in parsed if event["ph"] == "M"}
check("and a name for everybody", all(event["pid"] in named for event in parsed), named)
few = tool("trace", name, "--count", "5")
check("the last five", few.status == 0 and len(few.out.splitlines()) == 5, few)

follow = subprocess.Popen([str(places.CHORUS), "trace", name, "--follow", "--count", "0"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
os.set_blocking(follow.stdout.fileno(), False)
seen = ""


def followed(pattern):
    global seen
    seen += (follow.stdout.read() or b"").decode()
    return re.search(pattern, seen)


def asks():
    """Until the follower has asked once, nobody knows from when on it follows."""
    site.send(b"/etc/hostname\n")
    return followed(r"\] read\(0, …\) = 1 ")


check("--follow shows what happens now", until(asks), seen[-300:])
before = len(seen)
site.send(b"/etc/no-such-file-here\n")
check("and goes on", until(lambda: followed(r"open(at)?\([^)]*\) = -2 ENOENT")), seen[before:][-300:])

rows = [line.split() for line in tool("ps", name, "--threads").out.splitlines()]
check("ps --threads: what each waits in", rows[0][:4] == ["THREAD", "ACTOR", "NAME", "STATE"] and any(
    "parked" in row and "clock_nanosleep" in row for row in rows), rows)
check("and since when", all(row[-1] in ("us", "ms", "s") for row in rows if "parked" in row), rows)
ports = tool("ports", name).out
check("ports name their actors", all(word in ports for word in ("process-manager", "file-manager", "device-manager", "pid 2 ")), ports)
regions = tool("regions", "2", name).out.splitlines()
check("regions of a process", len(regions) > 4 and any("r-x" in line for line in regions) and any(
    "anonymous" in line for line in regions), regions)
check("of none", tool("regions", "999999", name).status != 0)

check("the site ends as told", site.end() == 4)
try:
    follow.wait(PATIENCE)
except subprocess.TimeoutExpired:
    follow.send_signal(signal.SIGKILL)
    follow.wait()
check("and the follower with it", follow.returncode == 0, follow.returncode)
for arguments, why in ((["trace", name], "a site that is gone"), (["trace", name, "--count", "-1"], "a negative count")):
    result = tool(*arguments)
    check(f"refused: {why}", result.status != 0 and not result.out and "Fatal" not in result.err, result)
finish()
