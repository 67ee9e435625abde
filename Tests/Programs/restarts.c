/* restarts: what a handler does to each call that waits, with SA_RESTART and without (signal(7), "Interruption of system
 * calls"), and what a stop and a continuation do. */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static struct { volatile int handled, ready; uint32_t word; } *shared;
static int ends[2], full[2], event, timer, signals, file;
static pid_t child;

static void onSignal(int number) { shared->handled += number != 0; }

static long error(long result) { return result < 0 ? -errno : result; }
static char byte;

/* The calls, each run in a child of its own. */
static long readPipe(void) { return error(read(ends[0], &byte, 1)); }
static long writePipe(void) { return error(write(full[1], &byte, 1)); }
static long readEvent(void) { uint64_t value; return error(read(event, &value, 8)); }
static long readTimer(void) { uint64_t value; return error(read(timer, &value, 8)); }
static long readSignals(void) {
    struct signalfd_siginfo info;
    return error(read(signals, &info, sizeof info));
}
static long waitChild(void) { return error(waitpid(child, 0, 0)); }
static long waitidChild(void) { return error(waitid(P_PID, child, 0, WEXITED)); }
static long openFifo(void) { return error(open("fifo", O_RDONLY)); }
static long lockFile(void) { return error(flock(open("file", O_RDWR), LOCK_EX)); }
static long lockRange(void) {
    struct flock lock = {.l_type = F_WRLCK};
    return error(fcntl(file, F_SETLKW, &lock));
}
static long waitWord(void) { return error(syscall(SYS_futex, &shared->word, FUTEX_WAIT, 0, 0, 0, 0)); }
static long waitWordLimited(void) {
    struct timespec limit = {30, 0};
    return error(syscall(SYS_futex, &shared->word, FUTEX_WAIT, 0, &limit, 0, 0));
}
static long pollIt(void) { struct pollfd one = {ends[0], POLLIN, 0}; return error(poll(&one, 1, 30000)); }
static long ppollIt(void) {
    struct pollfd one = {ends[0], POLLIN, 0};
    return error(ppoll(&one, 1, 0, 0));
}
static long selectIt(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    return error(select(ends[0] + 1, &set, 0, 0, 0));
}
static long epollIt(void) {
    int epoll = epoll_create1(0);
    struct epoll_event one = {EPOLLIN, {.u32 = 1}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &one);
    return error(epoll_wait(epoll, &one, 1, 30000));
}
static long sleepIt(void) { struct timespec time = {30, 0}; return error(syscall(SYS_nanosleep, &time, 0)); }
static long sleepUntil(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += 30;
    return error(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &time, 0));
}
static long pauseIt(void) { return error(pause()); }
static long suspendIt(void) { sigset_t none; sigemptyset(&none); return error(sigsuspend(&none)); }
static long waitSignal(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    struct timespec limit = {30, 0};
    return error(syscall(SYS_rt_sigtimedwait, &set, 0, &limit, 8)); /* musl's own begins again */
}

static void feed(void) { write(ends[1], "x", 1); }
static void drain(void) { char page[4096]; read(full[0], page, sizeof page); }
static void post(void) { uint64_t one = 1; write(event, &one, 8); }
static void expire(void) { struct itimerspec soon = {{0, 0}, {0, 1000000}}; timerfd_settime(timer, 0, &soon, 0); }
static void signalIt(void) { kill(child, SIGUSR2); }
static void openOther(void) { int fd = open("fifo", O_WRONLY); close(fd); }
static void unlockFile(void) { flock(file, LOCK_UN); }
static void unlockRange(void) { struct flock lock = {.l_type = F_UNLCK}; fcntl(file, F_SETLK, &lock); }
static void wakeWord(void) { syscall(SYS_futex, &shared->word, FUTEX_WAKE, 9, 0, 0, 0); }
static void endGrandchild(void) { kill(shared->ready, SIGKILL); }

static struct {
    const char *name;
    long (*call)(void);
    void (*release)(void); /* none: nothing but a signal ends it */
    int restarts, grandchild;
} calls[] = {
    {"read of a pipe", readPipe, feed, 1, 0}, {"write to a full pipe", writePipe, drain, 1, 0},
    {"read of an eventfd", readEvent, post, 1, 0}, {"read of a timerfd", readTimer, expire, 1, 0},
    {"read of a signalfd", readSignals, signalIt, 1, 0}, {"waitpid", waitChild, endGrandchild, 1, 1},
    {"waitid", waitidChild, endGrandchild, 1, 1}, {"open of a FIFO", openFifo, openOther, 1, 0},
    {"flock", lockFile, unlockFile, 1, 0}, {"F_SETLKW", lockRange, unlockRange, 1, 0},
    {"FUTEX_WAIT", waitWord, wakeWord, 1, 0}, {"FUTEX_WAIT with a limit", waitWordLimited, wakeWord, 0, 0},
    {"poll", pollIt, feed, 0, 0}, {"ppoll", ppollIt, feed, 0, 0}, {"select", selectIt, feed, 0, 0},
    {"epoll_wait", epollIt, feed, 0, 0}, {"nanosleep", sleepIt, 0, 0, 0}, {"clock_nanosleep", sleepUntil, 0, 0, 0},
    {"pause", pauseIt, 0, 0, 0}, {"sigsuspend", suspendIt, 0, 0, 0}, {"sigtimedwait", waitSignal, signalIt, 0, 0},
};

static pid_t start(int index, int flags) {
    shared->handled = shared->ready = 0;
    pid_t pid = fork();
    if (pid) return pid;
    struct sigaction action = {.sa_handler = onSignal, .sa_flags = flags};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, 0);
    signals = signalfd(-1, &set, 0);
    sigaction(SIGUSR1, &action, 0);
    if (calls[index].grandchild) {
        child = fork();
        if (child == 0) {
            for (;;) pause();
        }
        shared->ready = child;
    } else {
        shared->ready = 1;
    }
    long result = calls[index].call();
    if (calls[index].grandchild) kill(child, SIGKILL);
    _exit(result >= 0 ? 10 : result == -EINTR ? 11 : 12);
}

static void interrupt(int index, int flags) {
    pid_t pid = start(index, flags);
    char name[64];
    snprintf(name, sizeof name, "%s, %s SA_RESTART", calls[index].name, flags ? "with" : "without");
    while (!shared->ready) napMs(1);
    untilBlocked(pid);
    kill(pid, SIGUSR1);
    while (!shared->handled) napMs(1);
    int wanted = flags && calls[index].restarts ? 10 : 11;
    if (wanted == 10) {
        untilBlocked(pid);
        child = pid;
        calls[index].release();
    }
    int got = endOf(pid);
    checkAt(__LINE__, name, got == wanted && shared->handled == 1, got);
    if (wanted == 11) kill(pid, SIGKILL);
}

/* A stop and a continuation end nothing but what signal(7) names, and a handler sees neither. */
static void stop(int index) {
    if (!calls[index].release) return;
    pid_t pid = start(index, 0);
    char name[64];
    int status;
    snprintf(name, sizeof name, "%s over a stop", calls[index].name);
    while (!shared->ready) napMs(1);
    untilBlocked(pid);
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGCONT);
    int got = 0;
    /* What ends by the continuation may have ended before it is asked for. */
    if (waitpid(pid, &status, WCONTINUED) == pid && WIFEXITED(status)) {
        got = WEXITSTATUS(status);
    } else {
        untilBlocked(pid);
        child = pid;
        calls[index].release();
        got = endOf(pid);
    }
    int ended = got == 11 && (calls[index].call == epollIt || calls[index].call == waitSignal);
    checkAt(__LINE__, name, got == 10 || ended, got);
}

static void prepare(void) {
    pipe(ends);
    pipe(full);
    fcntl(full[1], F_SETFL, O_NONBLOCK);
    char page[4096] = "";
    while (write(full[1], page, sizeof page) > 0) {}
    fcntl(full[1], F_SETFL, 0);
    event = eventfd(0, 0);
    timer = timerfd_create(CLOCK_MONOTONIC, 0);
    file = open("file", O_RDWR | O_CREAT, 0600);
    flock(file, LOCK_EX);
    struct flock lock = {.l_type = F_WRLCK};
    fcntl(file, F_SETLK, &lock);
    mkfifo("fifo", 0600);
}
static void clear(void) {
    int descriptors[] = {ends[0], ends[1], full[0], full[1], event, timer, file};
    for (unsigned i = 0; i < sizeof descriptors / sizeof *descriptors; i++) close(descriptors[i]);
    unlink("file");
    unlink("fifo");
}

int main(void) {
    shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (int round = 0; round < 3; round++) {
            prepare();
            if (round == 2) stop(i);
            else interrupt(i, round ? SA_RESTART : 0);
            clear();
        }
    }
    return finish();
}
