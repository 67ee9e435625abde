import os
import signal

import places
from sitelib import Site, alive, check, finish, maps, tool, until

BOX = places.BUSYBOX
count = 0


def boot(script):
    global count
    count += 1
    name = f"killed-{os.getpid()}-{count}"
    site = Site([BOX, "sh", "-c", script], options=["--name", name])
    if not check(f"site {count} is up", site.expect(b"up\n"), site.output):
        finish()
    return site, name


def guests(name):
    """guest pid -> (host pid, command), as `chorus ps` tells."""
    found = {}
    for line in tool("ps", name).out.splitlines()[1:]:
        fields = line.split()
        if not fields or not fields[0].isdigit():
            break
        found[int(fields[0])] = (int(fields[7]), fields[-1])
    return found


def nucleus_of(site):
    found = [pid for pid in site.host_processes() if maps(pid, "libNucleus.so") and maps(pid, "/bin/chorus")
             and not maps(pid, "chorus-actor-host")]
    return found[0] if len(found) == 1 else None


# A guest dies: its parent is told, the site goes on.
site, name = boot("sleep 1000 & echo up; wait $!; echo told $?; cat > /dev/null; echo on; exit 4")
named = lambda wanted: [host for host, command in guests(name).values() if command == wanted]


def settled(wanted, count):
    """Host processes of the guests of a name, once two looks agree: exec moves a guest to another host process."""
    looks = [[], []]

    def agree():
        looks.append(named(wanted))
        return len(looks[-1]) == count and looks[-1] == looks[-2] == looks[-3] and all(map(alive, looks[-1]))

    until(agree)
    return looks[-1]


sleepers = settled("sleep", 1)
check("ps shows the sleeper's host process", len(sleepers) == 1 and alive(sleepers[0]), guests(name))
for host in sleepers:
    os.kill(host, signal.SIGKILL)
check("its parent is told: 128+9", site.expect(b"told 137\n"), site.output)
status = site.end()
check("the site goes on", site.expect(b"on\n") and status == 4, f"{status} {site.output}")

# One that is blocked in a pipe read; the writer's end shows it.
site, name = boot("(echo up; exec cat 3>&1 > /dev/null) | { cat; sleep 0.1; echo end of file; }; cat > /dev/null; exit 5")
victims = settled("cat", 2)
check("two cats", len(victims) == 2, guests(name))
os.kill(max(victims), signal.SIGSTOP)  # stopped on the host: the site must not wait for it to die
for host in sorted(victims, reverse=True):  # the stopped one first: the other's end could make it end by itself
    try:
        os.kill(host, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has seen the end of the pipe in between
check("killed while blocked", until(lambda: not any(alive(host) for host in victims)))
status = site.end()
check("the shell goes on", status == 5, status)

# All guests at once but the first.
site, name = boot("for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo up; wait; echo all gone; exit 6")
sleepers = settled("sleep", 8)
check("eight sleepers", len(sleepers) == 8, guests(name))
for host in sleepers:
    os.kill(host, signal.SIGKILL)
check("all eight are missed", site.expect(b"all gone\n") and site.end() == 6, site.output)

# The site's own program.
site, name = boot("echo up; sleep 1000; exit 1")
first = [host for pid, (host, _) in sorted(guests(name).items())]
everybody = site.host_processes()
check("the first program's host process", len(first) >= 1, guests(name))
os.kill(first[0], signal.SIGKILL)
status = site.end()
check("its death ends the site with 137", status == 137, status)
check("and nobody stays", until(lambda: not any(alive(pid) for pid in everybody), 5))

# The nucleus, idle and at work; then the keeper.
BUSY = "i=0; while :; do /bin/busybox true | /bin/busybox cat; i=$((i+1)); [ $i = 5 ] && echo up; done"
for what, script in (("idle", "sleep 1000 & sleep 1000 & echo up; wait"), ("at work", BUSY)):
    site, name = boot(script)
    everybody = site.host_processes()
    nucleus = nucleus_of(site)
    check(f"the nucleus, {what}", nucleus is not None and len(everybody) > 4, everybody)
    os.kill(nucleus, signal.SIGKILL)
    status = site.end()
    check(f"killed {what}: the command ends, not with 0", status not in (0, "late"), status)
    check(f"killed {what}: nobody stays", until(lambda: not any(alive(pid) for pid in everybody), 5),
          [pid for pid in everybody if alive(pid)])
    site, name = boot(script)
    everybody = site.host_processes()
    os.kill(site.process.pid, signal.SIGKILL)
    site.end()
    check(f"the command itself killed {what}: nobody stays", until(lambda: not any(alive(pid) for pid in everybody), 5),
          [pid for pid in everybody if alive(pid)])
site, name = boot("trap 'echo caught; exit 9' TERM; sleep 1000 & echo up; wait")
everybody = site.host_processes()
os.kill(site.process.pid, signal.SIGTERM)
status = site.end()
check("a TERM for the command ends the site", status != "late", status)
check("and nobody stays", until(lambda: not any(alive(pid) for pid in everybody), 5))
finish()
