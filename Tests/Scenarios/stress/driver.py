"""stress-ng's own verification, one stressor after the other; the sample draws a few."""
import os
import random
import subprocess
import time

from sitelib import SCRATCH, check, finish, run

# Those for which a stressor is a question of one system call or a family of them, and that need no sockets.
STRESSORS = """clone context dup env eventfd exec exit-group fault fcntl fork fp-error futex get getrandom hrtimers itimer
    kill lockf lockofd longjmp madvise memfd mincore mmap mremap msg msync munmap mutex nanosleep pidfd pipe poll
    prctl pthread rlimit sem sem-sysv session shm shm-sysv sigabrt sigchld sigfd sigfpe signal signest sigpending
    sigpipe sigq sigrt sigsegv sigsuspend sigtrap stack stackmmap switch sysbadaddr timer timerfd vfork wait yield
    zombie""".split()
SAMPLE = os.environ["SITE_SET"] == "sample"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C", "TZ": "UTC0"}


def command(stressor, folder):
    return ["/usr/bin/stress-ng", "--temp-path", folder, f"--{stressor}", "1", "--timeout", "1", "--verify", "--oomable"]


def main():
    seed = os.getpid()
    order = random.Random(seed).sample(STRESSORS, len(STRESSORS))
    end = time.monotonic() + (6 if SAMPLE else 60)
    failed, ran = {}, 0
    while order and time.monotonic() < end:
        stressor = order.pop()
        result = run(command(stressor, "/tmp"), environment=ENVIRONMENT, limit=60)
        ran += 1
        if result.status not in (0, 3, 4):  # 3, 4: has not what it needs here
            failed[stressor] = str(result)
    check("they ran", ran >= 2, f"{ran} of them")
    for stressor in list(failed):
        native = subprocess.run(command(stressor, str(SCRATCH)), env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        if native.returncode != 0:
            del failed[stressor]
    check("none fails that does not on the host", not failed,
          "".join(f"\n  {stressor}: {text}" for stressor, text in failed.items()))
    finish()


main()
