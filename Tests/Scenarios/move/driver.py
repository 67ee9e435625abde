import os
import threading

import places
import sitelib
from sitelib import Site, Terminal, check, finish, tool

BOX = places.BUSYBOX
HERE = {"mix": ("supervisor", "supervisor"), places.SIGNALS: ("supervisor", "supervisor"), "mix-user": ("user", "user"),
        "mix-mixed": ("user", "supervisor")}
SERVERS = ("file-manager", "device-manager")
OTHER = {"user": "supervisor", "supervisor": "user"}
ROUNDS = 6

# Files are written through a descriptor that stays open, appended to by name, renamed, listed, locked and mapped (exec).
LOAD = """
worker() {
    mkdir -p /tmp/m$1 && cd /tmp/m$1 || exit 1
    exec 7>open
    i=0
    while [ ! -e /tmp/stop ]; do
        echo "line $i" >&7
        echo "line $i" >> named.$((i % 2))
        mv named.$((i % 2)) named.$(((i + 1) % 2))
        i=$((i + 1))
        set -- $1 $(wc -l < open)
        [ "$2" = $i ] || echo "worker $1: $2 lines of $i"
        [ "$(ls | wc -l)" = 2 ] || echo "worker $1: $(ls)"
        [ "$(/usr/bin/flock lock.$1 echo locked; rm lock.$1)" = locked ] || echo "worker $1: no lock"
        read version < /proc/version || echo "worker $1: no proc"
    done
    cmp -s open named.$((i % 2)) || echo "worker $1: the files differ"
    [ $i -gt 2 ] && echo "worker $1 went on" || echo "worker $1: only $i rounds"
}
rm -f /tmp/stop
/usr/bin/flock -o /tmp/held sleep 1000 &
holder=$!
worker 1 & one=$!
worker 2 & two=$!
( until [ -e /tmp/held ]; do :; done; sleep 0.2; echo waiting; /usr/bin/flock /tmp/held echo "got the lock" ) & waiter=$!
while read word; do
    case $word in
    stop) : > /tmp/stop; wait $one $two; kill $holder; wait $waiter; echo stopped;;
    *) echo "read $word";;
    esac
done
echo end of input
"""

manifest = sitelib.MANIFEST
name = f"move-{os.getpid()}"
site = Site([BOX, "sh", "-c", LOAD], options=["--name", name])
check("it is up", site.expect(b"waiting\n"), site.output)
now = dict(zip(SERVERS, HERE[manifest]))


def move(server, to, site_name=name):
    done = tool("move", server, "--to", to, site_name)
    if done.status != 0 or f"{server} is in {to} privilege now" not in done.out:
        return str(done)
    return ""


def privileges():
    rows = [line.split() for line in tool("ps", name).out.splitlines()]
    return {row[0]: row[1] for row in rows if row and row[0] in SERVERS}


troubles = []
for _ in range(ROUNDS):
    for server in SERVERS:
        now[server] = OTHER[now[server]]
        troubles += filter(None, [move(server, now[server])])
    # What is read now was asked for before the move.
    site.send(b"word\n")
    if not site.expect(b"read word\n"):
        troubles.append(f"no word: {site.output[-300:]}")
    site.output = site.output.replace(b"read word\n", b"")
check("every move succeeds", not troubles, troubles[:3])
check("ps shows where they are", privileges() == now, privileges())
again = tool("move", SERVERS[0], "--to", now[SERVERS[0]], name)
check("there already", again.status == 0 and "already" in again.out, again)

pm = "supervisor" if manifest == "mix-user" else "user"
for words, reason in ((["process-manager", "--to", pm], "actors of its own"), (["nobody", "--to", "user"], "no server"),
                      (["file-manager", "--to", "moon"], "moon"), (["file-manager"], "--to")):
    refused = tool("move", *words, name)
    label = " ".join(words[:-1] + ["the other"]) if words[0] == "process-manager" else " ".join(words)
    check(f"refused: {label}", refused.status != 0 and reason in refused.err, refused)

site.send(b"stop\n")
check("the work is stopped", site.expect(b"stopped\n"), site.output)
lines = sorted(site.output.decode().split("\n"))
check("nobody noticed", lines == sorted(["waiting", "worker 1 went on", "worker 2 went on", "got the lock", "stopped", ""]), lines)
site.process.stdin.close()
check("input ends", site.expect(b"end of input\n"), site.output)
check("the site ends", (status := site.end()) == 0, status)

# A person at a terminal.
name = f"move-t-{os.getpid()}"
term = Terminal([BOX, "sh", "-c", "stty -icanon; stty icanon; echo up; while read -r line; do echo \"<$line>\"; done; echo over"],
                options=["--name", name])
check("a terminal", term.expect(r"up\r\n"), term.log)
to = HERE[manifest][1]
for word in ("one", "two", "three"):
    to = OTHER[to]
    term.send(word[:2])
    term.expect(word[:2])
    trouble = move("device-manager", to, name)
    term.send(word[2:] + "\r")
    check(f"a line across a move: {word}", not trouble and term.expect(rf"<{word}>\r\n"), trouble or term.log)
term.send("\x04")
check("end of file", term.expect(r"over\r\n") and term.status() == 0, term.log)
finish()
