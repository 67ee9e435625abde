/* remote: the memory of other processes (process_vm_readv, process_vm_writev), kcmp, membarrier, protection keys. */
#include "check.h"
#include <sys/epoll.h>
#include <sys/uio.h>

static const size_t page = 4096;

static ssize_t reads(pid_t pid, void *to, void *from, size_t size) {
    struct iovec local = {to, size}, remote = {from, size};
    return syscall(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0);
}
static ssize_t writes(pid_t pid, void *to, void *from, size_t size) {
    struct iovec local = {from, size}, remote = {to, size};
    return syscall(SYS_process_vm_writev, pid, &local, 1, &remote, 1, 0);
}

static void memories(void) {
    char *block = mmap(0, 50 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *buffer = malloc(50 * page);
    munmap(block + 40 * page, 10 * page);
    mprotect(block + 30 * page, page, PROT_READ);
    int ready[2];
    pipe(ready);
    for (size_t i = 0; i < 30 * page; i++) block[i] = i * 7;
    pid_t pid = fork();
    if (pid == 0) {
        for (size_t i = 0; i < 30 * page; i++) block[i] = i * 11;
        write(ready[1], "x", 1);
        pause();
        _exit(block[5] == 'w' && block[29 * page] == 'e' ? 0 : 1);
    }
    read(ready[0], buffer, 1);
    int same = reads(pid, buffer, block, 30 * page) == (ssize_t)(30 * page);
    for (size_t i = 0; i < 30 * page && same; i++) same = buffer[i] == (char)(i * 11);
    CHECK("a child's memory", same && block[1] == 7);
    CHECK("up to where it ends", reads(pid, buffer, block + 39 * page, 2 * page) == (ssize_t)page);
    ERROR("where there is none", reads(pid, buffer, block + 40 * page, 10), EFAULT);
    ERROR("to where there is none", reads(pid, block + 40 * page, block, 10), EFAULT);
    CHECK("its memory is written", writes(pid, block + 5, "w", 1) == 1 && reads(pid, buffer, block + 4, 3) == 3 && buffer[1] == 'w');
    ERROR("not where it may not itself", writes(pid, block + 30 * page, "w", 1), EFAULT);
    struct iovec local[2] = {{buffer, 3}, {buffer + 10, 100}}, remote[3] = {{block + 1, 2}, {block + page, 4}, {block + 45 * page, 4}};
    CHECK("several ranges", syscall(SYS_process_vm_readv, pid, local, 2, remote, 2, 0) == 6 && buffer[0] == 11 && buffer[2] == (char)(page * 11) &&
          buffer[10] == (char)((page + 1) * 11));
    CHECK("the last of them missing", syscall(SYS_process_vm_readv, pid, local, 2, remote, 3, 0) == 6);
    CHECK("nothing", syscall(SYS_process_vm_readv, pid, local, 0, remote, 0, 0) == 0);
    ERROR("with flags", syscall(SYS_process_vm_readv, pid, local, 2, remote, 2, 1), EINVAL);
    ERROR("too many ranges", syscall(SYS_process_vm_readv, pid, local, 2, remote, 1025, 0), EINVAL);
    ERROR("of nobody", reads(1 << 22, buffer, block, 10), ESRCH);
    CHECK("of itself", reads(getpid(), buffer, block, 10) == 10 && buffer[1] == 7);
    pid_t other = fork();
    if (other == 0) {
        setresgid(99, 99, 99);
        setresuid(99, 99, 99);
        _exit(reads(pid, buffer, block, 10) == -1 ? errno : 0);
    }
    CHECK("of another user", endOf(other) == EPERM);
    kill(pid, SIGKILL);
    endOf(pid);
}

static long compare(pid_t other, int type, long a, long b) { return syscall(SYS_kcmp, getpid(), other, type, a, b); }

static void comparing(void) {
    int one = open("/dev/null", O_RDONLY), two = dup(one), three = open("/dev/null", O_RDONLY);
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    CHECK("a duplicate is the same", compare(getpid(), 0, one, two) == 0 && compare(pid, 0, one, two) == 0);
    long order = compare(pid, 0, one, three);
    CHECK("another is another", (order == 1 || order == 2) && compare(getpid(), 0, three, one) == 3 - order);
    ERROR("no descriptor", compare(pid, 0, one, 99), EBADF);
    CHECK("a child has its own of all", compare(pid, 1, 0, 0) > 0 && compare(pid, 2, 0, 0) > 0 && compare(pid, 3, 0, 0) > 0 && compare(pid, 4, 0, 0) > 0);
    CHECK("and is itself", compare(getpid(), 1, 0, 0) == 0 && compare(getpid(), 2, 0, 0) == 0 && compare(getpid(), 6, 0, 0) == 0);
    ERROR("what", compare(pid, 9, 0, 0), EINVAL);
    ERROR("nobody", compare(1 << 22, 1, 0, 0), ESRCH);
    int set = epoll_create1(0), ends[2];
    pipe(ends);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event);
    uint32_t slot[3] = {set, ends[0], 0};
    CHECK("what epoll watches", compare(getpid(), 7, ends[0], (long)slot) == 0);
    slot[2] = 1;
    ERROR("and no second", compare(getpid(), 7, ends[0], (long)slot), ENOENT);
    kill(pid, SIGKILL);
    endOf(pid);
}

static void barriers(void) {
    long commands = syscall(SYS_membarrier, 0, 0, 0);
    CHECK("MEMBARRIER_CMD_QUERY", commands > 0 && (commands & 0x1f) == 0x1f);
    ERROR("not registered", syscall(SYS_membarrier, 8, 0, 0), EPERM);
    CHECK("registered", syscall(SYS_membarrier, 16, 0, 0) == 0 && syscall(SYS_membarrier, 8, 0, 0) == 0);
    CHECK("of all", syscall(SYS_membarrier, 1, 0, 0) == 0 && syscall(SYS_membarrier, 2, 0, 0) == 0);
    ERROR("with flags", syscall(SYS_membarrier, 1, 7, 0), EINVAL);
    ERROR("an unknown one", syscall(SYS_membarrier, 1 << 20, 0, 0), EINVAL);
}

static void protections(void) {
    char *block = mmap(0, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK("pkey_mprotect without a key", syscall(SYS_pkey_mprotect, block, page, PROT_READ, -1) == 0);
    ERROR("with one that is not", syscall(SYS_pkey_mprotect, block, page, PROT_READ, 15), EINVAL);
    ERROR("pkey_alloc with flags", syscall(SYS_pkey_alloc, 1, 0), EINVAL);
    ERROR("pkey_free of none", syscall(SYS_pkey_free, 15), EINVAL);
    ERROR("PROT_GROWSDOWN of no stack", mprotect(block, page, PROT_READ | PROT_GROWSDOWN), EINVAL);
    char here;
    char *stack = (char *)((uintptr_t)&here & ~(page - 1));
    CHECK("of the stack", mprotect(stack, page, PROT_READ | PROT_WRITE | PROT_GROWSDOWN) == 0);
    ERROR("both ways", mprotect(stack, page, PROT_READ | PROT_WRITE | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
}

int main(void) {
    memories();
    comparing();
    barriers();
    protections();
    return finish();
}
