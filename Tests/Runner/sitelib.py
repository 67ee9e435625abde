"""What a scenario's driver.py uses: the site's command line, runs to the end, terminals, host processes, and checks.

A driver prints one line a check; its output is compared with the scenario's `expected` like a guest's."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import hostwatch
import places

MANIFEST = os.environ["SITE_MANIFEST"]
NATIVE = MANIFEST == "native"
WORK = os.environ["SITE_WORK"]
SCRATCH = Path(os.environ["SITE_SCRATCH"])
PATIENCE = 15.0

failures = 0


def check(name, good, detail=""):
    global failures
    if good:
        print(f"ok {name}", flush=True)
    else:
        failures += 1
        print(f"FAIL {name}: {detail}", flush=True)
    return good


def finish():
    print("all good" if failures == 0 else f"{failures} failures", flush=True)
    sys.exit(1 if failures else 0)


def command(argv, cwd=WORK, environment=None, options=()):
    if NATIVE:
        return list(argv)
    return places.chorus_run(MANIFEST, argv, cwd, environment, options)


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __str__(self):
        return f"status {self.status}, stdout {(self.out or '')[-300:]!r}, stderr {(self.err or '')[-300:]!r}"


def run(argv, stdin=b"", cwd=WORK, environment=None, options=(), limit=PATIENCE, **more):
    """Runs argv to its end; a signal shows as 128+n, as a shell says it."""
    process = subprocess.Popen(
        command(argv, cwd, environment, options), cwd=cwd, env=environment or places.ENVIRONMENT,
        stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin, stdout=more.get("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = process.communicate(stdin if isinstance(stdin, bytes) else None, timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return Result("late", out, err)
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Result(status, out, err)


def tool(*arguments, limit=PATIENCE):
    """Runs `chorus ARGUMENTS`."""
    done = subprocess.run([str(places.CHORUS), *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=limit)
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def until(condition, limit=PATIENCE):
    """Polls until the condition holds; its last value."""
    end = time.monotonic() + limit
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return value


def alive(pid):
    found = hostwatch.processes().get(pid)
    return found is not None and found[2] not in "ZX"


def maps(pid, text):
    """Whether the host process has a file whose name contains `text` in its memory."""
    try:
        return text in Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        return False


class Site:
    """A guest running in the background, with pipes."""

    def __init__(self, argv, options=()):
        self.process = subprocess.Popen(command(argv, options=options), cwd=WORK, env=places.ENVIRONMENT,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        start_new_session=True)
        self.output = b""

    def expect(self, text, limit=PATIENCE):
        end = time.monotonic() + limit
        stream = self.process.stdout.fileno()
        while text not in self.output and time.monotonic() < end:
            if select.select([stream], [], [], 0.1)[0]:
                chunk = os.read(stream, 65536)
                if not chunk:
                    break
                self.output += chunk
        return text in self.output

    def send(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def host_processes(self):
        """Its host processes: the command itself and all below it."""
        return [self.process.pid] + list(hostwatch.descendants(self.process.pid))

    def end(self, limit=PATIENCE):
        """The exit status, after end of input; `late` when it has to be killed."""
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return "late"
        return status if status >= 0 else 128 - status


class Terminal:
    """A guest on a pseudo-terminal, in a session of its own, with a person's patience."""

    def __init__(self, argv, environment=None, rows=24, columns=80, options=()):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns, notify=False)
        self.before = termios.tcgetattr(self.slave)
        self.text, self.log = "", ""
        environment = environment or places.ENVIRONMENT

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(command(argv, environment=environment, options=options), cwd=WORK, env=environment, stdin=self.slave,
                                        stdout=self.slave, stderr=self.slave, preexec_fn=own_terminal)

    def resize(self, rows, columns, notify=True):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.master, text.encode())

    def read(self, limit):
        if not select.select([self.master], [], [], limit)[0]:
            return False
        try:
            chunk = os.read(self.master, 65536).decode("utf-8", "replace")
        except OSError:
            return False
        if "\x1b[6n" in chunk:  # busybox asks where the cursor is
            self.send("\x1b[1;1R")
        chunk = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", chunk)
        self.text += chunk
        self.log += chunk
        return True

    def expect(self, pattern, limit=PATIENCE):
        """Waits for the pattern in what came since the last match; forgets all up to it."""
        end = time.monotonic() + limit
        while True:
            match = re.search(pattern, self.text)
            if match:
                self.text = self.text[match.end():]
                return match
            if time.monotonic() > end or (not self.read(0.1) and self.process.poll() is not None):
                match = re.search(pattern, self.text)
                return match

    def status(self, limit=PATIENCE):
        end = time.monotonic() + limit
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.05)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return "late"
        while self.read(0.05):
            pass
        code = self.process.returncode
        return code if code >= 0 else 128 - code
