import shutil

import places
from driverlib import OBJECTS, Shell, devices
from sitelib import SCRATCH, check, finish

SIZE = (1 << 20) + 1536
PROGRAM = places.PROGRAMS / "musl" / "blocks"

for privilege in ("supervisor", "user"):
    print(f"-- {privilege}", flush=True)
    image = SCRATCH / "disk.img"
    image.write_bytes(bytes(SIZE))
    shell = Shell(privilege, devices(("disk0", "virtio-blk", {"image": "disk.img"})), ["virtio-blk"])
    print("\n".join(line for line in shell(f"{PROGRAM} /dev/disk0").splitlines() if not line.startswith("==")), flush=True)
    said = shell(f"{PROGRAM} /dev/disk0 kept")
    check("what was written is in the image once it is closed", said.endswith("== 0") and image.read_bytes()[8 * 4096:9 * 4096] == b"k" * 4096, said)
    check("and nothing else was", image.read_bytes()[:4096] == b"a" * 4096 and len(image.read_bytes()) == SIZE)

    # Cached, and the driver is replaced: nothing is lost.
    said = shell("exec 6<>/dev/disk0; echo hello >&6")
    shutil.copy(OBJECTS / "virtio-blk.so", SCRATCH / "virtio-blk-2.so")
    said = shell.chorus("load", "--replace", str(SCRATCH / "virtio-blk-2.so"))
    check("replaced", said == "loaded, 1 instance", said)
    said = shell("exec 6>&-; head -c 6 /dev/disk0")
    check("what was not written back yet is not lost", said == "hello\n== 0" and image.read_bytes()[:6] == b"hello\n", said)

    shell.device("fail", "disk0", "seed:3,write-error:1000")
    said = shell(f"{PROGRAM} /dev/disk0 lost")
    shell.device("fail", "disk0")
    check("an error in writing back is told", "ok a write that the device does not take is an error of fsync" in said, said)
    shell.device("fail", "disk0", "seed:3,read-error:1000")
    check("one in reading too", "Input/output error" in (said := shell("dd if=/dev/disk0 of=/dev/null bs=4k count=1 2>&1")), said)
    shell.device("fail", "disk0")
    check("a read-only opener writes nothing", (said := shell("exec 6</dev/disk0; echo x >&6; r=$?; exec 6<&-; echo $r")) == "1\n== 0", said)

    shell(f"mkfifo /tmp/go; {PROGRAM} /dev/disk0 held < /tmp/go > /tmp/held 2>&1 &")
    shell("exec 7>/tmp/go; until grep -q held /tmp/held; do sleep 0.05; done")
    check("pulled out", (said := shell.device("remove", "--surprise", "disk0")) == "removed", said)
    said = shell("echo >&7; wait; cat /tmp/held")
    check("its users are told", said == "ok a byte before\nheld\nok none afterwards\nok nor where nobody has read\nok and no write lasts\n== 0", said)
    check("the site ends", (status := shell.site.end()) == 0, status)
finish()
