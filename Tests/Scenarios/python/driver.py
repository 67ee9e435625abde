"""Python's own tests in a site, then natively the same ones: no result may be worse than the host's."""
import os
import subprocess
import sys
from pathlib import Path

from sitelib import SCRATCH, check, finish, run

HERE = Path(__file__).parent
PYTHON = "/usr/bin/python3"  # Debian's, with the tests of libpython3.11-testsuite
GROUPS = {
    "files": ["test_os", "test_posix", "test_fcntl", "test_mmap", "test_tempfile", "test_shutil", "test_pty"],
    "io": ["test_io"],
    "threads": ["test_threading", "test_select", "test_poll", "test_epoll", "test_time"],
    "subprocess": ["test_subprocess"],
    "signals": ["test_signal"],
    "servers": ["test_socketserver"],
    "sockets": ["test_socket", "test_selectors", "test_asyncore", "test_asynchat", "test_httpservers",
                "test_urllib2_localnet", "test_ftplib", "test_smtplib", "test_poplib", "test_ssl"],
    "asyncio": ["test_asyncio"],
    "futures": ["test_concurrent_futures"],
    "multiprocessing": ["test_multiprocessing_fork", "test_multiprocessing_spawn", "test_multiprocessing_main_handling"],
}
# Nothing here asks for anything outside of the machine.
RESOURCES = {"servers": ["network"]}
LONG = ["futures", "multiprocessing"]  # minutes even on the host
# By design or by the work they do: not for a sample.
SLOW = ["test_signal.SiginterruptTest.test_siginterrupt_off", "test_signal.ItimerTest.test_itimer_virtual",
        "test_signal.StressTest.*", "test_poll.PollTests.test_poll2", "test_subprocess.*.test_leaking_fds_on_error",
        "test_io.*.test_threads", "test_multiprocessing_*.test_thousand", "test_multiprocessing_*.test_many_processes",
        "test_concurrent_futures.ThreadPoolExecutorTest.test_map_timeout"]
GROUP = os.environ["SITE_VARIANT"]
SAMPLE = os.environ["SITE_SET"] == "sample"
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC0"}
LIMIT = 300
RETRIES = 2  # many of these tests watch the clock, which other jobs of the machine disturb


def results(output):
    """The word for each test; `begin` means that it never ended. A failure is final: sub-tests go on after one."""
    found, details, last = {}, {}, None
    for line in output.splitlines():
        if line.startswith("@ ") and len(words := line.split(" ", 2)) == 3:
            last = words[2]
            if found.get(last) != "fail":
                found[last] = words[1]
        elif last:
            details.setdefault(last, []).append(line)
    return found, details


def left_out():
    lines = (line.split("#")[0].strip() for line in (HERE / "left-out").read_text().splitlines())
    return [line for line in lines if line]


def plan(name, wanted=()):
    path = SCRATCH / name
    without = left_out() + (SLOW if SAMPLE else [])
    path.write_text("\n".join(GROUPS[GROUP] + ["+" + resource for resource in RESOURCES.get(GROUP, [])] + ["=" + test for test in wanted if " " not in test]
                              + ["-" + pattern for pattern in without]))
    return path


def in_site(seconds, seed, file):
    result = run([PYTHON, HERE / "suite.py", str(seconds), seed, str(file)], environment=ENVIRONMENT, limit=LIMIT)
    return results(result.out.decode("utf-8", "replace"))


def natively(file):
    """Only the tests that ran in the site."""
    folder = SCRATCH / "native"
    folder.mkdir(exist_ok=True)
    argv = [PYTHON, HERE / "suite.py", "0", "0", str(file)]
    environment = dict(ENVIRONMENT, TMPDIR=str(folder))
    done = subprocess.run(argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=LIMIT, start_new_session=True)
    return results(done.stdout.decode("utf-8", "replace"))[0]


def worse(here, host):
    """What failed, hung or was skipped here and did none of that on the host."""
    return [test for test, word in here.items()
            if word != "ok" and (host.get(test) == "ok" or word == "fail" and test not in host)]


def main():
    seconds = 8 if SAMPLE else 60 if GROUP in LONG else 0
    seed = str(os.getpid())
    here, details = in_site(seconds, seed, plan("plan"))
    ended = here.pop("all", None)
    check("tests ran", ended == "end" and len(here) > 0, f"the suite did not come to its end after {list(here)[-1:]}")
    host = natively(plan("plan.native", here))
    differing = worse(here, host)
    for _ in range(RETRIES):
        if not differing:
            break
        again, more = in_site(0, seed, plan("plan.again", differing))
        for test in differing:
            if again.get(test) == "ok":
                print(f"note: {test} was {here[test]} at first", file=sys.stderr)
        details.update(more)
        here.update(again)
        differing = [test for test in differing if again.get(test) != "ok"]
    check("every result is the host's", not differing,
          "".join(f"\n  {test}: {here[test]}\n" + "\n".join(details.get(test, [])[-12:]) for test in differing))
    finish()


main()
