"""One scenario on one manifest, in a process of its own (a subreaper). Prints one JSON object."""
import difflib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
import hostwatch
import places
import scenario as scenarios

EPOCH = 1577836800  # every prepared file bears this time, so listings are the same everywhere
NATIVE = "native"
NO_SITE = "-"  # a scenario that runs once, on no manifest


class Outcome:
    def __init__(self, stdout, stderr, status, late):
        self.stdout, self.stderr, self.status, self.late = stdout, stderr, status, late


def execute(argv, cwd, limit, stdin=None, environment=None):
    """Runs argv; at the limit kills it with all it started. A signal becomes 128+n, as a shell reports it."""
    source = open(stdin, "rb") if stdin else subprocess.DEVNULL
    process = subprocess.Popen(
        argv, cwd=cwd, env=environment or places.ENVIRONMENT, stdin=source, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True)
    collected = [[], []]

    def collect(stream, into):
        while chunk := os.read(stream.fileno(), 65536):
            into.append(chunk)

    threads = [threading.Thread(target=collect, args=pair, daemon=True)
               for pair in ((process.stdout, collected[0]), (process.stderr, collected[1]))]
    for thread in threads:
        thread.start()
    late = False
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        late = True
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        hostwatch.kill_below()
    for thread in threads:
        thread.join(hostwatch.GRACE)
    if stdin:
        source.close()
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Outcome(b"".join(collected[0]), b"".join(collected[1]), status, late)


def prepare(scenario, folder):
    """The working directory: the scenario's tree/ and script, then what its `prepare` script adds."""
    work = folder / "work"
    tree = scenario.folder / "tree"
    if tree.exists():
        shutil.copytree(tree, work, symlinks=True)
    else:
        work.mkdir(parents=True)
    for name in ("script", "commands"):
        if (scenario.folder / name).exists():
            shutil.copyfile(scenario.folder / name, work / name)
    if (scenario.folder / "prepare").exists():
        subprocess.run([places.BUSYBOX, "sh", str(scenario.folder / "prepare")], cwd=work, check=True,
                       env=places.ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    for base, folders, files in os.walk(work):
        for name in folders + files:
            os.utime(os.path.join(base, name), (EPOCH, EPOCH), follow_symlinks=False)
    os.utime(work, (EPOCH, EPOCH))
    return work


def plant_canary(folder):
    """Files of every kind that a guest might damage."""
    canary = folder / "canary"
    canary.mkdir()
    (canary / "plain").write_text("untouched\n")
    (canary / "empty").write_text("")
    (canary / "secret").write_text("closed\n")
    (canary / "secret").chmod(0)
    (canary / "program").write_text("#!/bin/busybox sh\necho ran\n")
    (canary / "program").chmod(0o755)
    (canary / "folder").mkdir()
    (canary / "folder" / "inner").write_text("inner\n")
    (canary / "link").symlink_to("plain")
    os.mkfifo(canary / "fifo")
    return canary


def diff(title, wanted, got):
    lines = list(difflib.unified_diff(
        wanted.decode("utf-8", "backslashreplace").splitlines(), got.decode("utf-8", "backslashreplace").splitlines(),
        f"{title} wanted", f"{title} here", lineterm="", n=2))
    if not lines:
        lines = [f"{title}: differs only in line ends: {wanted[-40:]!r} / {got[-40:]!r}"]
    if len(lines) > 60:
        lines = lines[:60] + [f"… {len(lines) - 60} more lines"]
    return lines


def own_lines(stderr):
    """stderr without the site's own log lines, which begin with `chorus`."""
    return b"".join(line for line in stderr.splitlines(keepends=True) if not line.startswith(b"chorus"))


def compare_with(reference, outcome, scenario):
    problems = []
    if outcome.stdout != reference.stdout:
        problems += diff("stdout", reference.stdout, outcome.stdout)
    if outcome.status != reference.status:
        problems.append(f"exit status {outcome.status}, natively {reference.status}")
    mine, theirs = own_lines(outcome.stderr), own_lines(reference.stderr)
    if scenario.stderr == "exact" and mine != theirs:
        problems += diff("stderr", theirs, mine)
    if scenario.stderr == "class" and bool(mine) != bool(theirs):
        problems += diff("stderr", theirs, mine)
    return problems


def check_expected(scenario, outcome):
    problems = []
    if outcome.status != scenario.status:
        problems.append(f"exit status {outcome.status}, expected {scenario.status}")
    if scenario.expected is not None and outcome.stdout != scenario.expected:
        problems += diff("stdout", scenario.expected, outcome.stdout)
    if problems and outcome.stderr:
        problems += ["stderr was:"] + outcome.stderr.decode("utf-8", "backslashreplace").splitlines()[-15:]
    return problems


def command_of(scenario, variant, manifest, folder, work):
    """What to execute, and in which environment."""
    environment = dict(places.ENVIRONMENT, **scenario.environment, CANARY=str(folder / "canary"))
    if scenario.driver:
        host = dict(os.environ, PYTHONPATH=str(places.TESTS / "Runner"), PYTHONDONTWRITEBYTECODE="1",
                    SITE_MANIFEST=manifest, SITE_VARIANT=variant, SITE_SET=os.environ.get("SITE_SET", "sample"),
                    SITE_WORK=str(work), SITE_SCRATCH=str(folder), LC_ALL="C")
        return [sys.executable, str(scenario.driver)], host
    argv = [part.replace("{tests}", str(places.PROGRAMS)).replace("{variant}", variant) for part in scenario.command]
    if manifest in (NATIVE, NO_SITE):
        return argv, environment
    return places.chorus_run(manifest, argv, work, environment), environment


def ordinary_signals():
    """What our starter ignores or blocks (nohup, a shell's `&`) must not reach what we start, here or natively."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # these two subprocess resets
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def run(name, variant, manifest):
    ordinary_signals()
    scenario = scenarios.load(places.SCENARIOS / name)
    folder = places.SCRATCH / f"{name}{variant}.{manifest}.{os.getpid()}"
    folder.mkdir(parents=True)
    os.umask(0o022)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hostwatch.become_subreaper()
    work = prepare(scenario, folder)
    if scenario.canary:
        plant_canary(folder)
    argv, environment = command_of(scenario, variant, manifest, folder, work)
    native = manifest == NATIVE
    watched = work if scenario.driver else folder  # a driver's own files stand beside the working directory
    before = {} if native else hostwatch.fingerprint(watched)
    system = {} if native else hostwatch.system_fingerprint()
    sockets = None
    if scenario.canary and not native:
        sockets = hostwatch.SocketWatch()
        sockets.start()

    started = time.monotonic()
    outcome = execute(argv, work, scenario.limit, scenario.stdin, environment)
    seconds = time.monotonic() - started

    problems = []
    if outcome.late:
        problems.append(f"over its limit of {scenario.limit:g} s; killed")
    if native:
        hostwatch.kill_below()
    else:
        for pid, (command, state) in hostwatch.leftovers().items():
            problems.append(f"host: process {pid} ({command}, {state}) was left behind")
        hostwatch.kill_below()
        problems += hostwatch.difference(before, hostwatch.fingerprint(watched))
        problems += hostwatch.difference(system, hostwatch.system_fingerprint())
    if sockets:
        problems += sockets.finish()
    problems += check_expected(scenario, outcome)
    if scenario.native and scenario.oracle_here() and not outcome.late:
        if native:  # the oracle itself must be steady: once more, in a fresh directory of the same name
            shutil.rmtree(work)
            prepare(scenario, folder)
        reference_argv, reference_environment = command_of(scenario, variant, NATIVE, folder, work)
        reference = execute(reference_argv, work, scenario.limit, scenario.stdin, reference_environment)
        hostwatch.kill_below()
        if reference.late:
            problems.append("the native run was over the limit")
        problems += compare_with(reference, outcome, scenario)
    if not problems or not os.environ.get("CHORUS_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)
    notes = outcome.stderr.decode("utf-8", "backslashreplace").splitlines() if scenario.driver else []
    return {"problems": problems, "notes": [line for line in notes if line.startswith("note: ")], "seconds": seconds}


if __name__ == "__main__":
    try:
        result = run(*sys.argv[1:4])
    except Exception as error:  # a broken scenario is a failure with a name, never a silent one
        hostwatch.kill_below()
        result = {"problems": [f"runner: {type(error).__name__}: {error}"], "seconds": 0.0}
    print(json.dumps(result))
