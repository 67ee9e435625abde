import re
import subprocess

import places
from sitelib import check, finish

LIB = places.BUILD / "lib"
SERVERS = sorted(path.name for path in LIB.glob("libMiX*.so"))


def symbols(name, kind):
    # Of external binding alone: gold keeps local symbols there as well, for relocations; nothing can be bound to them.
    text = subprocess.run(["nm", "-D", "--extern-only", kind, str(LIB / name)], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in text.splitlines() if line.split()}


def needed(name):
    text = subprocess.run(["readelf", "-d", str(LIB / name)], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", text))


check("four servers are built", {f"libMiX{name}Manager.so" for name in ("Device", "File", "Process", "Socket")} <= set(SERVERS),
      SERVERS)
for name in SERVERS:
    exported, missing = symbols(name, "--defined-only"), symbols(name, "--undefined-only")
    others = set().union(*(symbols(other, "--defined-only") for other in SERVERS + ["libNucleus.so"] if other != name))
    label = name.removeprefix("lib").removesuffix(".so")
    check(f"{label} exports its entry alone", exported == {"kn_actor_main"}, sorted(exported)[:5])
    check(f"{label} needs no symbol of another", not missing & others, sorted(missing & others)[:5])
    check(f"{label} needs no nucleus call by name", not [s for s in missing if re.match(r"(kn|Kn|sv|ipc|grp|port|actor|rgn|sg)[A-Z_]", s)],
          sorted(missing)[:5])
    check(f"{label} is linked to no other", not [n for n in needed(name) if n.startswith(("libMiX", "libNucleus"))], needed(name))
check("the nucleus exports its boot table alone", symbols("libNucleus.so", "--defined-only") == {"kn_boot"},
      sorted(symbols("libNucleus.so", "--defined-only"))[:5])
check("the nucleus is linked to no server", not [n for n in needed("libNucleus.so") if n.startswith("libMiX")])
linked = subprocess.run(["readelf", "-d", str(places.CHORUS)], check=True, capture_output=True, text=True).stdout
check("the command is linked to none of them", "libMiX" not in linked and "libNucleus" not in linked)
notes = [subprocess.run(["readelf", "-n", str(LIB / name)], capture_output=True, text=True).stdout for name in SERVERS]
check("every server bears the note", all("CHORUS" in note for note in notes))
finish()
