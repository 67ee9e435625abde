/* pidfds: processes by descriptor: open, poll, epoll, signals, descriptors of others, waitid; clone3 and its arguments. */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#define P_PIDFD_ 3

struct cloneArguments {
    uint64_t flags, pidfd, childTid, parentTid, exitSignal, stack, stackSize, tls, setTid, setTidSize, cgroup, more;
};

static int pidfdOpen(pid_t pid, unsigned flags) { return syscall(434, pid, flags); }
static int pidfdSend(int fd, int signal, void *info, unsigned flags) { return syscall(424, fd, signal, info, flags); }
static long clone3(struct cloneArguments *arguments, size_t size) { return syscall(SYS_clone3, arguments, size); }

static pid_t sleeper(void) {
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) pause();
    }
    return pid;
}

static int ready(int fd, int timeout) {
    struct pollfd one = {fd, POLLIN, 0};
    return poll(&one, 1, timeout) == 1 ? one.revents : 0;
}

static void *idle(void *argument) {
    *(pid_t *)argument = syscall(SYS_gettid);
    pause();
    return 0;
}

static void opening(void) {
    ERROR("flags that are none", pidfdOpen(getpid(), 4), EINVAL);
    ERROR("process 0", pidfdOpen(0, 0), EINVAL);
    ERROR("a negative process", pidfdOpen(-7, 0), EINVAL);
    ERROR("nobody", pidfdOpen(4194303, 0), ESRCH);
    pid_t pid = sleeper();
    int fd = pidfdOpen(pid, 0);
    CHECK("opens", fd >= 0);
    CHECK("closes on exec", fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK("has read and write", (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
    char byte;
    ERROR("is not read", read(fd, &byte, 1), EINVAL);
    CHECK("is quiet while it runs", ready(fd, 0) == 0);
    CHECK("may be signalled", pidfdSend(fd, 0, 0, 0) == 0);
    ERROR("with a signal", pidfdSend(fd, 65, 0, 0), EINVAL);
    ERROR("not through a file", pidfdSend(1, 0, 0, 0), EBADF);
    ERROR("not through nothing", pidfdSend(-1, 0, 0, 0), EBADF);
    siginfo_t info = {0};
    info.si_signo = SIGUSR2;
    info.si_code = SI_QUEUE;
    ERROR("the signal is the one in the information", pidfdSend(fd, SIGUSR1, &info, 0), EINVAL);
    info.si_signo = SIGUSR1;
    info.si_code = SI_USER;
    ERROR("nobody pretends to be kill", pidfdSend(fd, SIGUSR1, &info, 0), EPERM);
    ERROR("or lies elsewhere", pidfdSend(fd, SIGUSR1, (void *)8, 0), EFAULT);
    siginfo_t state;
    memset(&state, 0x55, sizeof state);
    CHECK("waitid does not wait", waitid(P_PIDFD_, fd, &state, WEXITED | WNOHANG) == 0 && state.si_pid == 0);
    int epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.u32 = 7}};
    CHECK("epoll takes it", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    CHECK("and is quiet", epoll_wait(epoll, &event, 1, 0) == 0);
    CHECK("killed", pidfdSend(fd, SIGKILL, 0, 0) == 0);
    CHECK("epoll hears of it", epoll_wait(epoll, &event, 1, 5000) == 1 && event.data.u32 == 7);
    CHECK("a zombie is readable", ready(fd, 5000) & POLLIN);
    CHECK("a zombie can be signalled", pidfdSend(fd, SIGTERM, 0, 0) == 0);
    ERROR("a zombie has no descriptors", syscall(438, fd, 1, 0), ESRCH);
    CHECK("waitid leaves it", waitid(P_PIDFD_, fd, &state, WEXITED | WNOWAIT) == 0 && state.si_pid == pid);
    CHECK("waitid takes it", waitid(P_PIDFD_, fd, &state, WEXITED) == 0 && state.si_pid == pid
          && state.si_code == CLD_KILLED && state.si_status == SIGKILL);
    ERROR("once", waitid(P_PIDFD_, fd, &state, WEXITED), ECHILD);
    ERROR("gone", pidfdSend(fd, 0, 0, 0), ESRCH);
    CHECK("and readable for good", ready(fd, 0) & POLLIN);
    close(epoll);
    close(fd);
    ERROR("waitid wants a pidfd", waitid(P_PIDFD_, 1, &state, WEXITED), EBADF);
    ERROR("waitid wants a descriptor", waitid(P_PIDFD_, 999, &state, WEXITED), EBADF);
    pid = sleeper();
    fd = pidfdOpen(pid, O_NONBLOCK);
    CHECK("one that does not block", fd >= 0);
    ERROR("waitid through it", waitid(P_PIDFD_, fd, &state, WEXITED), EAGAIN);
    kill(pid, SIGKILL);
    CHECK("ends", ready(fd, 5000) & POLLIN && waitid(P_PIDFD_, fd, &state, WEXITED) == 0);
    close(fd);
    fd = pidfdOpen(getpid(), 0);
    ERROR("oneself is no child", waitid(P_PIDFD_, fd, &state, WEXITED), ECHILD);
    close(fd);
}

static void descriptors(void) {
    int ends[2], back[2];
    pipe(ends);
    pipe(back);
    pid_t pid = fork();
    if (pid == 0) {
        int secret[2];
        pipe(secret);
        dup2(secret[0], 77);
        write(secret[1], "found", 5);
        write(ends[1], "x", 1);
        char byte;
        read(back[0], &byte, 1);
        _exit(0);
    }
    char text[8] = "";
    read(ends[0], text, 1);
    int fd = pidfdOpen(pid, 0);
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    int directory = open(path, O_RDONLY | O_DIRECTORY);
    CHECK("a directory of /proc is good for signals", pidfdSend(directory, 0, 0, 0) == 0);
    ERROR("but not for descriptors", syscall(438, directory, 77, 0), EBADF);
    close(directory);
    directory = open("/proc", O_RDONLY | O_DIRECTORY);
    ERROR("nor is /proc itself", pidfdSend(directory, 0, 0, 0), EBADF);
    close(directory);
    int got = syscall(438, fd, 77, 0);
    CHECK("a descriptor of another", got >= 0 && read(got, text, 5) == 5 && !memcmp(text, "found", 5));
    CHECK("it closes on exec", fcntl(got, F_GETFD) == FD_CLOEXEC);
    ERROR("which he does not have", syscall(438, fd, 78, 0), EBADF);
    ERROR("without flags", syscall(438, fd, 77, 1), EINVAL);
    ERROR("of a pidfd", syscall(438, 1, 77, 0), EBADF);
    write(back[1], "x", 1);
    CHECK("ended well", endOf(pid) == 0);
    close(got);
    close(fd);
}

static void cloning(void) {
    struct cloneArguments arguments;
    memset(&arguments, 0, sizeof arguments);
    ERROR("clone3 too small", clone3(&arguments, 56), EINVAL);
    ERROR("clone3 too big", clone3(&arguments, 8192), E2BIG);
    arguments.more = 1;
    ERROR("clone3 of the future", clone3(&arguments, sizeof arguments), E2BIG);
    arguments.more = 0;
    arguments.exitSignal = 0x100;
    ERROR("no such signal", clone3(&arguments, 88), EINVAL);
    arguments.exitSignal = 65;
    ERROR("no such signal either", clone3(&arguments, 88), EINVAL);
    arguments.exitSignal = SIGCHLD;
    arguments.flags = 0x10000 | 0x800 | 0x100;
    ERROR("threads do not signal", clone3(&arguments, 88), EINVAL);
    arguments.flags = 0x100000000ULL | 0x800 | 0x100;
    ERROR("handlers shared and cleared", clone3(&arguments, 88), EINVAL);
    arguments.flags = 17;
    ERROR("the signal is not in the flags", clone3(&arguments, 88), EINVAL);
    arguments.flags = 0;
    arguments.stack = 4096;
    ERROR("a stack without a size", clone3(&arguments, 88), EINVAL);
    arguments.stack = 0;
    arguments.stackSize = 4096;
    ERROR("a size without a stack", clone3(&arguments, 88), EINVAL);
    arguments.stackSize = 0;
    ERROR("arguments that are not there", clone3((void *)8, 88), EFAULT);
    arguments.setTidSize = 1;
    ERROR("numbers that are not there", clone3(&arguments, 88), EINVAL);
    arguments.setTidSize = 0;

    int fd = -1;
    arguments.flags = 0x1000;
    arguments.pidfd = (uintptr_t)&fd;
    long pid = clone3(&arguments, 64);
    if (pid == 0) _exit(fd == -1 ? 31 : 32);
    siginfo_t state;
    CHECK("clone3 makes a process", pid > 0);
    CHECK("with a pidfd", fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK("that waits for it", waitid(P_PIDFD_, fd, &state, WEXITED) == 0 && state.si_pid == pid && state.si_status == 31);
    close(fd);
    arguments.pidfd = 8;
    ERROR("a pidfd has to go somewhere", clone3(&arguments, 64), EFAULT);
    ERROR("without a child", waitid(P_ALL, 0, &state, WEXITED), ECHILD);
    arguments.flags = 0x10000 | 0x800 | 0x100 | 0x1000;
    arguments.exitSignal = 0;
    arguments.pidfd = (uintptr_t)&fd;
    ERROR("the number goes to the parent's word with clone", syscall(SYS_clone, 0x1000 | 0x100000 | SIGCHLD, 0, &fd, 0, 0), EINVAL);
    pid = syscall(SYS_clone, 0x1000 | SIGCHLD, 0, &fd, 0, 0);
    if (pid == 0) _exit(5);
    CHECK("clone with a pidfd", pid > 0 && waitid(P_PIDFD_, fd, &state, WEXITED) == 0 && state.si_status == 5);
    close(fd);

    struct sigaction action = {.sa_handler = SIG_IGN}, now;
    sigaction(SIGUSR1, &action, 0);
    action.sa_handler = (void (*)(int))(void *)cloning;
    sigaction(SIGUSR2, &action, 0);
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = 0x100000000ULL;
    arguments.exitSignal = SIGCHLD;
    pid = clone3(&arguments, 88);
    if (pid == 0) {
        sigaction(SIGUSR1, 0, &now);
        int good = now.sa_handler == SIG_IGN;
        sigaction(SIGUSR2, 0, &now);
        _exit(good && now.sa_handler == SIG_DFL ? 0 : 1);
    }
    CHECK("handlers cleared, ignored ones kept", endOf(pid) == 0);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

/* Children that end with another signal are for __WCLONE and __WALL. */
static void kinds(void) {
    siginfo_t state;
    int status;
    long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid == 0) _exit(9);
    ERROR("wait does not see clones", waitpid(pid, &status, 0), ECHILD);
    CHECK("with __WCLONE it does", waitpid(pid, &status, 0x80000000) == pid && WEXITSTATUS(status) == 9);
    pid = syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
    if (pid == 0) _exit(8);
    signal(SIGUSR1, SIG_IGN);
    CHECK("with __WALL too", waitpid(pid, &status, 0x40000000) == pid && WEXITSTATUS(status) == 8);
    signal(SIGUSR1, SIG_DFL);
    pid = fork();
    if (pid == 0) _exit(7);
    ERROR("__WCLONE does not see children", waitpid(pid, &status, 0x80000000), ECHILD);
    CHECK("waitid without information", waitid(P_PID, pid, 0, WEXITED) == 0);
    ERROR("waitid for nothing", waitid(P_ALL, 0, &state, WNOHANG), EINVAL);
    ERROR("waitid with other flags", waitid(P_ALL, 0, &state, WEXITED | 0x40), EINVAL);
    ERROR("waitid of a kind that is none", waitid(9, 0, &state, WEXITED), EINVAL);
    ERROR("waitid for process 0", waitid(P_PID, 0, &state, WEXITED), EINVAL);
    ERROR("waitid for a negative group", waitid(P_PGID, -1, &state, WEXITED), EINVAL);
    ERROR("waitid for strangers", waitid(P_PID, getppid(), &state, WEXITED), ECHILD);
}

static void threads(void) {
    static pid_t tid;
    pthread_t thread;
    pthread_create(&thread, 0, idle, &tid);
    while (!*(volatile pid_t *)&tid) sched_yield();
    CHECK("a thread is no process", pidfdOpen(tid, 0) == -1);
}

int main(void) {
    opening();
    descriptors();
    cloning();
    kinds();
    threads();
    return finish();
}
