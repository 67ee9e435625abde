import subprocess
import time

import places
from sitelib import SCRATCH, check, finish


def run(*words, cwd=SCRATCH):
    done = subprocess.run([str(word) for word in words], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout + done.stderr


for name, more in (("gauge", []), ("gauge-2", ["--swift"])):
    begun = time.monotonic()
    check(f"{name}: made", (said := run(places.CHORUS, "new", "driver", name, *more)) == (0, f"{name}: made. make -C {name} test\n"), said)
    folder = SCRATCH / name
    status, said = run("make", "-C", folder, "test")
    took = time.monotonic() - begun
    check(f"{name}: built, loaded, used and unloaded", status == 0 and f"{name}: loaded, used and unloaded" in said, said[-600:])
    check(f"{name}: within a minute", took < 60, took)
    left = sorted(file.name for file in folder.iterdir())
    source = f"{name}.swift" if more else f"{name}.c"
    check(f"{name}: nothing else is there", left == sorted(["Makefile", "README.md", source, f"{name}.so", f"{name}.toml", "test"]), left)
    text = (folder / source).read_text() + (folder / "Makefile").read_text()
    check(f"{name}: nothing of our sources is named", str(places.ROOT / "DriverKitStubs") not in text and "@" not in text.replace("@c(", "").replace(
        "$@", "").replace("\t@", ""), text)

# The test is one: a driver that computes something else fails it.
source = SCRATCH / "gauge/gauge.c"
source.write_text(source.read_text().replace("answer(d, s->load32(s->self, FACTORIAL));", "answer(d, 1 + s->load32(s->self, FACTORIAL));"))
status, said = run("make", "-C", SCRATCH / "gauge", "test")
check("a driver that is wrong fails its test", status != 0 and "the factorial of 10 is not 3628801" in said, said[-600:])
status, said = run(places.CHORUS, "new", "driver", "gauge")
check("a folder that is there is refused", status != 0 and "gauge: File exists" in said, said)
for name in ("", "9lives", "a b", "../x", "null", "x" * 32, "-h-"):
    status, said = run(places.CHORUS, "new", "driver", "--", name)
    check(f"no name: {name!r}", status != 0 and ("wanted are" in said or "is there already" in said), said)
finish()
