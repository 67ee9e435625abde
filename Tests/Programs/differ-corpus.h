/* differ-corpus.h: what once was different, each by itself. Seeds mean other sequences when the generator changes; these stay. */

/* MREMAP_DONTUNMAP of a file's memory: it moves, and the file is there once more. */
static void corpusRemapKeepsFile(void) {
    int fd = (int)CALL(SYS_open, "a", O_RDWR | O_CREAT, 0600);
    CALL(SYS_pwrite64, fd, "one", 3, 0L);
    CALL(SYS_ftruncate, fd, 4096L);
    for (int shared = 0; shared < 2; shared++) {
        CALL(SYS_mmap, FIELD, 4096L, PROT_READ | PROT_WRITE, MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE), fd, 0L);
        FIELD[1] = 'N';
        long r = CALL(SYS_mremap, FIELD, 4096L, 4096L, MREMAP_MAYMOVE | MREMAP_FIXED | 4, FIELD + 8192);
        note("moved %lx: %d %d", relative(r), touch(FIELD + 8192 + 1, 0, 0), touch(FIELD + 1, 0, 0));
        FIELD[2] = 'E';
        note("both %d %d", touch(FIELD + 2, 0, 0), touch(FIELD + 8192 + 2, 0, 0));
    }
    note("a length of one byte %lx", relative(CALL(SYS_mremap, FIELD, 4096L, 1L, 7L, FIELD + 16384)));
}

/* Locked is what lies in front of a hole, and what cannot be brought in. */
static void corpusLockedHoles(void) {
    CALL(SYS_mmap, FIELD, 4096L, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0L);
    CALL(SYS_mmap, FIELD + 8192, 4096L, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0L);
    note("mlock %ld", CALL(SYS_mlock, FIELD, 12288L));
    note("madvise %ld %ld", CALL(SYS_madvise, FIELD, 4096L, MADV_DONTNEED), CALL(SYS_madvise, FIELD + 8192, 4096L, MADV_DONTNEED));
    note("msync %ld %ld", CALL(SYS_msync, FIELD, 12288L, MS_INVALIDATE), CALL(SYS_msync, FIELD + 4096, 8192L, MS_INVALIDATE));
    note("msync %ld %ld", CALL(SYS_msync, FIELD, 12288L, MS_SYNC), CALL(SYS_msync, FIELD + 4096, 4096L, MS_ASYNC));
    note("munlock %ld", CALL(SYS_munlock, FIELD, 12288L));
    note("madvise %ld", CALL(SYS_madvise, FIELD, 4096L, MADV_DONTNEED));
}

/* select(2) takes a descriptor of O_PATH for ready; poll(2) says that it is none. */
static void corpusSelectPath(void) {
    int fd = (int)CALL(SYS_open, ".", O_PATH);
    fd_set sets[3];
    memset(sets, 0, sizeof sets);
    for (int i = 0; i < 3; i++) FD_SET(fd, &sets[i]);
    struct timeval none = {0, 0};
    long r = CALL(SYS_select, fd + 1, &sets[0], &sets[1], &sets[2], &none);
    note("select %ld %d %d %d", r, FD_ISSET(fd, &sets[0]) != 0, FD_ISSET(fd, &sets[1]) != 0, FD_ISSET(fd, &sets[2]) != 0);
    struct pollfd one = {fd, POLLIN, 0};
    r = CALL(SYS_poll, &one, 1L, 0L);
    note("poll %ld %x", r, one.revents);
}

/* Nothing at all can be locked anywhere. */
static void corpusLockNothing(void) {
    CALL(SYS_mmap, FIELD, 4096L, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0L);
    note("mlock %ld %ld %ld", CALL(SYS_mlock, FIELD, 0L), CALL(SYS_mlock, FIELD + 7, 0L), CALL(SYS_mlock, FIELD + 4096, 0L));
    note("munlock %ld %ld", CALL(SYS_munlock, FIELD, 0L), CALL(SYS_munlock, FIELD + 4096, 0L));
}

/* sendfile(2) to a pipe with O_APPEND, and to a file with it. */
static void corpusSendToAppending(void) {
    int ends[2], from = (int)CALL(SYS_open, "a", O_RDWR | O_CREAT, 0600), to = (int)CALL(SYS_open, "b", O_RDWR | O_CREAT | O_APPEND, 0600);
    CALL(SYS_pipe2, ends, O_NONBLOCK);
    CALL(SYS_fcntl, ends[1], F_SETFL, O_NONBLOCK | O_APPEND);
    CALL(SYS_pwrite64, from, "one", 3, 0L);
    note("pipe %ld file %ld", CALL(SYS_sendfile, ends[1], from, NULL, 10L), CALL(SYS_sendfile, to, from, NULL, 10L));
}

static void (*const corpus[])(void) = {corpusRemapKeepsFile, corpusLockedHoles, corpusSelectPath, corpusLockNothing,
                                      corpusSendToAppending};
