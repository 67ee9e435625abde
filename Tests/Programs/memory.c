/* memory: brk, mmap, mprotect, mremap, faults with their addresses, stack growth, copies of any size and alignment. */
#include "check.h"
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/uio.h>

static sigjmp_buf back;
static volatile uintptr_t address;
static volatile int code;
static const size_t page = 4096;

static void caught(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    address = (uintptr_t)info->si_addr;
    code = info->si_code;
    siglongjmp(back, 1);
}

/* 0: readable; else the si_code of the fault, which must name this very address. */
static int faultAt(volatile char *where, int writing) {
    code = 0;
    if (sigsetjmp(back, 1) == 0) {
        if (writing) *where = 1;
        else (void)*where;
        return 0;
    }
    return address == (uintptr_t)where ? code : -1;
}

static char *map(size_t size, int protection) {
    return mmap(0, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void breaks(void) {
    char *start = (char *)syscall(SYS_brk, 0);
    CHECK("brk tells itself", start != 0 && (char *)syscall(SYS_brk, 0) == start);
    char *up = start + 3 * page + 100;
    CHECK("brk grows", (char *)syscall(SYS_brk, up) == up);
    CHECK("with zeros", start[page] == 0 && start[3 * page + 99] == 0);
    memset(start, 7, 3 * page + 100);
    CHECK("brk shrinks", (char *)syscall(SYS_brk, start) == start);
    CHECK("and grows with zeros again", (char *)syscall(SYS_brk, up) == up && start[2 * page] == 0);
    CHECK("an impossible brk changes nothing", (char *)syscall(SYS_brk, 1) == up);
    syscall(SYS_brk, start);
}

static void mapping(void) {
    char *block = map(4 * page, PROT_READ | PROT_WRITE);
    CHECK("mmap", block != MAP_FAILED && block[0] == 0 && block[4 * page - 1] == 0);
    memset(block, 1, 4 * page);
    CHECK("munmap in the middle", munmap(block + page, page) == 0 && faultAt(block + page, 0) == SEGV_MAPERR && block[0] == 1 &&
          block[2 * page] == 1);
    CHECK("munmap of nothing", munmap(block + page, page) == 0);
    ERROR("munmap at an odd address", munmap(block + 1, page), EINVAL);
    ERROR("munmap of no length", munmap(block, 0), EINVAL);
    char *again = mmap(block + page, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK("MAP_FIXED", again == block + page && again[5] == 0);
    again = mmap(block, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK("MAP_FIXED over a map", again == block && block[0] == 0 && block[2 * page] == 1);
    again = mmap(block, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000, -1, 0);
    int error = errno;
    CHECK("MAP_FIXED_NOREPLACE", again == MAP_FAILED && error == EEXIST);
    CHECK("PROT_NONE", mprotect(block, page, PROT_NONE) == 0 && faultAt(block, 0) == SEGV_ACCERR);
    CHECK("PROT_READ", mprotect(block, page, PROT_READ) == 0 && faultAt(block, 0) == 0 && faultAt(block, 1) == SEGV_ACCERR);
    CHECK("and back", mprotect(block, page, PROT_READ | PROT_WRITE) == 0 && faultAt(block, 1) == 0);
    CHECK("mprotect of a part", mprotect(block + page, 2 * page, PROT_READ) == 0 && faultAt(block + page, 1) == SEGV_ACCERR &&
          faultAt(block + 3 * page, 1) == 0 && faultAt(block, 1) == 0);
    munmap(block + page, page);
    ERROR("mprotect over a hole", mprotect(block, 3 * page, PROT_READ), ENOMEM);
    ERROR("mprotect at an odd address", syscall(SYS_mprotect, block + 5, page, PROT_READ), EINVAL);
    munmap(block, 4 * page);
    ERROR("no mapping without a kind", mmap(0, page, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0, EINVAL);
    ERROR("nor of a closed descriptor", mmap(0, page, PROT_READ, MAP_PRIVATE, 888, 0) == MAP_FAILED ? -1 : 0, EBADF);
    ERROR("nor of more than there is", mmap(0, 1ull << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0,
          ENOMEM);
    char *instructions = map(page, PROT_READ | PROT_WRITE);
    memcpy(instructions, "\xb8\x2a\x00\x00\x00\xc3", 6); /* mov $42, %eax; ret */
    CHECK("made executable it runs", mprotect(instructions, page, PROT_READ | PROT_EXEC) == 0 &&
          ((int (*)(void))(uintptr_t)instructions)() == 42);
    munmap(instructions, page);
}

static void remapping(void) {
    char *block = map(4 * page, PROT_READ | PROT_WRITE);
    memset(block, 3, 4 * page);
    CHECK("mremap shrinks", mremap(block, 4 * page, 2 * page, 0) == block && faultAt(block + 2 * page, 0) == SEGV_MAPERR);
    CHECK("mremap grows in place", mremap(block, 2 * page, 3 * page, 0) == block && block[2 * page] == 0 && block[page] == 3);
    char *fence = mmap(block + 3 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK("no room to grow", fence == block + 3 * page);
    ERROR("mremap without moving", mremap(block, 3 * page, 8 * page, 0) == MAP_FAILED ? -1 : 0, ENOMEM);
    char *moved = mremap(block, 3 * page, 64 * page, MREMAP_MAYMOVE);
    CHECK("mremap moves", moved != MAP_FAILED && moved != block && moved[0] == 3 && moved[63 * page] == 0);
    CHECK("the old place is free", faultAt(block, 0) == SEGV_MAPERR);
    char *target = map(64 * page, PROT_READ);
    CHECK("mremap to a place", mremap(moved, 64 * page, 64 * page, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target && target[page] == 3);
    ERROR("mremap of nothing", mremap(block, page, 2 * page, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0, EFAULT);
    memset(target, 9, 4 * page);
    CHECK("MADV_DONTNEED gives zeros", madvise(target, 2 * page, MADV_DONTNEED) == 0 && target[0] == 0 && target[2 * page] == 9);
    munmap(target, 64 * page);
    munmap(fence, page);
}

static __attribute__((noinline)) int deep(int depth) {
    volatile char frame[8192];
    frame[0] = (char)depth;
    return depth == 0 ? 0 : deep(depth - 1) + (frame[0] == (char)depth);
}

static void stacks(void) {
    CHECK("the stack grows to 4 MiB", deep(500) == 500);
    static char other[32768];
    pid_t pid = fork();
    if (pid == 0) {
        sigaltstack(&(stack_t){.ss_sp = other, .ss_size = sizeof other}, 0);
        _exit(sigsetjmp(back, 1) == 0 ? deep(100000000) : 42);
    }
    CHECK("no further than its limit", endOf(pid) == 42);
    char *below = (char *)__builtin_frame_address(0) - (64 << 20);
    CHECK("far below there is nothing", faultAt(below, 1) == SEGV_MAPERR);
}

/* What RLIMIT_AS, RLIMIT_DATA and RLIMIT_MEMLOCK say to brk and to mappings. */
static long sizeNow(void) {
    char text[100] = {0};
    int fd = open("/proc/self/statm", O_RDONLY);
    read(fd, text, sizeof text - 1);
    close(fd);
    return atol(text) * 4096;
}
static char *breakAt(char *address) { return (char *)syscall(SYS_brk, address); }
static void limits(void) {
    char *page = map(4096, PROT_READ | PROT_WRITE);
    pid_t pid = fork();
    if (pid == 0) {
        failures = 0;
        char *start = breakAt(0);
        rlim_t all = (rlim_t)sizeNow() + (4 << 20);
        setrlimit(RLIMIT_AS, &(struct rlimit){all, all});
        CHECK("the break within RLIMIT_AS", breakAt(start + (1 << 20)) == start + (1 << 20));
        CHECK("not beyond it", breakAt(start + (16 << 20)) == start + (1 << 20));
        ERROR("nor a mapping", (long)mmap(0, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
        ERROR("nor one that grows", (long)mremap(page, 4096, 16 << 20, MREMAP_MAYMOVE), ENOMEM);
        char *room = map(2 << 20, PROT_NONE);
        CHECK("a mapping within it", room != MAP_FAILED);
        CHECK("which counts for the break", breakAt(start + (3 << 20)) == start + (1 << 20));
        munmap(room, 2 << 20);
        CHECK("until it is gone", breakAt(start + (3 << 20)) == start + (3 << 20));
        CHECK("and down again", breakAt(start) == start);
        _exit(failures);
    }
    CHECK("RLIMIT_AS", endOf(pid) == 0);
    pid = fork();
    if (pid == 0) {
        failures = 0;
        char *start = breakAt(0), *room = map(1 << 20, PROT_READ);
        setrlimit(RLIMIT_DATA, &(struct rlimit){4096, 4096});
        CHECK("no break beyond RLIMIT_DATA", breakAt(start + (1 << 20)) == start);
        ERROR("no memory of its own", (long)mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
        ERROR("none that becomes it", mprotect(room, 1 << 20, PROT_READ | PROT_WRITE), ENOMEM);
        CHECK("but to read", map(1 << 20, PROT_READ) != MAP_FAILED);
        CHECK("and shared", mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
        _exit(failures);
    }
    CHECK("RLIMIT_DATA", endOf(pid) == 0);
    pid = fork();
    if (pid == 0) {
        failures = 0;
        char *start = breakAt(0);
        setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){256 << 20, 256 << 20});
        CHECK("mlockall", mlockall(MCL_FUTURE) == 0 && breakAt(start + 8192) == start + 8192);
        ERROR("the break is locked", madvise((char *)(((long)start + 4095) & -4096), 4096, MADV_DONTNEED), EINVAL);
        _exit(failures);
    }
    CHECK("MCL_FUTURE", endOf(pid) == 0);
}

/* One byte pattern through a pipe and a file, for sizes around every boundary, at odd addresses. */
static void copies(void) {
    static const size_t sizes[] = {1, 7, 63, 64, 65, 511, 4095, 4096, 4097, 8191, 65535, 65536, 65537, 1 << 20, (1 << 20) + 13, 9 << 20};
    char *from = map(10 << 20, PROT_READ | PROT_WRITE), *to = map(10 << 20, PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < (size_t)10 << 20; i++) from[i] = (char)(i * 31 + (i >> 12));
    int fd = open("copies", O_RDWR | O_CREAT | O_TRUNC, 0600), good = 1;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int shift = 0; shift < 4096; shift += 1365) {
            memset(to, 0, sizes[i] + 4096);
            good &= pwrite(fd, from + shift, sizes[i], shift) == (ssize_t)sizes[i];
            good &= pread(fd, to + shift + 1, sizes[i], shift) == (ssize_t)sizes[i];
            good &= memcmp(from + shift, to + shift + 1, sizes[i]) == 0 && to[shift] == 0 && to[shift + 1 + sizes[i]] == 0;
        }
    CHECK("file copies of 16 sizes at four alignments", good);
    struct iovec parts[64];
    size_t total = 0;
    for (int i = 0; i < 64; i++) {
        parts[i] = (struct iovec){from + i * 10000, (size_t)i * 150 + (i % 3)};
        total += parts[i].iov_len;
    }
    CHECK("pwritev of 64 parts", pwritev(fd, parts, 64, 100) == (ssize_t)total);
    memset(to, 0, total);
    CHECK("preadv back in two", preadv(fd, (struct iovec[2]){{to, 1000}, {to + 1000, total}}, 2, 100) >= (ssize_t)total &&
          memcmp(to + parts[1].iov_len, from + 20000, parts[2].iov_len) == 0);
    ERROR("more than 1024 parts", syscall(SYS_writev, fd, parts, 1025), EINVAL);
    char *edge = map(2 * page, PROT_READ | PROT_WRITE);
    munmap(edge + page, page);
    int ends[2];
    pipe(ends);
    CHECK("a buffer that ends at its page", write(ends[1], edge + page - 10, 10) == 10 && read(ends[0], edge + page - 10, 10) == 10);
    CHECK("a buffer cut by a hole", write(fd, edge + page - 10, 20) == 10);
    ERROR("a buffer beyond it", write(fd, edge + page, 20), EFAULT);
    ERROR("a structure cut by a hole", syscall(SYS_fstat, fd, edge + page - 10), EFAULT);
    ERROR("a string cut by a hole", (memset(edge, 'x', page), open(edge + page - 10, O_RDONLY)), EFAULT);
    strcpy(edge + page - 10, "/dev/null");
    CHECK("a string that ends at its page", open(edge + page - 10, O_RDONLY) >= 0);
    ERROR("an address no program has", write(fd, (void *)0xffff800000000000ull, 4), EFAULT);
    ERROR("a length no program has", syscall(SYS_write, fd, from, -1L), EFAULT);
    unlink("copies");
}

static void sharing(void) {
    int *shared = mmap(0, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *own = (int *)map(page, PROT_READ | PROT_WRITE);
    *own = 1;
    pid_t pid = fork();
    if (pid == 0) {
        *shared = 4711;
        *own = 2;
        pid_t grandchild = fork();
        if (grandchild == 0) _exit(++*shared == 4712 ? 0 : 1);
        _exit(endOf(grandchild));
    }
    CHECK("shared memory over two forks, private not", endOf(pid) == 0 && *shared == 4712 && *own == 1);
    size_t size = 32 << 20;
    char *large = map(size, PROT_READ | PROT_WRITE);
    memset(large, 5, size);
    if ((pid = fork()) == 0) {
        long wrong = 0;
        for (size_t i = 0; i < size; i += page) wrong += large[i] != 5, large[i] = 6;
        _exit(wrong == 0 ? 0 : 1);
    }
    CHECK("32 MiB copied on write", endOf(pid) == 0);
    long wrong = 0;
    for (size_t i = 0; i < size; i += page) wrong += large[i] != 5;
    CHECK("and unchanged here", wrong == 0);
    struct rlimit limit;
    CHECK("getrlimit", getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= 1 << 20 && limit.rlim_cur <= limit.rlim_max);
    struct rlimit files = {32, 32};
    if ((pid = fork()) == 0) {
        setrlimit(RLIMIT_NOFILE, &files);
        int fd, last = -1;
        while ((fd = dup(1)) >= 0) last = fd;
        _exit(errno == EMFILE && last == 31 ? 0 : 1);
    }
    CHECK("RLIMIT_NOFILE", endOf(pid) == 0);
    unsigned char random[32] = {0}, none[32] = {0};
    CHECK("getrandom", syscall(SYS_getrandom, random, 32, 0) == 32 && memcmp(random, none, 32) != 0);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, 0);
    setrlimit(RLIMIT_STACK, &(struct rlimit){8 << 20, RLIM_INFINITY});
    breaks();
    mapping();
    remapping();
    stacks();
    limits();
    copies();
    sharing();
    return finish();
}
