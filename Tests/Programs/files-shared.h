/* files-shared.h: the part of `files` about files that several processes or mappings share. */

static int64_t started;

/* Runs `body` in a child and returns its end. */
static int inChild(int (*body)(void)) {
    pid_t pid = fork();
    if (pid == 0) _exit(body());
    return endOf(pid);
}

static struct flock range(short type, off_t start, off_t length) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static int tryRecord(void) {
    int fd = open("locked", O_RDWR);
    struct flock ask = range(F_WRLCK, 5, 1), read_ = range(F_RDLCK, 20, 5), apart = range(F_WRLCK, 100, 1);
    if (fcntl(fd, F_SETLK, &ask) != -1 || (errno != EAGAIN && errno != EACCES)) return 1;
    if (fcntl(fd, F_GETLK, &ask) != 0 || ask.l_type != F_WRLCK || ask.l_pid != getppid() || ask.l_start != 0) return 2;
    if (ask.l_len != 10) return 3;
    if (fcntl(fd, F_SETLK, &read_) != 0) return 4;
    if (fcntl(fd, F_SETLK, &apart) != 0) return 5;
    return 0;
}

static int waitRecord(void) {
    int fd = open("locked", O_RDWR);
    struct flock ask = range(F_WRLCK, 5, 1);
    return fcntl(fd, F_SETLKW, &ask) == 0 && nowNs() - started > 90000000 ? 0 : 1;
}

static int waitFlock(void) {
    int fd = open("locked", O_RDWR);
    return flock(fd, LOCK_EX) == 0 && nowNs() - started > 90000000 ? 0 : 1;
}

static void onAlarm(int number) { (void)number; }

/* Two processes that wait for each other's record would wait for ever. */
static void deadlock(void) {
    int fd = make("circle", "0123456789"), ready[2];
    struct flock mine = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1}, other = mine;
    other.l_start = 5;
    char byte;
    pipe(ready);
    fcntl(fd, F_SETLK, &mine);
    pid_t pid = fork();
    if (pid == 0) {
        if (fcntl(fd, F_SETLK, &other) != 0) _exit(1);
        write(ready[1], "x", 1);
        _exit(fcntl(fd, F_SETLKW, &mine) == 0 ? 0 : 2);
    }
    read(ready[0], &byte, 1);
    CHECK("another waits for our record", untilBlocked(pid));
    ERROR("we cannot wait for its own", fcntl(fd, F_SETLKW, &other), EDEADLK);
    mine.l_type = F_UNLCK;
    fcntl(fd, F_SETLK, &mine);
    CHECK("it goes on when ours is free", endOf(pid) == 0);
    close(fd);
    fd = make("program", "x");
    chmod("program", 06777);
    if ((pid = fork()) == 0) {
        int own = setgid(1000) == 0 && setuid(1000) == 0 ? open("program", O_WRONLY) : -1;
        _exit(write(own, "y", 1) == 1 ? 0 : 1);
    }
    struct stat now;
    CHECK("another's write ends set-user-ID", endOf(pid) == 0 && fstat(fd, &now) == 0 && (now.st_mode & 07777) == 0777);
    close(fd);
    close(ready[0]);
    close(ready[1]);
}

static void locks(void) {
    int fd = make("locked", "0123456789");
    struct flock lock = range(F_WRLCK, 0, 10), shared = range(F_RDLCK, 20, 10), free_ = range(F_UNLCK, 0, 0);
    CHECK("fcntl locks", fcntl(fd, F_SETLK, &lock) == 0 && fcntl(fd, F_SETLK, &shared) == 0);
    CHECK("hold against another process", inChild(tryRecord) == 0);
    pid_t pid;
    started = nowNs();
    if ((pid = fork()) == 0) _exit(waitRecord());
    CHECK("F_SETLKW blocks", untilBlocked(pid));
    napMs(100);
    lock.l_type = F_UNLCK;
    fcntl(fd, F_SETLK, &lock);
    CHECK("and is woken", endOf(pid) == 0);
    lock.l_type = F_WRLCK;
    fcntl(fd, F_SETLK, &lock);
    close(open("locked", O_RDONLY)); /* closing any descriptor of the file drops the process's locks */
    if ((pid = fork()) == 0) {
        int own = open("locked", O_RDWR);
        _exit(fcntl(own, F_SETLK, &lock) == 0 ? 0 : 1);
    }
    CHECK("closing any descriptor drops them", endOf(pid) == 0);
    fcntl(fd, F_SETLK, &free_);
    if ((pid = fork()) == 0) {
        int own = open("locked", O_RDWR);
        struct flock whole = range(F_WRLCK, 0, 0);
        fcntl(own, F_SETLK, &whole);
        for (;;) pause();
    }
    untilBlocked(pid);
    struct sigaction handler = {.sa_handler = onAlarm};
    sigaction(SIGALRM, &handler, 0);
    alarm(1);
    lock.l_type = F_WRLCK;
    ERROR("F_SETLKW is interrupted", fcntl(fd, F_SETLKW, &lock), EINTR);
    kill(pid, SIGKILL);
    endOf(pid);
    CHECK("the dead hold nothing", fcntl(fd, F_SETLK, &lock) == 0);

    CHECK("flock", flock(fd, LOCK_EX) == 0);
    int second = open("locked", O_RDWR);
    ERROR("flock is of the description", flock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    int copy = dup(fd);
    CHECK("dup shares it", flock(copy, LOCK_EX | LOCK_NB) == 0);
    started = nowNs();
    if ((pid = fork()) == 0) _exit(waitFlock());
    CHECK("flock blocks", untilBlocked(pid));
    napMs(100);
    close(copy);
    flock(fd, LOCK_UN);
    CHECK("flock wakes", endOf(pid) == 0);
    CHECK("two share", flock(fd, LOCK_SH) == 0 && flock(second, LOCK_SH | LOCK_NB) == 0);
    ERROR("no upgrade beside another", flock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    close(second);
    close(fd);
}

static void mappings(void) {
    size_t page = 4096;
    int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, 3 * page);
    char *shared = mmap(0, 3 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), buffer[16] = "";
    char *private = mmap(0, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK("both map", shared != MAP_FAILED && private != MAP_FAILED);
    memcpy(shared + page, "by memory", 9);
    CHECK("read sees the mapping", pread(fd, buffer, 9, page) == 9 && memcmp(buffer, "by memory", 9) == 0);
    CHECK("the mapping sees write", pwrite(fd, "by write", 8, 2 * page) == 8 && memcmp(shared + 2 * page, "by write", 8) == 0);
    CHECK("an untouched private page too", memcmp(private + 2 * page, "by write", 8) == 0);
    private[0] = 'p';
    CHECK("private stays private", shared[0] == 0 && pread(fd, buffer, 1, 0) == 1 && buffer[0] == 0);
    pid_t pid = fork();
    if (pid == 0) {
        memcpy(shared, "child", 5);
        private[1] = 'c';
        _exit(0);
    }
    CHECK("a child's write is seen", endOf(pid) == 0 && memcmp(shared, "child", 5) == 0);
    CHECK("but not in private memory", private[1] != 'c');
    int again = open("mapped", O_RDWR);
    char *other = mmap(0, page, PROT_READ, MAP_SHARED, again, 0);
    shared[7] = '!';
    CHECK("two mappings of one file are one", other != MAP_FAILED && other[7] == '!');
    close(again);
    CHECK("msync", msync(shared, 3 * page, MS_SYNC) == 0);
    CHECK("closing leaves the mapping", close(fd) == 0 && shared[7] == '!');
    unlink("mapped");
    CHECK("unlinking too", shared[2 * page] == 'b');
    munmap(shared, 3 * page);
    munmap(private, 3 * page);
    fd = open("short", O_RDWR | O_CREAT | O_TRUNC, 0600);
    write(fd, "abc", 3);
    shared = mmap(0, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK("past the end of the file there are zeros", shared[3] == 0 && shared[page - 1] == 0);
    shared[3] = 'd';
    struct stat status;
    CHECK("writing there does not grow it", fstat(fd, &status) == 0 && status.st_size == 3);
    if ((pid = fork()) == 0) {
        signal(SIGBUS, SIG_DFL);
        *(volatile char *)(shared + page) = 1;
        _exit(0);
    }
    CHECK("past the last page it is SIGBUS", endOf(pid) == 1000 + SIGBUS);
    ftruncate(fd, page + 10);
    shared[page] = 'g';
    CHECK("after growing it is there", pread(fd, buffer, 1, page) == 1 && buffer[0] == 'g');
    ftruncate(fd, 2);
    if ((pid = fork()) == 0) {
        signal(SIGBUS, SIG_DFL);
        buffer[0] = *(volatile char *)(shared + page);
        _exit(0);
    }
    CHECK("after shrinking SIGBUS again", endOf(pid) == 1000 + SIGBUS);
    close(fd);
    fd = open("short", O_RDONLY);
    ERROR("no shared writing of a read-only file", mmap(0, page, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, EACCES);
    CHECK("but private writing", mmap(0, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    other = mmap(0, page, PROT_READ, MAP_SHARED, fd, 0);
    ERROR("nor mprotect to it", mprotect(other, page, PROT_READ | PROT_WRITE), EACCES);
    ERROR("a directory cannot be mapped", mmap(0, page, PROT_READ, MAP_SHARED, open(".", O_RDONLY), 0) == MAP_FAILED ? -1 : 0, ENODEV);
    ERROR("nor nothing", mmap(0, 0, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, EINVAL);
    ERROR("nor at an odd offset", syscall(SYS_mmap, 0, page, PROT_READ, MAP_SHARED, fd, 7), EINVAL);
    close(fd);
}
