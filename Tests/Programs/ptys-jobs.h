/* Job control: who may read, write and set when not in the foreground. */

/* Runs the body in a background group of this session; true when it ends with 0, or `stopped` when that signal stops it. */
static int background(int (*body)(void), int stopped) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        _exit(body());
    }
    setpgid(pid, pid);
    if (waitpid(pid, &status, WUNTRACED) != pid) return 0;
    int good = stopped ? WIFSTOPPED(status) && WSTOPSIG(status) == stopped : WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good) fprintf(stderr, "background: status 0x%x\n", status);
    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    return good;
}

static int fails(int call, int error) { return call == -1 && errno == error ? 0 : 1; }
static void block(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, 0);
}
static void ignore(int number) { signal(number, SIG_IGN); }

static int setSame(void) {
    struct termios t;
    tcgetattr(slave, &t);
    return tcsetattr(slave, TCSANOW, &t);
}
static int readsIt(void) { char byte; return read(slave, &byte, 1) >= 0 ? 0 : 1; }
static int readsIgnoring(void) { char byte; ignore(SIGTTIN); return fails(read(slave, &byte, 1), EIO); }
static int readsBlocking(void) { char byte; block(SIGTTIN); return fails(read(slave, &byte, 1), EIO); }
static int writesIt(void) { return write(slave, "b", 1) == 1 ? 0 : 1; }
static int writesIgnoring(void) { ignore(SIGTTOU); return writesIt(); }
static int writesBlocking(void) { block(SIGTTOU); return writesIt(); }
static int setsIt(void) { return setSame(); }
static int setsIgnoring(void) { ignore(SIGTTOU); return setSame(); }
static int setsBlocking(void) { block(SIGTTOU); return setSame(); }
static int flushesIt(void) { return tcflush(slave, TCIFLUSH); }
static int flowsIt(void) { return tcflow(slave, TCOON); }
static int breaksIt(void) { return tcsendbreak(slave, 0); }
static int drainsIt(void) { return tcdrain(slave); }
static int foregroundIt(void) { return tcsetpgrp(slave, getpgrp()); }
static int foregroundIgnoring(void) { ignore(SIGTTOU); return tcsetpgrp(slave, getpgrp()); }
static int looksOnly(void) {
    struct termios t;
    struct winsize size;
    int value;
    return tcgetattr(slave, &t) || ioctl(slave, TIOCGWINSZ, &size) || ioctl(slave, FIONREAD, &value) || ioctl(slave, TIOCSWINSZ, &size) ||
           tcgetpgrp(slave) <= 0;
}
static int byMaster(void) { struct termios t; tcgetattr(master, &t); return tcsetattr(master, TCSANOW, &t); }

/* A handler lets the call be restarted; without SA_RESTART it fails with EINTR. */
static int readsHandled(void) {
    struct sigaction action = {.sa_handler = onSignal};
    sigaction(SIGTTIN, &action, 0);
    char byte;
    return fails(read(slave, &byte, 1), EINTR);
}

/* Stopped by SIGTTIN, made the foreground, continued: the read goes on. */
static void resumes(void) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        char line[20];
        setpgid(0, 0);
        _exit(read(slave, line, sizeof line) == 3 && !memcmp(line, "go\n", 3) ? 0 : 1);
    }
    setpgid(pid, pid);
    CHECK("a background reader stops", waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
    CHECK("and is put in the foreground", tcsetpgrp(slave, pid) == 0 && tcgetpgrp(slave) == pid);
    kill(-pid, SIGCONT);
    types("go\n");
    CHECK("where it reads on", endOf(pid) == 0);
    ignore(SIGTTOU);
    CHECK("its group is gone, ours comes back", tcsetpgrp(slave, getpgrp()) == 0 && tcgetpgrp(slave) == getpgrp());
    signal(SIGTTOU, SIG_DFL);
}

/* In an orphaned background group: nobody could continue it, so nothing stops it. */
static void orphaned(int (*body)(void), const char *name) {
    int told[2];
    pipe(told);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        pid_t group = getpid();
        if (fork() == 0) {
            for (int round = 0; round < 1000 && getppid() == group; round++) napMs(1);
            char result = (char)body();
            write(told[1], &result, 1);
            _exit(0);
        }
        _exit(0);
    }
    endOf(pid);
    close(told[1]);
    char result = 1;
    CHECK(name, read(told[0], &result, 1) == 1 && result == 0);
    close(told[0]);
}
static int orphanReads(void) { char byte; return fails(read(slave, &byte, 1), EIO); }
static int orphanWrites(void) { return fails(write(slave, "b", 1), EIO); }
static int orphanSets(void) { return fails(setSame(), EIO); }
static int orphanForeground(void) { return fails(tcsetpgrp(slave, getpgrp()), ENOTTY); }
static int orphanForegroundIgnoring(void) { ignore(SIGTTOU); return tcsetpgrp(slave, getpgrp()); }

static int sent(const char *key, int signalNumber) {
    int status, ready[2];
    pipe(ready);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        ignore(SIGTTOU);
        tcsetpgrp(slave, getpid());
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        write(ready[1], "", 1);
        for (;;) pause();
    }
    char byte;
    read(ready[0], &byte, 1);
    close(ready[0]);
    close(ready[1]);
    types(key);
    int good = waitpid(pid, &status, WUNTRACED) == pid;
    good = good && (signalNumber == SIGTSTP ? WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP : WIFSIGNALED(status) && WTERMSIG(status) == signalNumber);
    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        endOf(pid);
    }
    ignore(SIGTTOU);
    tcsetpgrp(slave, getpgrp());
    signal(SIGTTOU, SIG_DFL);
    return good;
}

static void inJobs(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGHUP, SIG_DFL);
    setsid();
    close(slave);
    slave = open(slaveName, O_RDWR);
    change(local, ECHO, 0);
    CHECK("^C", sent("\003", SIGINT));
    CHECK("^\\", sent("\034", SIGQUIT));
    CHECK("^Z", sent("\032", SIGTSTP));
    CHECK("a background read stops", background(readsIt, SIGTTIN));
    CHECK("ignored: EIO", background(readsIgnoring, 0));
    CHECK("blocked: EIO", background(readsBlocking, 0));
    CHECK("a handler: EINTR", background(readsHandled, 0));
    resumes();
    CHECK("a background write does not matter", background(writesIt, 0));
    change(local, 0, TOSTOP);
    CHECK("with TOSTOP it stops", background(writesIt, SIGTTOU));
    CHECK("ignored: it writes", background(writesIgnoring, 0));
    CHECK("blocked: it writes", background(writesBlocking, 0));
    change(local, TOSTOP, 0);
    CHECK("background settings stop", background(setsIt, SIGTTOU));
    CHECK("ignored: it sets", background(setsIgnoring, 0));
    CHECK("blocked: it sets", background(setsBlocking, 0));
    CHECK("tcflush stops", background(flushesIt, SIGTTOU));
    CHECK("tcflow stops", background(flowsIt, SIGTTOU));
    CHECK("tcsendbreak stops", background(breaksIt, SIGTTOU));
    CHECK("tcdrain stops", background(drainsIt, SIGTTOU));
    CHECK("tcsetpgrp stops", background(foregroundIt, SIGTTOU));
    CHECK("settings by the master stop", background(byMaster, SIGTTOU));
    CHECK("looking is free", background(looksOnly, 0));
    CHECK("ignored: it takes the foreground", background(foregroundIgnoring, 0) && tcgetpgrp(slave) != getpgrp());
    ignore(SIGTTOU);
    tcsetpgrp(slave, getpgrp());
    signal(SIGTTOU, SIG_DFL);

    ERROR("no such group", tcsetpgrp(slave, 99999), ESRCH);
    ERROR("group 0", tcsetpgrp(slave, 0), ESRCH);
    ERROR("a negative group", tcsetpgrp(slave, -1), EINVAL);
    ERROR("a group of another session", tcsetpgrp(slave, getpgid(getppid())), EPERM);
    ERROR("a process of another session", tcsetpgrp(slave, getppid()), EPERM);
    CHECK("a process that leads no group will do", ({
        pid_t pid = fork();
        if (pid == 0) for (;;) pause();
        int good = tcsetpgrp(slave, pid) == 0 && tcgetpgrp(slave) == pid;
        kill(pid, SIGKILL);
        endOf(pid);
        ignore(SIGTTOU);
        good && tcsetpgrp(slave, getpgrp()) == 0;
    }));
    signal(SIGTTOU, SIG_DFL);
    ERROR("without an address", ioctl(slave, TIOCSPGRP, 8), EFAULT);
    int second = openMaster(), other = open(slaveName, O_RDWR);
    ERROR("another terminal's foreground group", tcsetpgrp(other, getpgrp()), ENOTTY);
    ERROR("is not known to us", tcgetpgrp(other), ENOTTY);
    close(other);
    close(second);
    pid_t group = getpgrp();
    CHECK("tcsetpgrp by the master", ioctl(master, TIOCSPGRP, &group) == 0);

    change(local, 0, TOSTOP);
    orphaned(orphanReads, "an orphan's read: EIO");
    orphaned(orphanWrites, "its write with TOSTOP: EIO");
    orphaned(orphanSets, "its settings: EIO");
    orphaned(orphanForeground, "its tcsetpgrp: ENOTTY");
    orphaned(orphanForegroundIgnoring, "ignoring SIGTTOU it succeeds");
}

static void jobs(void) {
    openPair();
    inChild(inJobs);
    closePair();
}
