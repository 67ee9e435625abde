/* differ-processes.h: children, their ends, groups, limits, what a child inherits. */
#include <sys/resource.h>
#include <sys/prctl.h>

static int childWork(unsigned what) {
    switch (what) {
    case 0: return 0;
    case 1: return (int)pick(256);
    case 2: raise(SIGKILL); return 1;
    case 3: abort();
    case 4: return (int)(CALL(SYS_write, descriptor(), "child", 5L) & 127);
    case 5: return (int)(CALL(SYS_lseek, descriptor(), 3L, SEEK_SET) & 127);
    case 6: CALL(SYS_close, descriptor()); return 6;
    case 7: { uint64_t old = 0; CALL(SYS_rt_sigprocmask, 0L, NULL, &old, 8L); return (int)(sum(&old, 8) & 127); }
    default: return (int)(CALL(SYS_read, descriptor(), (char[16]){0}, 16L) & 127);
    }
}

static void children(void) {
    int many = 1 + (int)pick(3), seen = 0;
    pid_t pids[3];
    for (int i = 0; i < many; i++) {
        unsigned what = pick(9);
        uint64_t salt = draw();
        (void)salt;
        pids[i] = fork();
        if (pids[i] == 0) _exit(childWork(what));
        int status = 0;
        if (pick(2)) { /* collected later, but at its end before the next one begins: no races between them */
            siginfo_t info;
            CALL(SYS_waitid, 1L /* P_PID */, pids[i], &info, WEXITED | WNOWAIT, NULL);
            continue;
        }
        struct rusage usage;
        long r = CALL(SYS_wait4, pids[i], &status, 0L, pick(2) ? &usage : NULL);
        note("wait4: %d %x", r == pids[i], status);
        seen |= 1 << i;
    }
    for (int i = 0; i < many; i++) {
        if (seen & 1 << i) continue;
        siginfo_t info = {0};
        long r = CALL(SYS_waitid, 1L /* P_PID */, pids[i], &info, WEXITED | ONE_OF(0, WNOWAIT), NULL);
        note("waitid: %ld code %d status %d", r, info.si_code, info.si_status);
        int status = 0;
        r = CALL(SYS_wait4, pids[i], &status, 0L, NULL);
        note("  then wait4: %s", r == pids[i] ? "it" : r == -ECHILD ? "none" : "other");
    }
    note("none left: %ld", CALL(SYS_wait4, -1L, NULL, WNOHANG, NULL));
}

void processesStep(void) {
    switch (pick(8)) {
    case 0: case 1: case 2: children(); break;
    case 3: {
        struct rlimit limit = {0, 0};
        long which = ONE_OF(RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_STACK, 99);
        long r = CALL(SYS_getrlimit, which, &limit);
        note("getrlimit %ld: %ld", which, r);
        if (which == RLIMIT_NOFILE) {
            limit = (struct rlimit){(rlim_t)ONE_OF(64, 32, 20), 64};
            note("  setrlimit %ld", CALL(SYS_setrlimit, which, &limit));
            limit = (struct rlimit){(rlim_t)ONE_OF(65, 10), 9};
            note("  setrlimit %ld", CALL(SYS_setrlimit, which, &limit));
        }
        break;
    }
    case 4: {
        char title[16] = {0};
        long r = CALL(SYS_prctl, PR_SET_NAME, "differ-name-is-long");
        CALL(SYS_prctl, PR_GET_NAME, title);
        note("prctl: %ld %s %ld", r, title, CALL(SYS_prctl, ONE_OF(PR_GET_DUMPABLE, PR_GET_KEEPCAPS, 123456), 0L, 0L, 0L, 0L));
        break;
    }
    case 5: note("wait options: %ld %ld", CALL(SYS_wait4, -1L, NULL, 0x40L, NULL), CALL(SYS_waitid, ONE_OF(0, 1, 2, 9), 0L, NULL, ONE_OF(0, WEXITED | WNOHANG), NULL)); break;
    case 6: {
        pid_t pid = fork();
        if (pid == 0) {
            long r = setpgid(0, 0) == 0 && getpgrp() == getpid();
            r += 2 * (setsid() == -1 && errno == EPERM);
            _exit((int)r);
        }
        note("groups: %d", endOf(pid));
        break;
    }
    case 7: {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) {
            raise(SIGSTOP);
            _exit(7);
        }
        CALL(SYS_wait4, pid, &status, WUNTRACED, NULL);
        note("stopped: %x", status);
        kill(pid, SIGCONT);
        note("continued: %d", endOf(pid));
        break;
    }
    }
}
