#define _GNU_SOURCE
#include "guestCalls.h"
#include "mailbox.h"
#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline int result(long r) { return r < 0 ? -errno : (int)r; }

int guest_memfd(const char *name, uint64_t size, int sealShrink) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -errno;
    if (ftruncate(fd, (off_t)size) < 0 || (sealShrink && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)) {
        int e = errno;
        close(fd);
        return -e;
    }
    return fd;
}

int guest_reopen_readonly(int fd) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return result(open(path, O_RDONLY | O_CLOEXEC));
}

int guest_send_fds(int socket, const int *fds, int count) {
    char byte = 0;
    struct iovec vec = { &byte, 1 };
    union { struct cmsghdr head; char room[CMSG_SPACE(2 * sizeof(int))]; } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = { .msg_iov = &vec, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int)) };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(head), fds, (size_t)count * sizeof(int));
    long r;
    do r = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (r < 0 && errno == EINTR);
    return result(r);
}

int guest_socketpair(int pair[2]) { return result(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)); }
int guest_eventfd(void) { return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }
int guest_tgkill(int pid, int tid, int signal) { return result(syscall(SYS_tgkill, pid, tid, signal)); }

int guest_futex_wait(uint32_t *word, uint32_t expected, int64_t timeoutNs) {
    struct timespec limit = { timeoutNs / 1000000000, timeoutNs % 1000000000 };
    return result(syscall(SYS_futex, word, FUTEX_WAIT, expected, timeoutNs < 0 ? NULL : &limit, NULL, 0));
}
int guest_futex_wake(uint32_t *word, int count) { return result(syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0)); }

int64_t guest_vm_read(int pid, uint64_t from, void *to, uint64_t size) {
    struct iovec here = { to, size }, there = { (void *)from, size };
    ssize_t r = process_vm_readv(pid, &here, 1, &there, 1, 0);
    return r < 0 ? -errno : r;
}
int64_t guest_vm_write(int pid, uint64_t to, const void *from, uint64_t size) {
    struct iovec here = { (void *)from, size }, there = { (void *)to, size };
    ssize_t r = process_vm_writev(pid, &here, 1, &there, 1, 0);
    return r < 0 ? -errno : r;
}

int guest_text_write(int pid, uint64_t to, const void *from, uint64_t size) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t r = pwrite(fd, from, size, (off_t)to);
    int error = r == (ssize_t)size ? 0 : r < 0 ? -errno : -EIO;
    close(fd);
    return error;
}

int guest_spawn_zygote(const char *path, int control, int area, int socket, int event) {
    /* Copies above the targets first, so that no target is overwritten before it is copied. */
    int from[4] = { control, area, socket, event }, high[4];
    for (int i = 0; i < 4; i++)
        if ((high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 16)) < 0) return -errno;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t self = getpid();
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = vfork();
    if (pid == 0) {
        char *const argv[] = { (char *)"chorus-guest", NULL }, *const envp[] = { NULL };
        sigset_t none;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self) _exit(70);
        for (int s = 1; s < 65; s++) signal(s, SIG_DFL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        for (int i = 0; i < 3; i++) dup2(null, i);
        for (int i = 0; i < 4; i++) dup2(high[i], 3 + i);
        execve(path, argv, envp);
        _exit(69);
    }
    int e = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    for (int i = 0; i < 4; i++) close(high[i]);
    close(null);
    return pid < 0 ? -e : pid;
}

int guest_event_wait(int event, int timeoutMs) {
    struct pollfd one = { event, POLLIN, 0 };
    uint64_t count;
    int r = poll(&one, 1, timeoutMs);
    if (r > 0 && read(event, &count, sizeof count) < 0) return 0;
    return r;
}
int guest_is_child(int pid) {
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}
int guest_tid(void) { return (int)syscall(SYS_gettid); }

/* Without CONFIG_PROC_CHILDREN all processes are looked at; guests keep the zygote's name (they cannot change it). */
static int children_slowly(int32_t *pids, int count) {
    DIR *proc = opendir("/proc");
    if (!proc) return -errno;
    int found = 0, self = getpid();
    for (struct dirent *entry; found < count && (entry = readdir(proc));) {
        char path[32], text[256];
        int pid = atoi(entry->d_name), parent = 0;
        if (pid <= 0) continue;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (fd >= 0) close(fd);
        if (n <= 0) continue;
        text[n] = 0;
        char *behind = strrchr(text, ')');
        if (strstr(text, "(chorus-zygote)") && behind && sscanf(behind, ") %*c %d", &parent) == 1 && parent == self) pids[found++] = pid;
    }
    closedir(proc);
    return found;
}

int guest_children(int tid, int32_t *pids, int count) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", tid);
    FILE *list = fopen(path, "re");
    if (!list) return errno == ENOENT ? children_slowly(pids, count) : -errno;
    int found = 0;
    while (found < count && fscanf(list, "%d", &pids[found]) == 1) found++;
    fclose(list);
    return found;
}

/* The fields of /proc/PID/stat behind the name; 0 if there are none. */
static int stat_fields(int pid, char *state, unsigned long long *start) {
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    char *p = strrchr(text, ')');
    return p && sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", state, start) == 2;
}

uint64_t guest_start_ticks(int pid) {
    char state;
    unsigned long long start;
    return stat_fields(pid, &state, &start) ? start : 0;
}

uint64_t guest_boot_ticks(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
    return (uint64_t)t.tv_sec * hz + (uint64_t)t.tv_nsec / (1000000000u / hz);
}

int guest_is_stopped(int pid) {
    char state = 0;
    unsigned long long start;
    return stat_fields(pid, &state, &start) && (state == 'T' || state == 't');
}

int guest_yield(void) {
    uint64_t before = __builtin_ia32_rdtsc();
    sched_yield();
    return __builtin_ia32_rdtsc() - before > MB_YIELD_LONG;
}
int guest_cpus(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) < 0 ? 1 : CPU_COUNT(&set);
}
uint64_t guest_xcr0(void) {
    uint32_t a, d;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (uint64_t)d << 32 | a;
}
uint32_t guest_fpu_size(uint64_t features) {
    uint32_t size = 512 + 64;
    for (int i = 2; i < 63; i++) {
        uint32_t a, b, c, d;
        if (!(features >> i & 1) || !__get_cpuid_count(0xd, i, &a, &b, &c, &d)) continue;
        if (b + a > size) size = b + a;
    }
    return size;
}
int guest_has_gates(void) {
    uint32_t a, b, c, d;
    return (getauxval(AT_HWCAP2) & 2 /* HWCAP2_FSGSBASE */) && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 8 & 1);
}
void *guest_map_shared(void *at, uint64_t size, int fd) {
    void *p = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);
    return p == MAP_FAILED ? NULL : p;
}
void *guest_reserve(uint64_t size) {
    void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}
int guest_unreserve(void *at, uint64_t size) {
    return mmap(at, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED ? -errno : 0;
}

int guest_usage(int pid, uint64_t *user, uint64_t *system, uint64_t *resident) {
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return -EIO;
    text[n] = 0;
    char *p = strrchr(text, ')');
    unsigned long u, s;
    long rss;
    if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld", &u, &s, &rss) != 3) return -EIO;
    uint64_t tick = 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK);
    *user = u * tick;
    *system = s * tick;
    struct timespec spent; // the process's CPU clock, ~pid << 3 | 2 (clock_getcpuclockid(3)): ticks are 10 ms
    if (clock_gettime((clockid_t)(~(unsigned)pid << 3 | 2), &spent) == 0) {
        uint64_t total = (uint64_t)spent.tv_sec * 1000000000ull + (uint64_t)spent.tv_nsec;
        if (total > *user + *system) *user = total - *system;
    }
    *resident = (uint64_t)rss * 4096;
    return 0;
}

uint64_t guest_resident(int pid, uint64_t start, uint64_t end) {
    char path[40];
    uint64_t words[512], resident = 0;
    if (end <= start || end - start > 64ull << 30) return 0;
    snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    for (uint64_t page = start / 4096; page < end / 4096;) {
        uint64_t rest = end / 4096 - page, count = rest < 512 ? rest : 512;
        ssize_t n = pread(fd, words, count * 8, (off_t)(page * 8));
        if (n <= 0) break;
        for (ssize_t i = 0; i < n / 8; i++) resident += words[i] >> 63;
        page += (uint64_t)n / 8;
    }
    close(fd);
    return resident * 4096;
}
