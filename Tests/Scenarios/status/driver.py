import os
import subprocess

import places
from sitelib import NATIVE, SCRATCH, WORK, check, finish, run

BOX = places.BUSYBOX


def status(name, wanted, argv, **more):
    result = run(argv, **more)
    check(name, result.status == wanted, result)
    return result


status("exit 0", 0, [BOX, "true"])
status("exit 1", 1, [BOX, "false"])
status("exit 3", 3, [BOX, "sh", "-c", "exit 3"])
status("exit 255", 255, [BOX, "sh", "-c", "exit 255"])
for number in (1, 2, 6, 9, 11, 13, 15):
    status(f"signal {number}", 128 + number, [BOX, "sh", "-c", f"kill -{number} $$; sleep 5"])
if NATIVE:  # what chorus says itself, natively a shell says
    status("missing program", 127, [BOX, "sh", "-c", "/no/such/program 2>/dev/null"])
    status("not executable", 126, [BOX, "sh", "-c", "/etc/passwd 2>/dev/null"])
    status("a directory", 126, [BOX, "sh", "-c", "/etc 2>/dev/null"])
else:
    for name, wanted, program in (("missing program", 127, "/no/such/program"), ("not executable", 126, "/etc/passwd"),
                                  ("a directory", 126, "/etc")):
        result = status(name, wanted, [program])
        lines = result.err.decode().splitlines()
        if len(lines) != 1 or program not in lines[0]:
            check(f"{name}: one line that names it", False, result)

result = status("standard output is a pipe", 0, [BOX, "sh", "-c", "echo out; echo err >&2"])
check("and gets what was written", result.out == b"out\n", result)
check("standard error too", result.err == b"err\n", result)
data = bytes(range(256)) * 4096
result = status("a megabyte through both pipes", 0, [BOX, "cat"], stdin=data)
check("unchanged", result.out == data, len(result.out))
result = status("standard input at its end", 0, [BOX, "wc", "-c"])
check("is empty", result.out.split() == [b"0"], result)
result = status("/dev/null as input", 0, [BOX, "wc", "-c"], stdin=subprocess.DEVNULL)
check("is empty too", result.out.split() == [b"0"], result)
with open("/dev/null", "wb") as null:
    status("/dev/null as output", 0, [BOX, "seq", "100000"], stdout=null)
with open(SCRATCH / "output", "wb") as file:
    status("a file as output", 0, [BOX, "seq", "1000"], stdout=file)
check("holds all", (SCRATCH / "output").read_bytes() == b"".join(b"%d\n" % n for n in range(1, 1001)))
os.unlink(SCRATCH / "output")
reader, writer = os.pipe()
os.close(reader)
with os.fdopen(writer, "wb") as broken:
    status("nobody reads the output: SIGPIPE", 141, [BOX, "yes"], stdout=broken)
result = run([BOX, "sh", "-c", "test -t 0 || test -t 1 || test -t 2 || echo none"])
check("pipes are no terminals", result.out == b"none\n", result)
result = run([BOX, "head", "-n", "1"], stdin=b"one\ntwo\n")
check("reading only a part", result.out == b"one\n" and result.status == 0, result)

environment = dict(places.ENVIRONMENT, COLOUR="a b=c", EMPTY="")
result = run([BOX, "sh", "-c", 'echo "$COLOUR|${EMPTY-unset}|${NOTHERE-unset}"'], environment=environment)
check("environment", result.out == b"a b=c||unset\n", result)
os.environ["LEAK"] = "1"
result = run([BOX, "env"])
check("nothing leaks into it", b"LEAK" not in result.out and b"SITE_" not in result.out, result)
result = run([BOX, "pwd"], cwd="/usr/bin")
check("directory", result.out == b"/usr/bin\n", result)
result = run([BOX, "sh", "-c", 'echo "$0 $# $1"', "zero", "--", "-x"])
check("arguments are the program's", result.out == b"zero 2 --\n", result)
result = run([BOX, "sh", "-c", "echo changed > kept; cat kept; ls"])
check("it may write where it is", result.out.startswith(b"changed\n"), result)
if NATIVE:  # only a site has a layer of memory and another root
    print("ok in memory only\nok another root\nok which is not changed\nok no such directory to start in")
else:
    check("in memory only", not os.path.exists(os.path.join(WORK, "kept")))
    tree = SCRATCH / "root"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "busybox").write_bytes(open(BOX, "rb").read())
    (tree / "bin" / "busybox").chmod(0o755)
    (tree / "note").write_text("inside\n")
    command = [str(places.CHORUS), "run", "--manifest", str(places.manifest_file(os.environ["SITE_MANIFEST"])),
               "--root", str(tree), "--", "/bin/busybox", "sh", "-c",
               "cat /note; echo new > /note; cat /note; ls -d /usr 2>/dev/null; cat ../../../note; exit 5"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    check("another root", done.stdout == b"inside\nnew\nnew\n" and done.returncode == 5, done)
    check("which is not changed", (tree / "note").read_text() == "inside\n")
    (tree / "note").unlink(), (tree / "bin" / "busybox").unlink(), (tree / "bin").rmdir(), tree.rmdir()
    for name, arguments in (("no such root", ["--root", "/no/such/dir", "--", BOX]), ("no program", []),
                            ("no such manifest", ["--manifest", "nowhere.toml", "--", BOX]),
                            ("no such option", ["--colour", "--", BOX]), ("a bad variable", ["--env", "=x", "--", BOX])):
        done = subprocess.run([str(places.CHORUS), "run", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=20)
        text = done.stderr.decode()
        if done.returncode == 0 or not text.strip() or "Fatal" in text or len(text.splitlines()) > 4:
            check(f"{name}: one clear refusal", False, done)
    done = subprocess.run(places.chorus_run(os.environ["SITE_MANIFEST"], [BOX, "true"], "/no/such/directory", None, ()),
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    check("no such directory to start in", done.returncode == 125 and b"/no/such/directory" in done.stderr
          and b"busybox" not in done.stderr, done)
finish()
