import shutil
import subprocess
from pathlib import Path

import places
from sitelib import SCRATCH, check, finish, tool

FOLDER = SCRATCH / "manifests"
FOLDER.mkdir()
LIB = places.BUILD / "lib"
GOOD = places.manifest_file("mix").read_text()
SERVER = '[[actor]]\nname = "file-manager"\nobject = "libMiXFileManager.so"\ngroup = "FILE"\n'
HEAD = '[subsystem]\nname = "test"\n'


def refused(name, text, line, *words):
    """`check`, `run` and `boot` refuse it: one line, this file, this line, these words, and nothing of Swift's."""
    file = FOLDER / "m.toml"
    file.write_text(text + '[init]\nprogram = ["/bin/busybox", "true"]\n')
    for result in (tool("check", str(file)), tool("run", "--manifest", str(file), "--", places.BUSYBOX, "true"),
                   tool("boot", str(file))):
        place = f"{file}:{line}: " if line else f"{file}"
        lines = result.err.splitlines()
        good = (result.status != 0 and result.out == "" and len(lines) == 1 and place in lines[0]
                and all(word in lines[0] for word in words))
        if not good:
            check(name, False, result)
            return
    check(name, True)


refused("a bad privilege", HEAD + SERVER + 'privilege = "kernel"\n', 7, "privilege", '"kernel"', '"supervisor" or "user" would do')
refused("an unknown key", HEAD + SERVER + 'limts = {}\n', 7, "limts", "limits")
refused("an unknown table", HEAD + SERVER + '[[actors]]\n', 7, "actors", "actor")
refused("a wrong type", HEAD + SERVER + 'needs = "FILE"\n', 7, "needs", "array")
refused("an unknown group", HEAD + SERVER.replace("FILE", "file"), 6, "group")
refused("a need of nobody", HEAD + SERVER + 'needs = ["DEVICE"]\n', 3, "needs", "DEVICE")
refused("two of one name", HEAD + SERVER + SERVER.replace("FILE", "DEVICE"), 7, "name", "file-manager")
refused("a bad limit", HEAD + SERVER + 'limits = { memory = "lots" }\n', 7, "memory", "lots")
refused("a negative limit", HEAD + SERVER + 'limits = { threads = -1 }\n', 7, "threads")
refused("an unknown limit", HEAD + SERVER + 'limits = { files = 1 }\n', 7, "files")
refused("no object", HEAD + '[[actor]]\nname = "x"\n', 3, "object")
refused("no subsystem", SERVER, None, "subsystem")
refused("a mount without a place", HEAD + SERVER + '[[mount]]\ntype = "tmpfs"\n', 7, "at")
refused("two mounts at one place", HEAD + SERVER + 2 * '[[mount]]\nat = "/x"\ntype = "tmpfs"\n', 11, "at", "/x")
refused("a mount without a File Manager", HEAD + SERVER.replace("FILE", "DEVICE") + '[[mount]]\nat = "/x"\ntype = "tmpfs"\n', 8,
        "FILE")
refused("a mount at a relative place", HEAD + SERVER + '[[mount]]\nat = "x"\ntype = "tmpfs"\n', 8, "at", "absolute")
refused("an unended string", HEAD + SERVER + 'options = { a = "b }\n', 7)
refused("a key twice", HEAD + 'name = "again"\n' + SERVER, 3, "name")
refused("no TOML at all", "this is prose\n", 1)
refused("a circle of needs", HEAD + SERVER + 'needs = ["b"]\n' + '[[actor]]\nname = "b"\nobject = "libMiXDeviceManager.so"\n'
        'group = "DEVICE"\nneeds = ["file-manager"]\n', None, "needs")
(FOLDER / "m.toml").write_text(HEAD + SERVER + '[init]\nprogram = ["/bin/busybox", "true"]\n')
for words in (("run", "--manifest", str(FOLDER / "m.toml"), "true"), ("boot", str(FOLDER / "m.toml"))):
    result = tool(*words)
    check(f"{words[0]} without a Process Manager", result.status == 125 and "m.toml:3: " in result.err
          and "PROCESS" in result.err and len(result.err.splitlines()) == 1, result)
result = tool("run", "--help")
check("run --help", result.status == 0 and "USAGE: chorus run" in result.out, result)
result = tool("run", "--mainfest", "mix", "true")
check("an unknown option is no program", result.status == 64 and "--mainfest" in result.err, result)
result = tool("check", str(FOLDER / "none.toml"))
check("no such manifest", result.status != 0 and "none.toml" in result.err and len(result.err.splitlines()) == 1, result)

# Objects. Each stands for the File Manager; `wanted` are words of the refusal.
BUILT = SCRATCH / "objects"
BUILT.mkdir()
INCLUDE = places.BUILD / "include"


def compiled(name, source, *flags):
    (BUILT / f"{name}.c").write_text(source)
    subprocess.run(["gcc", "-shared", "-fPIC", "-I", str(INCLUDE), *flags, "-o", str(BUILT / f"{name}.so"), str(BUILT / f"{name}.c")],
                   check=True)
    return BUILT / f"{name}.so"


def object_refused(name, path, *words):
    refused(name, HEAD + SERVER.replace("libMiXFileManager.so", str(path)), 5, '"file-manager".object: ', str(path), *words)


ENTRY = "int kn_actor_main(void) { return 0; }\n"
NOTE = '#include <chorus/knNote.h>\n'
RAN = SCRATCH / "ran"
CONSTRUCTOR = f'#include <fcntl.h>\n__attribute__((constructor)) static void now(void) {{ open("{RAN}", O_CREAT | O_RDWR, 0600); }}\n'
object_refused("an object that is not there", "/no/such/object.so")
text = FOLDER / "text.so"
text.write_text("not an object\n")
object_refused("a text file", text)
empty = FOLDER / "empty.so"
empty.write_text("")
object_refused("an empty file", empty)
object_refused("a directory", FOLDER)
object_refused("an object without a note", compiled("bare", CONSTRUCTOR + ENTRY), "note")
object_refused("the nucleus as a server", LIB / "libNucleus.so", "nucleus", "server")
object_refused("a driver as a server", compiled("driver", CONSTRUCTOR + NOTE + 'KN_NOTE(K_KIND_DRIVER, "D", "1");\n' + ENTRY),
               "driver", "server")
object_refused("another major ABI", compiled("major", CONSTRUCTOR + '#include <chorus/knNote.h>\n#undef K_ABI_MAJOR\n#define K_ABI_MAJOR 2u\n'
                                             'KN_NOTE(K_KIND_SERVER, "S", "1");\n' + ENTRY), "ABI 2.", "ABI 1.")
object_refused("a newer minor ABI", compiled("minor", CONSTRUCTOR + '#include <chorus/knNote.h>\n#undef K_ABI_MINOR\n#define K_ABI_MINOR 9u\n'
                                             'KN_NOTE(K_KIND_SERVER, "S", "1");\n' + ENTRY), "1.9", "1.0")
object_refused("no entry", compiled("entry", CONSTRUCTOR + NOTE + 'KN_NOTE(K_KIND_SERVER, "S", "1");\nint other;\n'), "kn_actor_main")
good = bytearray((LIB / "libMiXFileManager.so").read_bytes())
for name, change, words in (("another machine", {18: 183}, ()), ("32 bits", {4: 1}, ()), ("the other byte order", {5: 2}, ())):
    changed = bytearray(good)
    for offset, value in change.items():
        changed[offset] = value
    path = BUILT / "changed.so"
    path.write_bytes(changed)
    object_refused(name, path, *words)
for size in (20, 100, 4000, len(good) // 2):
    path = BUILT / "cut.so"
    path.write_bytes(good[:size])
    object_refused(f"cut to {'a half' if size > 4000 else size}", path)
check("no constructor of a refused object ran", not RAN.exists())
(FOLDER / "good.toml").write_text(GOOD)
result = tool("run", "--manifest", str(FOLDER / "good.toml"), "--", places.BUSYBOX, "echo", "runs")
check("the shipped manifest, copied elsewhere, runs", result.status == 0 and result.out == "runs\n", result)
for folder in (FOLDER, BUILT):
    shutil.rmtree(folder)
RAN.unlink(missing_ok=True)
finish()
