import re
import shutil
import subprocess

import places
from driverlib import Shell, devices
from sitelib import SCRATCH, check, finish

FROZEN = places.TESTS / "Abi/driver-1.0"
KEPT, NULL = SCRATCH / "kept.so", SCRATCH / "null.so"


def run(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, **more)
    return done.returncode, (done.stdout + done.stderr).strip()


built = run("cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-z,defs", f"-I{FROZEN}",
            "-o", str(KEPT), str(FROZEN / "kept.c"))
check("the kept driver is built from the kept headers alone", built == (0, ""), built)

# The tree somewhere else: the file finds its headers from where it stands.
moved = SCRATCH / "moved"
shutil.copytree(places.BUILD / "include", moved / "include")
shutil.copytree(places.BUILD / "lib/pkgconfig", moved / "lib/pkgconfig")
searched = {"PATH": "/usr/bin:/bin", "PKG_CONFIG_LIBDIR": str(moved / "lib/pkgconfig")}
status, flags = run("pkg-config", "--cflags", "chorus-driver", env=searched)
include = re.search(r"-I(\S+)", flags)
check("pkg-config knows the driver ABI", status == 0 and include and (SCRATCH / include[1] / "driver.h").samefile(moved / "include/driver.h"), flags)
version = run("pkg-config", "--modversion", "chorus-driver", env=searched)
numbers = re.findall(r"#define DRV_ABI_M[AI][JN]OR (\d+)u", (moved / "include/driver/drvTypes.h").read_text())
check("and its version", version == (0, ".".join(numbers)), (version, numbers))
source = places.ROOT / "DriverKitStubs/Drivers/null/null.c"
built = run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", *flags.split(), "-o", str(NULL), str(source))
check("a driver is built by its flags alone", built == (0, ""), built)
linked = run("pkg-config", "--cflags", "--libs", "chorus-driver", env=searched)[1].split()
(SCRATCH / "wrong.c").write_text(source.read_text().replace("return 0;", "extern int nobody(void); return nobody();"))
built = run("cc", "-std=c11", *linked, "-o", str(SCRATCH / "wrong.so"), str(SCRATCH / "wrong.c"))
check("its link flags say what nobody defines", built[0] != 0 and "undefined reference to `nobody'" in built[1], built)

for privilege in ("supervisor", "user"):
    print(f"-- {privilege}", flush=True)
    shell = Shell(privilege, devices(("teach", "edu", {})), [])
    check("loaded", (said := shell.chorus("load", str(KEPT))) == "loaded, 1 instance", said)
    check("it may log", "driver kept at teach: here as in 1.0" in shell.log, shell.log[-300:])
    said = shell("exec 5<>/dev/kept; for n in 5 7; do echo $n >&5; head -n 1 <&5; done; exec 5>&-")
    check("it serves", said == "".join(f"{n} edu query 256-bytes alive copies waits asks\n" for n in (120, 5040)) + "== 0", said)
    said = shell("dd if=/dev/urandom of=/tmp/data bs=64k count=4 2>/dev/null; dd if=/tmp/data of=/dev/keptdisk bs=64k 2>/dev/null; "
                 "dd if=/dev/keptdisk bs=9999 2>/dev/null | cmp - /tmp/data")
    check("as a disk too", said == "== 0", said)
    shell("exec 6</dev/keptdisk")
    check("its users hold it", "keptdisk is open (1)" in (said := shell.chorus("unload", "kept")), said)
    shell("exec 6<&-")
    check("unloaded", (said := shell.chorus("unload", "kept")) == "unloaded", said)
    check("and nothing left behind", "left behind" not in shell.log and "kept.so" not in open(f"/proc/{shell.home()}/maps").read(), shell.log[-300:])
    said = shell.chorus("load", str(NULL)) + "\n" + shell("echo x > /dev/drvnull; wc -c < /dev/drvnull")
    check("the one that pkg-config built", said == "loaded, 1 instance\n0\n== 0", said)
    check("the site ends", (status := shell.site.end()) == 0, status)
finish()
