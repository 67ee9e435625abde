import os
import tomllib

import places
from sitelib import MANIFEST, Site, check, finish, maps, tool

with open(places.manifest_file(MANIFEST), "rb") as stream:
    manifest = tomllib.load(stream)
name = f"actors-{os.getpid()}"
site = Site([places.BUSYBOX, "sh", "-c", "sleep 1000 & echo up; cat; kill $!; exit 3"], options=["--name", name])
check("the site is up", site.expect(b"up\n"), site.output)
everybody = site.host_processes()
wrong, homes = [], {}
for actor in manifest["actor"]:
    object_, privilege = os.path.basename(actor["object"]), actor.get("privilege", "supervisor")
    holders = [pid for pid in everybody if maps(pid, "/" + object_)]
    in_nucleus = [pid for pid in holders if maps(pid, "libNucleus.so")]
    if privilege == "supervisor" and (len(holders) != 1 or holders != in_nucleus):
        wrong.append(f"{actor['name']} is a supervisor but in {holders}")
    if privilege == "user":
        if len(holders) != 1 or in_nucleus:
            wrong.append(f"{actor['name']} is a user actor but in {holders}, nucleus {in_nucleus}")
        else:
            homes[actor["name"]] = holders[0]
check("every server is where the manifest says", not wrong, wrong)
check("no two share a host process", len(set(homes.values())) == len(homes), homes)
check("what `ps` says of privileges is so", all(
    any(line.split()[:2] == [actor["name"], actor.get("privilege", "supervisor")] for line in tool("ps", name).out.splitlines())
    for actor in manifest["actor"]), tool("ps", name).out)
told = {int(field) for line in tool("ps", name).out.splitlines() for field in line.split() if field.isdigit()}
check("and of host processes", all(pid in told for pid in homes.values()), (told, homes))
guests = [pid for pid in everybody if maps(pid, "/busybox")]
check("guests hold no server and no nucleus", guests == [] or not any(
    maps(pid, "libNucleus.so") or maps(pid, "libMiX") for pid in guests), guests)
for command in ("ps", "ports"):
    result = tool(command, name)
    check(f"chorus {command} answers", result.status == 0 and len(result.out.splitlines()) > 3, result)
check("the site ends as told", site.end() == 3)
result = tool("ps", name)
check("ps of a site that is gone: one line", result.status != 0 and len(result.err.splitlines()) == 1, result)
finish()
