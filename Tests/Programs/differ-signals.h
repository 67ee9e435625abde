/* differ-signals.h: masks, handlers, pending signals, waiting, timers that do not fire. */

struct kernelAction { void (*handler)(int); unsigned long flags; void (*restorer)(void); uint64_t mask; };

static volatile unsigned signalsSeen;

static void signalsHandler(int number) { signalsSeen = signalsSeen * 67 + (unsigned)number; }

static int signalsNumber(void) { return (int)ONE_OF(SIGUSR1, SIGUSR2, SIGCHLD, SIGURG, SIGWINCH, 34, 40, 64, SIGHUP, SIGTERM); }

static void signalsAction(void) {
    int number = pick(6) ? signalsNumber() : (int)ONE_OF(0, SIGKILL, SIGSTOP, 65, -1);
    struct sigaction act = {.sa_handler = pick(3) ? signalsHandler : SIG_IGN, .sa_flags = (int)ONE_OF(0, SA_RESTART, SA_NODEFER, SA_RESETHAND)}, old;
    if (pick(2)) sigaddset(&act.sa_mask, signalsNumber());
    errno = 0;
    int r = number == 32 || number == 33 ? 0 : sigaction(number, &act, &old);
    note("sigaction %d: %d %d", number, r, r ? errno : 0);
}

static int signalsHandled(int number) {
    struct sigaction old;
    return sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_DFL;
}

void signalsStep(void) {
    uint64_t set = 0, old = 0;
    int number = signalsNumber();
    switch (pick(9)) {
    case 0: case 1: signalsAction(); break;
    case 2: case 3:
        for (int i = 0; i < 3; i++) set |= 1ull << (signalsNumber() - 1);
        if (pick(4) == 0) set |= 1ull << (SIGKILL - 1);
        note("sigprocmask: %ld", CALL(SYS_rt_sigprocmask, ONE_OF(0, 1, 2, 7), &set, &old, 8L));
        note("  old %llx", (unsigned long long)old);
        break;
    case 4: case 5: {
        if (!signalsHandled(number)) break;
        signalsSeen = 0;
        long r;
        switch (pick(3)) {
        case 0: r = CALL(SYS_kill, getpid(), number); break;
        case 1: r = CALL(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), number); break;
        default: {
            siginfo_t info = {0};
            info.si_signo = number;
            info.si_code = -1; /* SI_QUEUE */
            info.si_value.sival_int = (int)pick(100);
            r = CALL(SYS_rt_sigqueueinfo, getpid(), number, &info);
        }
        }
        note("raise %d: %ld seen %u", number, r, signalsSeen);
        break;
    }
    case 6:
        note("sigpending: %ld", CALL(SYS_rt_sigpending, &set, 8L));
        note("  pending %llx", (unsigned long long)set);
        break;
    case 7: {
        struct timespec none = {0, 0};
        siginfo_t info = {0};
        for (int i = 0; i < 4; i++) set |= 1ull << (signalsNumber() - 1);
        long r = CALL(SYS_rt_sigtimedwait, &set, &info, &none, 8L);
        note("sigtimedwait: %ld code %d value %d", r, r > 0 ? info.si_code : 0, r > 0 && info.si_code == -1 ? info.si_value.sival_int : 0);
        break;
    }
    case 8: note("kill nobody: %ld %ld", CALL(SYS_kill, ONE_OF(0x3fffffff, -0x3fffffff), ONE_OF(0, SIGTERM)), CALL(SYS_kill, getpid(), ONE_OF(0, 65, -1))); break;
    }
}
