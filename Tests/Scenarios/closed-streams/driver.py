import os
import subprocess

import places
from sitelib import PATIENCE, WORK, check, command, finish

# Each stream that is closed adds its bit to the status.
SCRIPT = "s=0; read line || s=1; echo out || s=$((s+2)); echo err >&2 || s=$((s+4)); exit $s"
for closed in ((), (0,), (1,), (2,), (0, 1), (0, 1, 2)):
    process = subprocess.Popen(
        command([places.BUSYBOX, "sh", "-c", SCRIPT]), cwd=WORK, env=places.ENVIRONMENT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: [os.close(number) for number in closed])
    name = "closed: " + (" ".join(map(str, closed)) or "none")
    try:
        out, err = process.communicate(b"line\n", timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        check(name, False, "late")
        continue
    wanted = sum(1 << number for number in closed)
    good = process.returncode == wanted and out == (b"" if 1 in closed else b"out\n")
    # The shell complains of a closed output.
    good = good and (err == b"" if 2 in closed else err.endswith(b"err\n") and (1 in closed or err == b"err\n"))
    check(name, good, (process.returncode, out, err))
finish()
