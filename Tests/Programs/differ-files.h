/* differ-files.h: opening, reading, writing, positions, sizes, holes, locks. */

int descriptor(void) { return pick(8) ? 3 + (int)pick(5) : (int)ONE_OF(-1, 63, 9, AT_FDCWD, 1000000); }

/* What takes any number of bytes at any time: neither a pipe, whose room is each system's own, nor an event. */
static int plainFile(int fd) {
    struct stat s;
    return CALL(SYS_fstat, fd, &s) != 0 || S_ISREG(s.st_mode) || S_ISDIR(s.st_mode);
}

/* Sizes that meet page and buffer limits. */
static size_t length(void) { return (size_t)ONE_OF(0, 1, 3, 100, 4095, 4096, 4097, 10000, 65536); }
static long place(void) { return ONE_OF(0, 1, 2, 100, 4095, 4096, 5000, 12288, 65536, -1, -100); }

static void filesRead(int fd) {
    static unsigned char room[70000];
    size_t size = length();
    memset(room, 0x5a, size);
    long at = place(), r;
    struct iovec parts[3] = {{room, size / 3}, {NULL, 0}, {room + size / 3, size - size / 3}};
    switch (pick(4)) {
    case 0: case 1: r = CALL(SYS_read, fd, room, size); break;
    case 2: r = CALL(SYS_pread64, fd, room, size, at); break;
    default: r = pick(2) ? CALL(SYS_readv, fd, parts, 3) : CALL(SYS_preadv2, fd, parts, ONE_OF(0, 3, -1, 2000), at, 0L, ONE_OF(0, 0, 0x8000)); break;
    }
    note("read %d %zu %ld: %ld %u", fd, size, at, r, sum(room, size));
}

static void filesWrite(int fd) {
    size_t size = length();
    if (!plainFile(fd)) size = 8;
    const void *from = bytes(size);
    long at = place(), r;
    struct iovec parts[2] = {{(void *)from, size / 2}, {(char *)from + size / 2, size - size / 2}};
    switch (pick(4)) {
    case 0: case 1: r = CALL(SYS_write, fd, from, size); break;
    case 2: r = CALL(SYS_pwrite64, fd, from, size, at); break;
    default: r = plainFile(fd) ? CALL(SYS_writev, fd, parts, 2) : 0; break;
    }
    note("write %d %zu %ld: %ld", fd, size, at, r);
}

static void filesLock(int fd) {
    struct flock lock = {.l_type = (short)ONE_OF(F_RDLCK, F_WRLCK, F_UNLCK, 7), .l_whence = (short)ONE_OF(0, 0, 1, 2, 9), .l_start = place(), .l_len = ONE_OF(0, 1, 100, -1)};
    long command = ONE_OF(F_SETLK, F_GETLK, F_SETLK, 37 /* F_OFD_SETLK */, 36 /* F_OFD_GETLK */);
    struct stat s;
    if (CALL(SYS_fstat, fd, &s) == 0 && !S_ISREG(s.st_mode)) return; /* nobody locks the others */
    if (command == 36 && lock.l_type == F_UNLCK) return;             /* means something since Linux 6.5 */
    long r = CALL(SYS_fcntl, fd, command, &lock);
    note("lock %d %ld: %ld type %d start %lld", fd, command, r, lock.l_type, (long long)lock.l_start);
    /* Another process sees it. */
    if (pick(2)) return;
    pid_t pid = fork();
    if (pid == 0) {
        struct flock other = {.l_type = F_WRLCK};
        long seen = CALL(SYS_fcntl, fd, F_GETLK, &other);
        _exit(seen == 0 ? 1 + (other.l_type != F_UNLCK) : 0); /* of several, which one is told is not said */
    }
    note("  seen %d", endOf(pid));
}

void filesStep(void) {
    int fd = descriptor();
    struct stat s;
    switch (pick(16)) {
    case 0: case 1: case 2: {
        const char *path = name();
        long flags = ONE_OF(O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_WRONLY | O_CREAT | O_TRUNC,
                            O_RDWR | O_CREAT | O_APPEND, O_RDONLY | O_DIRECTORY, O_PATH, O_RDONLY | O_NOFOLLOW, O_RDWR | O_DIRECTORY, O_RDWR | O_CREAT | O_DIRECTORY);
        note("open %s %lo: %ld", path, flags, CALL(SYS_open, path, flags | O_NONBLOCK, ONE_OF(0644, 0600, 0, 0777, 07777)));
        break;
    }
    case 3: case 4: filesRead(fd); break;
    case 5: case 6: filesWrite(fd); break;
    case 7: {
        long whence = ONE_OF(SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 9), at = place();
        if (CALL(SYS_fstat, fd, &s) == 0 && S_ISDIR(s.st_mode)) break; /* each file system's own, as where holes lie */
        long r = CALL(SYS_lseek, fd, at, whence);
        if (whence >= SEEK_DATA && r > 0) r = CALL(SYS_lseek, fd, 0L, SEEK_SET);
        note("lseek %d %ld %ld: %ld", fd, at, whence, r);
        break;
    }
    case 8: note("ftruncate %d %ld", fd, CALL(SYS_ftruncate, fd, place())); break;
    case 9: {
        long r = CALL(SYS_fstat, fd, &s);
        if (r == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode)) note("fstat %d kind %o", fd, s.st_mode & S_IFMT);
        else showStat("fstat", r, &s);
        break;
    }
    case 10: {
        long mode = ONE_OF(0, 1, 3, 0x10, 0x11, 0x40), at = place(), size = ONE_OF(0, 1, 4096, 10000, -5);
        long r = CALL(SYS_fallocate, fd, mode, at, size);
        if (r == -EOPNOTSUPP) r = 0; /* by the file system */
        note("fallocate %d %ld %ld", fd, mode, mode & ~3 ? 0 : r);
        break;
    }
    case 11: note("close %d %ld", fd, CALL(SYS_close, fd)); break;
    case 12: filesLock(fd); break;
    case 13: {
        long how = ONE_OF(LOCK_SH | LOCK_NB, LOCK_EX | LOCK_NB, LOCK_UN, 0, 99);
        if (plainFile(fd)) note("flock %d %ld: %ld", fd, how, CALL(SYS_flock, fd, how));
    }; break;
    case 14: {
        long to = descriptor();
        int64_t from = ONE_OF(0, 5, 4096), at = ONE_OF(0, 100);
        long size = ONE_OF(1, 100, 5000, 70000);
        if (!plainFile(fd) || !plainFile(to)) size = 100;
        struct stat t;
        int same = CALL(SYS_fstat, fd, &s) == 0 && CALL(SYS_fstat, to, &t) == 0 && s.st_ino == t.st_ino && S_ISREG(s.st_mode);
        if (same) break; /* what a file copied into itself holds depends on the pieces */
        if (pick(2)) note("copy_file_range %d %ld: %ld", fd, to, CALL(SYS_copy_file_range, fd, pick(2) ? &from : NULL, to, pick(2) ? &at : NULL, size, 0L));
        else note("sendfile %ld %d: %ld", to, fd, CALL(SYS_sendfile, to, fd, pick(2) ? &from : NULL, size));
        note("  offsets %lld %lld", (long long)from, (long long)at);
        break;
    }
    case 15: note("fsync %d %ld", fd, pick(2) ? CALL(SYS_fsync, fd) : CALL(SYS_fdatasync, fd)); break;
    }
}
