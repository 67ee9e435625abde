/* differ-memory.h: mappings, protections, files seen through memory. */
#include <setjmp.h>

#ifndef MREMAP_MAYMOVE
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2
#endif

/* A range of the address space that is this test's own: sixteen pages at a fixed place. */
#define FIELD ((char *)0x200000000000)
#define PAGES 16

static sigjmp_buf memoryBack;
static volatile sig_atomic_t memorySignal, memoryCode;

static void memoryFault(int number, siginfo_t *info, void *context) {
    (void)context;
    memorySignal = number;
    memoryCode = info->si_code;
    siglongjmp(memoryBack, 1);
}

/* Touches one byte: its value, or the signal. */
static int touch(char *address, int write, unsigned char value) {
    struct sigaction act = {.sa_sigaction = memoryFault, .sa_flags = SA_SIGINFO}, segv, bus;
    sigaction(SIGSEGV, &act, &segv);
    sigaction(SIGBUS, &act, &bus);
    int seen;
    memorySignal = 0;
    if (sigsetjmp(memoryBack, 1) == 0) {
        if (write) *(volatile unsigned char *)address = value;
        seen = *(volatile unsigned char *)address;
    } else {
        seen = 1000 * memorySignal + memoryCode;
    }
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
    return seen;
}

static char *memoryPage(void) { return FIELD + 4096 * pick(PAGES); }
static size_t memorySize(void) { return (size_t)ONE_OF(4096, 8192, 12288, 65536, 1, 5000, 0); }
static long relative(long r) { return r >= (long)FIELD && r < (long)FIELD + 4096 * 64 ? r - (long)FIELD : r > 0 ? 1 : r; }

void memoryStep(void) {
    char *at = memoryPage();
    size_t size = memorySize();
    if (at + size > FIELD + PAGES * 4096) size = 4096;
    long protection = ONE_OF(PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_NONE, PROT_READ | PROT_EXEC, PROT_WRITE);
    switch (pick(18)) {
    case 0: case 1:
        note("mmap %lx %zx %ld: %lx", (long)(at - FIELD), size, protection, relative(CALL(SYS_mmap, at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | ONE_OF(MAP_FIXED, MAP_FIXED, 0x100000), -1L, 0L)));
        break;
    case 2: case 3: {
        int fd = descriptor();
        long flags = ONE_OF(MAP_SHARED, MAP_PRIVATE, 3, 0) | MAP_FIXED, offset = ONE_OF(0, 0, 4096, 1, 65536);
        note("mmap of %d %zx %ld %lx %ld: %lx", fd, size, protection, flags, offset, relative(CALL(SYS_mmap, at, size, protection, flags, fd, offset)));
        break;
    }
    case 4: note("munmap %lx %zx: %ld", (long)(at - FIELD), size, CALL(SYS_munmap, at + ONE_OF(0, 0, 0, 1), size)); break;
    case 5: note("mprotect %lx %zx %ld: %ld", (long)(at - FIELD), size, protection, CALL(SYS_mprotect, at + ONE_OF(0, 0, 0, 1), size, protection)); break;
    case 6: {
        size_t now = memorySize();
        long flags = ONE_OF(0, 0, MREMAP_FIXED | MREMAP_MAYMOVE, MREMAP_FIXED | MREMAP_MAYMOVE | 4, 4, 8);
        if (flags & MREMAP_FIXED) size = 4096; /* several areas at once move since Linux 6.17 */
        char *to = memoryPage();
        if (to + now > FIELD + PAGES * 4096) now = 4096;
        note("mremap %lx %zx %zx %ld %lx: %lx", (long)(at - FIELD), size, now, flags, (long)(to - FIELD), relative(CALL(SYS_mremap, at, size, now, flags, to)));
        break;
    }
    case 7: case 8: case 9: note("touch %lx: %d", (long)(at - FIELD), touch(at + ONE_OF(0, 1, 4095), (int)pick(2), (unsigned char)pick(256))); break;
    case 10: {
        long flags = ONE_OF(MS_SYNC, MS_ASYNC, MS_SYNC | MS_ASYNC, MS_INVALIDATE, 99);
        note("msync %lx %zx %ld: %ld", (long)(at - FIELD), size, flags, CALL(SYS_msync, at, size, flags));
        break;
    }
    case 11: {
        long advice = ONE_OF(MADV_NORMAL, MADV_DONTNEED, MADV_WILLNEED, MADV_RANDOM, 9999, MADV_DONTFORK, MADV_DOFORK, 18, 19);
        note("madvise %lx %zx %ld: %ld", (long)(at - FIELD), size, advice, CALL(SYS_madvise, at, size, advice));
        break;
    }
    case 12: filesStep(); break;
    case 14: note("mlock %lx %zx: %ld", (long)(at - FIELD), size, CALL(SYS_mlock, at + ONE_OF(0, 0, 7), size)); break;
    case 15: note("munlock %lx %zx: %ld", (long)(at - FIELD), size, CALL(SYS_munlock, at, size)); break;
    case 16: note("mbind %lx %zx: %ld", (long)(at - FIELD), size, CALL(SYS_mbind, at, size, ONE_OF(0, 2, 3), &(long){1}, ONE_OF(0, 64), ONE_OF(0, 0, 8))); break;
    case 17: {
        pid_t pid = fork();
        if (pid == 0) _exit(touch(at, 0, 0) & 0x7f);
        note("in a child %lx: %d", (long)(at - FIELD), endOf(pid));
        break;
    }
    case 13: {
        /* Calls with addresses out of the field: EFAULT where they are not mapped. */
        int fd = descriptor();
        if (!plainFile(fd)) break; /* what could not be delivered is gone */
        long r = CALL(SYS_read, fd, at, 100L);
        note("read into %lx: %ld", (long)(at - FIELD), r);
        if (r == -EFAULT) CALL(SYS_lseek, fd, 0L, SEEK_SET); /* how far the position has moved is each system's own */
        fd = descriptor();
        CALL(SYS_lseek, fd, 0L, SEEK_SET);
        r = CALL(SYS_write, fd, at, plainFile(fd) ? ONE_OF(1, 100, 4096) : 8L);
        /* Within a page: behind it may lie this very file, which the first page makes longer. */
        note("write from %lx: %ld", (long)(at - FIELD), r);
        r = CALL(SYS_stat, ".", at);
        note("stat into: %ld", r);
        if (r == 0) memset(at, 0, sizeof(struct stat)); /* times and numbers are each system's own */
        note("name from: %ld", CALL(SYS_access, at, 0L));
        break;
    }
    }
}
