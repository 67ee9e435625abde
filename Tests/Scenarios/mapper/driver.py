import subprocess

import places
from sitelib import MANIFEST, SCRATCH, WORK, check, finish

ACTOR = """
[[actor]]
name = "{name}"
object = "{places.PROGRAMS}/subsystems/mapper.so"
privilege = "{privilege}"
options = {{ {options} }}
"""


def actor(name, privilege, options=""):
    return ACTOR.format(name=name, places=places, privilege=privilege, options=options)


# The well-behaved one as the manifest's servers are; those that die or are ended have processes of their own.
privilege = "supervisor" if MANIFEST in ("mix", places.SIGNALS) else "user"
text = places.manifest_file(MANIFEST).read_text()
text += actor("mapper", privilege) + actor("dying", "user", "stamp = 0x4d415031") + actor("silent", "user", "stamp = 0x4d415032")
manifest = SCRATCH / "mapper.toml"
manifest.write_text(text)
argv = places.chorus_run(str(manifest), [str(places.PROGRAMS / "musl" / "mapped")], WORK)
done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=80)
print(done.stdout, end="")
good = check("it ends well", done.returncode == 0, done.returncode)
if not good or "FAIL" in done.stdout:
    print(done.stderr[-2000:])
finish()
