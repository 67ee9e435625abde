"""What scenarios about drivers share: a manifest with a drivers' home and devices, a guest's shell, and questions to the site
without a process for each."""
import os
import re
import socket
import subprocess

import places
import sitelib
from sitelib import SCRATCH, Site, tool, until

OBJECTS = places.BUILD / "drivers"
TORTURE = SCRATCH / "torture"
SHELL = "while read -r line; do eval \"$line\"; echo \"== $?\"; done"
sitelib.NATIVE = False


def table(head, **keys):
    return f"\n[[{head}]]\n" + "".join(f"{key} = {value if isinstance(value, int) else chr(34) + str(value) + chr(34)}\n"
                                       for key, value in keys.items())


def devices(*descriptions):
    """[[device]] tables of ("NAME", "MODEL", key=value ...)."""
    return "".join(table("device", name=name, model=model, **more) for name, model, more in descriptions)


def manifest(privilege, bus, drivers):
    """The shipped manifest with a drivers' home, the bus's devices (TOML) and the drivers, each a name or (name, keys); its path."""
    shipped = (places.MANIFESTS / ("mix-user.toml" if privilege == "user" else "mix.toml")).read_text()
    home = f'[[actor]]\nname = "drivers"\nobject = "libDriverKitStubs.so"\nprivilege = "{privilege}"\ngroup = "DRIVER"\nneeds = ["DEVICE"]\n\n'
    loaded = "".join(table("driver", object=f"{name}.so", **keys)
                     for name, keys in (driver if isinstance(driver, tuple) else (driver, {}) for driver in drivers))
    file = SCRATCH / f"drivers-{privilege}.toml"
    file.write_text(shipped.replace('[[actor]]\nname = "process-manager"', home + '[[actor]]\nname = "process-manager"') + bus + loaded)
    return str(file)


def build_torture():
    subprocess.run(["make", "-s", "-C", str(places.ROOT / "DriverKitStubs/Drivers/torture"), f"INCLUDE={places.BUILD}/include",
                    f"OUT={TORTURE}"], check=True)


class Shell:
    """A guest's shell that is told lines and answers with what they print and their status."""

    def __init__(self, privilege, bus, drivers):
        self.privilege = privilege
        self.name = f"drivers-{privilege}-{os.getpid()}"
        sitelib.MANIFEST = manifest(privilege, bus, drivers)
        self.log_file = SCRATCH / f"log-{privilege}"
        self.log_file.unlink(missing_ok=True)
        self.site = Site([places.BUSYBOX, "sh", "-c", SHELL],
                         options=["--name", self.name, "--log", "info", "--log", str(self.log_file)])
        self("true")  # it is up

    def __call__(self, line, limit=60):
        self.site.output = b""
        self.site.send(line.encode() + b"\n")
        if not re.search(rb"== \d+\n", self.site.output) and not until(lambda: self.site.expect(b"== ", 1), limit):
            return f"no answer: {self.site.output[-200:]!r}"
        return self.site.output.decode("utf-8", "replace").strip()

    def chorus(self, *words):
        done = tool(*words, self.name, limit=60)
        return (done.out + done.err).strip()

    def device(self, *words):
        done = tool("device", *words, "--site", self.name, limit=60)
        return (done.out + done.err).strip()

    def ask(self, *words):
        """A question to the control socket, as `chorus` asks it: its answer, or "error WHY"."""
        directory = os.environ.get("XDG_RUNTIME_DIR", "")
        directory = f"{directory}/chorus" if directory.startswith("/") else f"/tmp/chorus-{os.getuid()}"
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"{directory}/{self.name}.sock")
            control.sendall(" ".join(str(word).replace(" ", "\\040") for word in words).encode() + b"\n")
            answer = b""
            while chunk := control.recv(65536):
                answer += chunk
        text = answer.decode("utf-8", "replace")
        return text[3:].strip() if text.startswith("ok\n") else text.strip()

    @property
    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def home(self):
        """The host process that has the drivers."""
        rows = [line.split() for line in self.ask("ps").splitlines()]
        if self.privilege == "user":
            return next(int(row[row.index("user") + 4]) for row in rows if row[:2] == ["drivers", "user"])
        return next(pid for pid in self.site.host_processes() if sitelib.maps(pid, "libNucleus.so"))
