/* One side goes; windows; controlling terminals. */

static volatile sig_atomic_t hungUp, continued, resized;
static void onSignal(int number) {
    if (number == SIGHUP) hungUp++;
    if (number == SIGCONT) continued++;
    if (number == SIGWINCH) resized++;
}
static void handle(int number) {
    struct sigaction action = {.sa_handler = onSignal, .sa_flags = SA_RESTART};
    sigaction(number, &action, 0);
}
static int eventually(volatile sig_atomic_t *count, int wanted) {
    for (int round = 0; round < 1000 && *count < wanted; round++) napMs(2);
    return *count == wanted;
}

static void hangUps(void) {
    char buffer[100];
    struct stat status;
    struct termios t;
    int extra;
    openPair();
    CHECK("no hang-up while both are open", !(events(master, 0) & POLLHUP) && !(events(slave, 0) & POLLHUP));
    CHECK("the slave writes and goes", prints("last") && close(slave) == 0 && (slave = -1, comes(master, POLLIN)));
    CHECK("POLLHUP at the master", events(master, 0) & POLLHUP);
    CHECK("the last is still read", take(master, buffer, 4) == 4);
    ERROR("then EIO", read(master, buffer, 4), EIO);
    CHECK("the slave comes back", (slave = open(slaveName, O_RDWR | O_NOCTTY)) >= 0 && !(events(master, 0) & POLLHUP));
    CHECK("and all is well", prints("again") && GIVES(master, "again"));
    CHECK("what is typed without a slave waits", close(slave) == 0 && (slave = -1, types("wait\n")) && (slave = open(slaveName, O_RDWR | O_NOCTTY)) >= 0 && GIVES(slave, "wait\n"));
    close(master);
    struct pollfd one = {slave, POLLIN, 0};
    CHECK("POLLHUP at the slave", poll(&one, 1, 0) == 1 && one.revents == (POLLIN | POLLERR | POLLHUP));
    CHECK("end of file there", read(slave, buffer, 10) == 0);
    ERROR("nothing can be written", write(slave, "x", 1), EIO);
    ERROR("nothing can be set", tcgetattr(slave, &t), EIO);
    ERROR("no foreground group", ioctl(slave, TIOCSPGRP, buffer), ENOTTY);
    ERROR("its name is gone", stat(slaveName, &status), ENOENT);
    ERROR("and not to be opened", open(slaveName, O_RDWR | O_NOCTTY), ENOENT);
    master = -1;
    closePair();

    openPair();
    CHECK("a blocked read of the master ends", ({
        pid_t pid = fork();
        if (pid == 0) { close(slave); _exit(read(master, buffer, 4) == -1 && errno == EIO ? 0 : 1); }
        untilBlocked(pid);
        close(slave);
        slave = -1;
        endOf(pid) == 0;
    }));
    slave = open(slaveName, O_RDWR | O_NOCTTY);
    CHECK("a blocked read of the slave fails", ({
        pid_t pid = fork();
        if (pid == 0) { close(master); _exit(read(slave, buffer, 4) == -1 && errno == EIO ? 0 : 1); }
        untilBlocked(pid);
        close(master);
        master = -1;
        endOf(pid) == 0;
    }));
    closePair();

    openPair();
    extra = open(slaveName, O_RDWR | O_NOCTTY);
    CHECK("TIOCVHANGUP", ioctl(slave, VHANGUP, 0) == 0);
    CHECK("hangs up all who have it open", read(extra, buffer, 1) == 0 && write(slave, "x", 1) == -1 && errno == EIO);
    close(slave);
    CHECK("it can be opened afresh", (slave = open(slaveName, O_RDWR | O_NOCTTY)) >= 0 && prints("new") && GIVES(master, "new"));
    CHECK("the old one stays dead", read(extra, buffer, 1) == 0 && write(extra, "x", 1) == -1);
    close(extra);
    closePair();
}

static void ownTerminal(void) {
    struct winsize size = {33, 100, 0, 0}, got;
    int value;
    setsid();
    CHECK("the leader takes it by opening", (slave = open(slaveName, O_RDWR)) >= 0 && tcgetsid(slave) == getpid());
    CHECK("its group is in the foreground", tcgetpgrp(slave) == getpgrp());
    CHECK("the master says so too", ioctl(master, TIOCGPGRP, &value) == 0 && value == getpgrp() && ioctl(master, TIOCGSID, &value) == 0 && value == getsid(0));
    handle(SIGWINCH);
    CHECK("a new size", ioctl(master, TIOCSWINSZ, &size) == 0 && eventually(&resized, 1));
    CHECK("is seen", ioctl(slave, TIOCGWINSZ, &got) == 0 && got.ws_row == 33 && got.ws_col == 100);
    CHECK("the same size is no news", ioctl(master, TIOCSWINSZ, &size) == 0 && ioctl(slave, TIOCSWINSZ, &size) == 0 && (napMs(20), resized == 1));
    size.ws_row = 34;
    CHECK("the slave may set it", ioctl(slave, TIOCSWINSZ, &size) == 0 && eventually(&resized, 2) && ioctl(master, TIOCGWINSZ, &got) == 0 && got.ws_row == 34);
    ERROR("TIOCSIG sends only what keys send", ioctl(master, SIG, SIGWINCH), EINVAL);
    signal(SIGQUIT, onSignal);
    CHECK("TIOCSIG", ioctl(master, SIG, SIGQUIT) == 0);
}

static void windows(void) {
    struct winsize got = {1, 1, 1, 1};
    openPair();
    CHECK("no size at first", ioctl(slave, TIOCGWINSZ, &got) == 0 && got.ws_row == 0 && got.ws_col == 0);
    ERROR("a size without an address", ioctl(slave, TIOCSWINSZ, 8), EFAULT);
    inChild(ownTerminal);
    closePair();
}

static int ttyOpens(void) {
    int fd = open("/dev/tty", O_RDWR);
    if (fd >= 0) close(fd);
    return fd >= 0 ? 1 : errno == ENXIO ? 0 : -1;
}

static void giveUp(void) {
    setsid();
    int own = open(slaveName, O_RDWR);
    CHECK("/dev/tty is it", ttyOpens() == 1);
    struct stat one, other;
    int tty = open("/dev/tty", O_RDWR);
    CHECK("with a number of its own", fstat(tty, &one) == 0 && fstat(own, &other) == 0 && one.st_rdev != other.st_rdev);
    pid_t pid = fork();
    if (pid == 0) {
        failures = 0;
        signal(SIGTTOU, SIG_IGN);
        ERROR("a member cannot take one", ioctl(own, TIOCSCTTY, 0), EPERM);
        CHECK("but may be without", ioctl(tty, TIOCNOTTY, 0) == 0 && ttyOpens() == 0);
        ERROR("then it has none to give", ioctl(own, TIOCNOTTY, 0), ENOTTY);
        CHECK("nor have its children", ({ pid_t child = fork(); if (child == 0) _exit(ttyOpens() == 0 ? 0 : 1); endOf(child) == 0; }));
        ERROR("nor a foreground group", tcgetpgrp(own), ENOTTY);
        _exit(failures);
    }
    failures += endOf(pid);
    CHECK("the session keeps its own", ttyOpens() == 1);
    handle(SIGHUP);
    handle(SIGCONT);
    CHECK("the leader gives it up", ioctl(own, TIOCNOTTY, 0) == 0 && ttyOpens() == 0);
    CHECK("its group hears SIGHUP and SIGCONT", eventually(&hungUp, 1) && eventually(&continued, 1));
    CHECK("the descriptor is good", write(own, "on", 2) == 2);
    ERROR("nobody's session", ioctl(master, TIOCGSID, &pid), ENOTTY);
    CHECK("no foreground group", ioctl(master, TIOCGPGRP, &pid) == 0 && pid == 0);
    CHECK("TIOCSCTTY", ioctl(own, TIOCSCTTY, 0) == 0 && ttyOpens() == 1 && tcgetpgrp(own) == getpgrp());
    CHECK("again", ioctl(own, TIOCSCTTY, 0) == 0);
    ioctl(own, TIOCNOTTY, 0);
    CHECK("TIOCSCTTY by the master is the slave's", ioctl(master, TIOCSCTTY, 0) == 0 && tcgetsid(own) == getsid(0));
    ERROR("TIOCNOTTY by the master is not", ioctl(master, TIOCNOTTY, 0), ENOTTY);
}

static void noControl(void) {
    setsid();
    CHECK("O_NOCTTY", (slave = open(slaveName, O_RDWR | O_NOCTTY)) >= 0 && ttyOpens() == 0);
    close(slave);
    CHECK("nor by opening it for writing", (slave = open(slaveName, O_WRONLY)) >= 0 && ttyOpens() == 0);
}

static void thief(void) {
    int ready[2], done[2];
    pipe(ready);
    pipe(done);
    char byte;
    pid_t owner = fork();
    if (owner == 0) {
        setsid();
        int own = open(slaveName, O_RDWR);
        write(ready[1], "", 1);
        read(done[0], &byte, 1);
        int good = own >= 0 && ttyOpens() == 0 && tcgetpgrp(own) == -1 && errno == ENOTTY;
        _exit(good ? 0 : 1);
    }
    read(ready[0], &byte, 1);
    setsid();
    int mine = open(slaveName, O_RDWR);
    CHECK("another's is not taken by opening", mine >= 0 && ttyOpens() == 0);
    ERROR("nor by TIOCSCTTY 0", ioctl(mine, TIOCSCTTY, 0), EPERM);
    ERROR("its foreground group is not ours", tcgetpgrp(mine), ENOTTY);
    CHECK("root steals it", ioctl(mine, TIOCSCTTY, 1) == 0 && ttyOpens() == 1 && tcgetpgrp(mine) == getpgrp());
    write(done[1], "", 1);
    CHECK("the other session has lost it", endOf(owner) == 0);
    int second = openMaster(), other = open(slaveName, O_RDWR);
    ERROR("one is enough", ioctl(other, TIOCSCTTY, 1), EPERM);
    close(second);
}

/* The master goes: the leader is told, and nobody else, until the leader ends (tty_io.c of Linux, setsid(2)). */
static void leaderHangsUp(void) {
    openPair();
    int ready[2], told[2];
    pipe(ready);
    pipe(told);
    char byte;
    handle(SIGHUP);
    handle(SIGCONT);
    pid_t leader = fork();
    if (leader == 0) {
        setsid();
        close(slave);
        int own = open(slaveName, O_RDWR);
        close(master);
        pid_t member = fork();
        if (member == 0) {
            setpgid(0, 0);
            signal(SIGTTOU, SIG_IGN);
            tcsetpgrp(own, getpid());
            write(ready[1], "", 1);
            int before = (napMs(100), hungUp);
            write(ready[1], "", 1);
            int after = eventually(&hungUp, 1) && eventually(&continued, 1);
            write(told[1], before == 0 && after ? "y" : "n", 1);
            _exit(0);
        }
        int good = eventually(&hungUp, 1) && eventually(&continued, 1) && ttyOpens() == 0;
        read(ready[0], &byte, 1);
        _exit(good ? 0 : 1);
    }
    read(ready[0], &byte, 1);
    close(slave);
    close(master);
    slave = master = -1;
    CHECK("the leader hears of the hang-up", endOf(leader) == 0);
    CHECK("the foreground group when the leader has ended", read(told[0], &byte, 1) == 1 && byte == 'y');
}

/* The leader ends: its foreground group hears SIGHUP; the terminal is free for another session. */
static void leaderEnds(void) {
    int told[2];
    pipe(told);
    handle(SIGHUP);
    pid_t leader = fork();
    if (leader == 0) {
        setsid();
        open(slaveName, O_RDWR);
        if (fork() == 0) {
            struct pollfd one = {slave, POLLIN, 0};
            int good = eventually(&hungUp, 1) && ttyOpens() == 0 && write(slave, "s", 1) == 1 && poll(&one, 1, 0) == 0;
            write(told[1], good ? "y" : "n", 1);
            _exit(0);
        }
        napMs(20);
        _exit(0);
    }
    endOf(leader);
    char byte;
    CHECK("the leader ends, its group hears it", read(told[0], &byte, 1) == 1 && byte == 'y');
    setsid();
    int own = open(slaveName, O_RDWR);
    CHECK("the terminal is free", own >= 0 && tcgetsid(own) == getpid());
}

static void sessions(void) {
    openPair();
    inChild(giveUp);
    closePair();
    openPair();
    inChild(noControl);
    closePair();
    openPair();
    inChild(thief);
    closePair();
    inChild(leaderHangsUp);
    openPair();
    inChild(leaderEnds);
    closePair();
}
