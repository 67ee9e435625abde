import os
import signal

import sitelib
from sitelib import Site, alive, check, finish, tool, until

import places

BOX = places.BUSYBOX
sitelib.NATIVE = False
# Runs what it reads, and says what read(2) met when it is over.
SHELL = "echo up; while read line; do eval \"$line\"; done; exit 9"


def boot(manifest, script=SHELL):
    sitelib.MANIFEST = manifest
    name = f"server-{os.getpid()}-{len(sites)}"
    sites.append(name)
    site = Site([BOX, "sh", "-c", script], options=["--name", name])
    if not check(f"{manifest} is up", site.expect(b"up\n"), site.output):
        finish()
    return site, name


def kill_server(name, server):
    rows = [line.split() for line in tool("ps", name).out.splitlines()]
    hosts = [int(row[5]) for row in rows if row[:2] == [server, "user"]]
    if check(f"{server} has a host process", len(hosts) == 1, rows):
        os.kill(hosts[0], signal.SIGKILL)
        until(lambda: not alive(hosts[0]))


sites = []
for manifest in ("mix-user", "mix-mixed"):
    site, name = boot(manifest)
    kill_server(name, "file-manager")
    site.send(b"cat /etc/passwd || echo no file\n")
    check("a file: an error", site.expect(b"no file\n"), site.output)
    site.send(b"busybox true || echo no exec\n")
    check("an exec: an error", site.expect(b"no exec\n"), site.output)
    site.send(b"(echo forked)\n")
    check("what needs no file goes on", site.expect(b"forked\n"), site.output)
    site.send(b"exit 5\n")
    check("the program ends the site", site.end() == 5)

site, name = boot("mix-user")
everybody = site.host_processes()
kill_server(name, "device-manager")
check("a read that waits for the console ends", (status := site.end()) == 9, status)
check("nobody stays", until(lambda: not any(alive(pid) for pid in everybody), 5))

for script in (SHELL, "echo up; while :; do :; done", "echo up; while :; do (:); done"):
    site, name = boot("mix-user", script)
    everybody = site.host_processes()
    kill_server(name, "process-manager")
    check("without a Process Manager the site ends, and says so", (status := site.end()) == 125, status)
    check("nobody stays", until(lambda: not any(alive(pid) for pid in everybody), 5))

site, name = boot("mix-user", "echo up; sleep 1000")
os.killpg(site.process.pid, signal.SIGTERM)
_, error = site.process.communicate(timeout=sitelib.PATIENCE)
check("a TERM for the process group ends the site without a word", site.process.returncode == 143 and error == b"",
      (site.process.returncode, error))
finish()
