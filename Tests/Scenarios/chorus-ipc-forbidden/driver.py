import places
import sitelib
from sitelib import check, finish, run

client = str(places.PROGRAMS / "musl" / "chorus-client")
if not sitelib.NATIVE:
    text = places.manifest_file(sitelib.MANIFEST).read_text()
    forbidding = sitelib.SCRATCH / "forbidding.toml"
    forbidding.write_text(text.replace("[subsystem]\n", "[subsystem]\nipc = false\n", 1))
    sitelib.MANIFEST = str(forbidding)
result = run([client])
check("the client is told so", result.status == 0 and result.out == b"ok no CHORUS IPC\nall good\n", result)
finish()
