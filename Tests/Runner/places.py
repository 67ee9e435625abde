"""Where things are, and the environment every guest and every native run gets."""
import os
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
BUILD = Path(os.environ.get("CHORUS_BUILD", ROOT / "build"))
CHORUS = BUILD / "bin" / "chorus"
MANIFESTS = BUILD / "manifests"
PROGRAMS = BUILD / "tests"
APPLETS = PROGRAMS / "applets"
# One a run: two runs at once must not meet.
SCRATCH = Path(os.environ.get("CHORUS_SCRATCH") or PROGRAMS / "scratch" / str(os.getpid()))
SCENARIOS = TESTS / "Scenarios"
BUSYBOX = "/bin/busybox"
HOST_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
# `mix` with every trap by signal: what the other three do where they cannot rewrite a call site.
SIGNALS = "mix-signals"
ALL_MANIFESTS = ["mix", "mix-user", "mix-mixed", SIGNALS]

ENVIRONMENT = {
    "PATH": str(APPLETS),
    "HOME": "/",
    "LC_ALL": "C",
    "TERM": "dumb",
    "TZ": "UTC0",
    "TESTS": str(PROGRAMS),
}


def manifest_file(name):
    if name == SIGNALS:
        return signals_manifest()
    return MANIFESTS / (name if name.endswith(".toml") else name + ".toml")


def signals_manifest():
    file = PROGRAMS / (SIGNALS + ".toml")
    text = (MANIFESTS / "mix.toml").read_text().replace("[subsystem]\n", "[subsystem]\nrewrite = false\n", 1)
    if not file.exists() or file.read_text() != text:
        new = file.with_suffix(f".{os.getpid()}")
        new.write_text(text)
        new.rename(file)  # two jobs may be at it
    return file


def chorus_run(manifest, argv, cwd, environment=None, options=()):
    """The command line that runs argv as a guest of a fresh site."""
    command = [str(CHORUS), "run", "--manifest", str(manifest_file(manifest)), "--cwd", str(cwd)]
    for key, value in (environment or ENVIRONMENT).items():
        command += ["--env", f"{key}={value}"]
    return command + list(options) + ["--"] + list(argv)
