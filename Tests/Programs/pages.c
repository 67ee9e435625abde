/* pages: what programs say about their memory: locks, seals, advice on forks, moves, growing downwards, memory files. */
#include "check.h"
#include <setjmp.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/utsname.h>

static const size_t page = 4096;
static sigjmp_buf back;

static void caught(int number) { siglongjmp(back, number); }
static int faults(volatile char *at, int writes) {
    int number = sigsetjmp(back, 1);
    if (number) return number;
    if (writes) *at = 1;
    else (void)*at;
    return 0;
}
static char *map(size_t pages) { return mmap(0, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

static long lockedKb(void) {
    char text[4096], *line;
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    text[size > 0 ? size : 0] = 0;
    return (line = strstr(text, "VmLck:")) ? atol(line + 6) : -1;
}

static void locks(void) {
    char *block = map(8);
    munmap(block + 6 * page, page);
    struct rlimit limit = {4 * page, 4 * page};
    setrlimit(RLIMIT_MEMLOCK, &limit);
    syscall(SYS_setresuid, 99, 99, 99);
    CHECK("mlock", mlock(block + 10, page) == 0 && lockedKb() == 8);
    CHECK("what is locked counts once", mlock(block, 4 * page) == 0 && lockedKb() == 16);
    ERROR("not beyond the limit", mlock(block, 5 * page), ENOMEM);
    CHECK("munlock", munlock(block + page, page) == 0 && lockedKb() == 12);
    ERROR("over a hole", munlock(block + 5 * page, 3 * page), ENOMEM);
    CHECK("mlock2", syscall(SYS_mlock2, block + page, page, 1) == 0);
    ERROR("with an unknown flag", syscall(SYS_mlock2, block, page, 2), EINVAL);
    ERROR("MS_INVALIDATE of what is locked", msync(block, page, MS_INVALIDATE), EBUSY);
    ERROR("what may not be looked at", (mprotect(block + 5 * page, page, PROT_NONE), mlock(block + 5 * page, page)), ENOMEM);
    munlock(block + 5 * page, page);
    ERROR("MADV_DONTNEED too", madvise(block, page, MADV_DONTNEED), EINVAL);
    ERROR("MAP_LOCKED beyond the limit", (long)mmap(0, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EAGAIN);
    pid_t pid = fork();
    if (pid == 0) _exit(lockedKb());
    CHECK("not inherited", endOf(pid) == 0);
    CHECK("munmap unlocks", munmap(block, 4 * page) == 0 && lockedKb() == 0);
    ERROR("mlockall of more than may be", mlockall(MCL_CURRENT), ENOMEM);
    CHECK("MCL_FUTURE", mlockall(MCL_FUTURE) == 0 && (block = map(3)) != MAP_FAILED && lockedKb() == 12);
    ERROR("what is to come does not fit", (long)map(2), EAGAIN);
    CHECK("munlockall", munlockall() == 0 && lockedKb() == 0 && map(2) != MAP_FAILED);
    ERROR("mlockall of nothing", mlockall(0), EINVAL);
    ERROR("MCL_ONFAULT alone", mlockall(4), EINVAL);
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_MEMLOCK, &limit);
    ERROR("nothing may be locked", mlock(block, page), EPERM);
}

static int sealing;
#define SEAL(name, condition) CHECK(name, !sealing || (condition))
static void seals(void) {
    struct utsname system;
    uname(&system);
    sealing = syscall(462, 0L, 0L, 0L) == 0 || strstr(system.release, "chorus"); /* since Linux 6.10 */
    char *block = map(6);
    munmap(block + 5 * page, page);
    SEAL("mseal", syscall(462, block + page, 2 * page, 0L) == 0);
    SEAL("with flags", syscall(462, block, page, 1L) == -1 && errno == EINVAL);
    SEAL("over a hole", syscall(462, block + 4 * page, 2 * page, 0L) == -1 && errno == ENOMEM);
    SEAL("no munmap", munmap(block + 2 * page, 2 * page) == -1 && errno == EPERM);
    SEAL("no mprotect", mprotect(block, 2 * page, PROT_READ) == -1 && errno == EPERM);
    SEAL("no mremap", mremap(block + page, page, 2 * page, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM);
    SEAL("no MAP_FIXED", mmap(block, 2 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EPERM);
    SEAL("it works on", (block[page] = 5) == 5 && madvise(block + page, page, MADV_DONTNEED) == 0 && block[page] == 0);
}

static void forking(void) {
    char *block = map(4);
    memset(block, 7, 4 * page);
    CHECK("MADV_WIPEONFORK, MADV_DONTFORK", madvise(block + page, page, 18) == 0 && madvise(block + 2 * page, page, MADV_DONTFORK) == 0);
    pid_t pid = fork();
    if (pid == 0) _exit(block[0] == 7 && block[page] == 0 && block[3 * page] == 7 && faults(block + 2 * page, 0) == SIGSEGV ? 0 : 1);
    CHECK("hold", endOf(pid) == 0 && block[page] == 7 && block[2 * page] == 7);
    CHECK("MADV_KEEPONFORK, MADV_DOFORK", madvise(block + page, page, 19) == 0 && madvise(block + 2 * page, page, MADV_DOFORK) == 0);
    pid = fork();
    if (pid == 0) _exit(block[page] == 7 && block[2 * page] == 7 ? 0 : 1);
    CHECK("take back", endOf(pid) == 0);
    char *shared = mmap(0, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ERROR("MADV_WIPEONFORK of what is shared", madvise(shared, page, 18), EINVAL);
    ERROR("MADV_FREE too", madvise(shared, page, 8), EINVAL);
}

static void moves(void) {
    char *block = map(4), *target = map(8);
    strcpy(block, "here");
    char *moved = mremap(block, page, page, MREMAP_MAYMOVE | 4 /* MREMAP_DONTUNMAP */, NULL);
    CHECK("MREMAP_DONTUNMAP", moved != MAP_FAILED && moved != block && strcmp(moved, "here") == 0 && block[0] == 0);
    ERROR("of another size", (long)mremap(moved, page, 2 * page, MREMAP_MAYMOVE | 4, NULL), EINVAL);
    ERROR("without leave to move", (long)mremap(moved, page, page, 4, NULL), EINVAL);
    CHECK("to a place", mremap(moved, page, page, MREMAP_MAYMOVE | MREMAP_FIXED | 4, target) == target && strcmp(target, "here") == 0);
    int fd = open("pages-data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, 4 * page);
    char *file = mmap(0, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (int i = 0; i < 4; i++) file[i * page] = 'a' + i;
    char *again = mremap(file + page, 0, 2 * page, MREMAP_MAYMOVE);
    CHECK("of length 0 a second mapping", again != MAP_FAILED && again[0] == 'b' && (again[page] = 'x') == file[2 * page]);
    ERROR("not of private memory", (long)mremap(block, 0, page, MREMAP_MAYMOVE), EINVAL);
    CHECK("remap_file_pages", syscall(SYS_remap_file_pages, file, page, 0, 3, 0) == 0 && file[0] == 'd' && file[page] == 'b');
    ERROR("with a protection", syscall(SYS_remap_file_pages, file, page, 1, 3, 0), EINVAL);
    ERROR("of no file", syscall(SYS_remap_file_pages, block, page, 0, 3, 0), EINVAL);
    CHECK("MADV_REMOVE", madvise(file + page, page, MADV_REMOVE) == 0 && file[page] == 0 && again[0] == 0);
    ERROR("of no file", madvise(block, page, MADV_REMOVE), EINVAL);
    ERROR("MAP_SHARED_VALIDATE of an unknown flag", (long)mmap(0, page, PROT_READ, 3 | 0x80000 /* MAP_SYNC */, fd, 0), EOPNOTSUPP);
    ERROR("of memory", (long)mmap(0, page, PROT_READ, 3 | MAP_ANONYMOUS, -1, 0), EINVAL);
    ERROR("MAP_HUGETLB", (long)mmap(0, 1 << 21, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | 0x40000, -1, 0), ENOMEM);
    close(fd);
    unlink("pages-data");
}

static void grows(void) {
    char *hole = mmap(0, 2000 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(hole, 2000 * page);
    char *block = mmap(hole + 1900 * page, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    CHECK("MAP_GROWSDOWN", block != MAP_FAILED && faults(block - 10, 1) == 0 && faults(block - 50 * page, 1) == 0 && block[-10] == 1);
    CHECK("only downwards", faults(block + page, 0) == SIGSEGV);
    CHECK("PROT_GROWSDOWN", mprotect(block, page, PROT_READ | PROT_GROWSDOWN) == 0 && faults(block - 50 * page, 1) == SIGSEGV);
}

static void memoryFiles(void) {
    int fd = syscall(SYS_memfd_create, "sealed", 3);
    ftruncate(fd, page);
    char *block = mmap(0, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ERROR("F_SEAL_WRITE of what is mapped to be written", fcntl(fd, 1033, 8), EBUSY);
    munmap(block, page);
    CHECK("F_SEAL_WRITE", fcntl(fd, 1033, 8) == 0 && fcntl(fd, 1034) == 8);
    ERROR("no more writing", write(fd, "x", 1), EPERM);
    ERROR("nor mapping to write", (long)mmap(0, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
    CHECK("private mappings are", mmap(0, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    ERROR("an unknown seal", fcntl(fd, 1033, 0x100), EINVAL);
    CHECK("F_SEAL_SEAL", fcntl(fd, 1033, 1) == 0);
    ERROR("is the last", fcntl(fd, 1033, 4), EPERM);
    int other = syscall(SYS_memfd_create, "other", 0);
    CHECK("without MFD_ALLOW_SEALING", fcntl(other, 1034) == 1);
    ERROR("an unknown flag", syscall(SYS_memfd_create, "x", 0x100), EINVAL);
    ERROR("executable and not", syscall(SYS_memfd_create, "x", 0x18), EINVAL);
    struct stat status;
    CHECK("fchmod, fchown", fchmod(other, 0640) == 0 && fchown(other, 99, -1) == 0 && fstat(other, &status) == 0 &&
          (status.st_mode & 07777) == 0640 && status.st_uid == 99 && status.st_gid == getegid());
    int ends[2];
    pipe(ends);
    struct timespec times[2] = {{77, 0}, {88, 0}};
    CHECK("of a pipe, at its other end too", fchmod(ends[0], 0123) == 0 && futimens(ends[0], times) == 0 && fstat(ends[1], &status) == 0 &&
          (status.st_mode & 07777) == 0123 && status.st_mtim.tv_sec == 88);
    setresgid(98, 98, 98);
    setresuid(98, 98, 98);
    ERROR("not of another's", fchmod(other, 0600), EPERM);
    ERROR("nor given away", fchown(other, 98, -1), EPERM);
}

static void personalities(const char *self) {
    CHECK("personality", personality(0xffffffff) == 0 && personality(ADDR_NO_RANDOMIZE) == 0 && personality(0xffffffff) == ADDR_NO_RANDOMIZE);
    char seen[2][64] = {{0}};
    for (int i = 0; i < 2; i++) {
        int ends[2];
        pipe(ends);
        pid_t pid = fork();
        if (pid == 0) {
            dup2(ends[1], 1);
            execl(self, self, "where", NULL);
            _exit(99);
        }
        close(ends[1]);
        read(ends[0], seen[i], 63);
        close(ends[0]);
        endOf(pid);
    }
    CHECK("ADDR_NO_RANDOMIZE", seen[0][0] && strcmp(seen[0], seen[1]) == 0);
    personality(UNAME26);
    struct utsname system;
    CHECK("UNAME26", uname(&system) == 0 && strncmp(system.release, "2.6.", 4) == 0);
    personality(PER_LINUX32);
    CHECK("PER_LINUX32", uname(&system) == 0 && strcmp(system.machine, "i686") == 0);
    personality(READ_IMPLIES_EXEC);
    char *code = mmap(0, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    code[0] = (char)0xc3; /* ret */
    ((void (*)(void))code)();
    CHECK("READ_IMPLIES_EXEC", 1);
}

int main(int count, char **words) {
    if (count == 2) {
        char here;
        printf("%p %p\n", (void *)&here, (void *)map(1));
        return 0;
    }
    signal(SIGSEGV, caught);
    void (*const parts[])(void) = {locks, seals, forking, moves, grows, memoryFiles};
    runApart(parts, sizeof parts / sizeof *parts);
    personalities(words[0]);
    return finish();
}
