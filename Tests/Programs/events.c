/* events: epoll level, edge, one-shot, exclusive, nested and in circles; eventfd; timerfd; POSIX timers; prctl. */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#ifndef EPOLLEXCLUSIVE
#define EPOLLEXCLUSIVE (1u << 28)
#endif

static int add(int epoll, int fd, uint32_t events) {
    struct epoll_event event = {events, {.fd = fd}};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}
static int modify(int epoll, int fd, uint32_t events) {
    struct epoll_event event = {events, {.fd = fd}};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}
static int removed(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, 0); }
/* The events of the one that is ready; 0 none. */
static uint32_t ready(int epoll, int timeout) {
    struct epoll_event event = {0};
    return epoll_wait(epoll, &event, 1, timeout) == 1 ? event.events : 0;
}

static void epolls(void) {
    int ends[2], file = open("plain", O_RDWR | O_CREAT, 0600), epoll = epoll_create1(EPOLL_CLOEXEC);
    char byte;
    pipe(ends);
    ERROR("no flags but close-on-exec", epoll_create1(1), EINVAL);
    ERROR("a size of nothing", syscall(SYS_epoll_create, 0), EINVAL);
    ERROR("a plain file", add(epoll, file, EPOLLIN), EPERM);
    ERROR("nothing", add(epoll, 999, EPOLLIN), EBADF);
    ERROR("itself", add(epoll, epoll, EPOLLIN), EINVAL);
    ERROR("to a pipe", add(ends[0], ends[1], EPOLLIN), EINVAL);
    ERROR("an operation that is none", epoll_ctl(epoll, 9, ends[0], &(struct epoll_event){0}), EINVAL);
    ERROR("an event that is nowhere", epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], (void *)8), EFAULT);
    ERROR("changes what is not there", modify(epoll, ends[0], EPOLLIN), ENOENT);
    ERROR("removes what is not there", removed(epoll, ends[0]), ENOENT);
    CHECK("added", add(epoll, ends[0], EPOLLIN) == 0);
    ERROR("twice", add(epoll, ends[0], EPOLLIN), EEXIST);
    struct epoll_event event;
    ERROR("room for none", epoll_wait(epoll, &event, 0, 0), EINVAL);
    ERROR("waits at a pipe", epoll_wait(ends[0], &event, 1, 0), EINVAL);
    CHECK("nothing yet", ready(epoll, 0) == 0);
    write(ends[1], "ab", 2);
    CHECK("ready", ready(epoll, 1000) == EPOLLIN);
    CHECK("as long as there is something", ready(epoll, 0) == EPOLLIN);
    ERROR("nowhere to put it", syscall(SYS_epoll_wait, epoll, 8, 1, 0), EFAULT);
    CHECK("which loses nothing", ready(epoll, 0) == EPOLLIN);
    CHECK("now edges", modify(epoll, ends[0], EPOLLIN | EPOLLET) == 0 && ready(epoll, 0) == EPOLLIN);
    CHECK("an edge is told once", ready(epoll, 0) == 0);
    read(ends[0], &byte, 1);
    CHECK("reading is none", ready(epoll, 0) == 0);
    write(ends[1], "c", 1);
    CHECK("writing is", ready(epoll, 1000) == EPOLLIN && ready(epoll, 0) == 0);
    CHECK("once only", modify(epoll, ends[0], EPOLLIN | EPOLLONESHOT) == 0 && ready(epoll, 0) == EPOLLIN);
    write(ends[1], "d", 1);
    CHECK("is quiet after that", ready(epoll, 0) == 0);
    CHECK("until it is armed again", modify(epoll, ends[0], EPOLLIN | EPOLLONESHOT) == 0 && ready(epoll, 0) == EPOLLIN);
    CHECK("what is not asked for", modify(epoll, ends[0], 0) == 0 && ready(epoll, 0) == 0);
    close(ends[1]);
    CHECK("a hang-up always", ready(epoll, 1000) == EPOLLHUP);
    int copy = dup(ends[0]);
    close(ends[0]);
    CHECK("a copy keeps it", ready(epoll, 0) == EPOLLHUP);
    close(copy);
    CHECK("the last close ends it", ready(epoll, 0) == 0);

    pipe(ends);
    ERROR("exclusive with more", add(epoll, ends[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT), EINVAL);
    CHECK("exclusive", add(epoll, ends[0], EPOLLIN | EPOLLEXCLUSIVE) == 0);
    ERROR("is not changed", modify(epoll, ends[0], EPOLLIN), EINVAL);
    ERROR("nor made by a change", (removed(epoll, ends[0]), add(epoll, ends[0], EPOLLIN), modify(epoll, ends[0], EPOLLIN | EPOLLEXCLUSIVE)), EINVAL);
    int outer = epoll_create1(0);
    ERROR("nor of a set", add(outer, epoll, EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
    CHECK("a set in a set", add(outer, epoll, EPOLLIN) == 0 && ready(outer, 0) == 0);
    ERROR("not in a circle", add(epoll, outer, EPOLLIN), ELOOP);
    write(ends[1], "x", 1);
    CHECK("tells the outer one", ready(outer, 1000) == EPOLLIN);
    struct pollfd set = {outer, POLLIN, 0};
    CHECK("and poll", poll(&set, 1, 0) == 1 && set.revents == POLLIN);
    read(ends[0], &byte, 1);
    CHECK("until it is read", ready(outer, 0) == 0 && poll(&set, 1, 0) == 0);
    CHECK("an edge of a set", modify(outer, epoll, EPOLLIN | EPOLLET) == 0 && ready(outer, 0) == 0);
    write(ends[1], "x", 1);
    CHECK("comes", ready(outer, 1000) == EPOLLIN);
    int chain[8], depth = 0;
    for (chain[0] = epoll_create1(0); depth < 7; depth++) {
        chain[depth + 1] = epoll_create1(0);
        if (add(chain[depth + 1], chain[depth], EPOLLIN) != 0) break;
    }
    CHECK("sets are not nested without end", depth == 4);
    for (int i = 0; i <= depth + 1 && i < 8; i++) close(chain[i]);

    int eight[8][2], epoll8 = epoll_create1(0);
    for (int i = 0; i < 8; i++) {
        pipe(eight[i]);
        add(epoll8, eight[i][0], EPOLLIN);
        write(eight[i][1], "x", 1);
    }
    struct epoll_event few[3];
    unsigned seen = 0;
    for (int round = 0; round < 4; round++) {
        int got = epoll_wait(epoll8, few, 3, 0);
        for (int i = 0; i < got; i++)
            for (int k = 0; k < 8; k++)
                if (few[i].data.fd == eight[k][0]) seen |= 1u << k;
    }
    CHECK("everyone has a turn", seen == 0xff);
    for (int i = 0; i < 8; i++) close(eight[i][0]), close(eight[i][1]);
    close(epoll8);
    close(outer);
    close(epoll);
    close(file);
    unlink("plain");
}

static void *waitsForSet(void *argument) {
    return (void *)(long)ready(*(int *)argument, 10000);
}
static void sleepers(void) {
    int epoll = epoll_create1(0), event = eventfd(0, EFD_NONBLOCK);
    pthread_t thread;
    void *result;
    pthread_create(&thread, 0, waitsForSet, &epoll);
    napMs(30);
    add(epoll, event, EPOLLIN);
    napMs(10);
    eventfd_write(event, 1);
    pthread_join(thread, &result);
    CHECK("added while somebody waits", result == (void *)EPOLLIN);
    eventfd_t value;
    eventfd_read(event, &value);
    pthread_create(&thread, 0, waitsForSet, &epoll);
    napMs(30);
    modify(epoll, event, EPOLLOUT);
    pthread_join(thread, &result);
    CHECK("changed while somebody waits", result == (void *)EPOLLOUT);
    close(event);
    close(epoll);
}

/* Thousands at once: quadratic work would not end within the limit. */
static void many(void) {
    enum { MANY = 32000 };
    static int events[MANY];
    static struct epoll_event told[64];
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = MANY + 100;
    if (limit.rlim_max < limit.rlim_cur) limit.rlim_max = limit.rlim_cur;
    int count = setrlimit(RLIMIT_NOFILE, &limit) == 0 ? MANY : 900, epoll = epoll_create1(0), good = 0, again = 0, left = 0;
    for (int i = 0; i < count; i++) {
        events[i] = eventfd(0, EFD_NONBLOCK);
        good += add(epoll, events[i], EPOLLIN) == 0;
    }
    CHECK("many are added", good == count && ready(epoll, 0) == 0);
    /* One of many speaks, again and again. */
    good = 0;
    for (int i = 0; i < 3000; i++) {
        int fd = events[i * 7919 % count];
        eventfd_t value;
        eventfd_write(fd, 1);
        good += epoll_wait(epoll, told, 64, 1000) == 1 && told[0].data.fd == fd && eventfd_read(fd, &value) == 0;
    }
    CHECK("one of many is told", good == 3000 && ready(epoll, 0) == 0);
    for (int i = 0; i < count; i += 4) eventfd_write(events[i], 1);
    good = 0;
    for (int got; good < count / 4 && (got = epoll_wait(epoll, told, 64, 0)) > 0; good += got)
        for (int i = 0; i < got; i++) {
            eventfd_t value;
            again += eventfd_read(told[i].data.fd, &value) != 0;
        }
    CHECK("several of many, each once", good == count / 4 && again == 0 && ready(epoll, 0) == 0);
    for (int i = 0; i < count; i += 4) good -= modify(epoll, events[i], EPOLLOUT | EPOLLET) == 0;
    CHECK("several are changed", good == 0 && ready(epoll, 0) == EPOLLOUT);
    for (int i = 0; i < count; i += 2) good += removed(epoll, events[i]) == 0;
    for (int i = 1; i < count; i += 2) close(events[i]);
    CHECK("half is removed, half closed", good == (count + 1) / 2 && ready(epoll, 0) == 0);
    for (int i = 0; i < count; i += 2) left += removed(epoll, events[i]) == 0, close(events[i]);
    CHECK("and nothing is left", left == 0);
    close(epoll);
}

/* What is taken out while it waits in line, and comes again. */
static void lines(void) {
    int epoll = epoll_create1(0), one = eventfd(1, EFD_NONBLOCK), copies[5];
    struct epoll_event told[8];
    for (int i = 0; i < 5; i++) add(epoll, copies[i] = dup(one), EPOLLIN);
    CHECK("copies are entries of their own", epoll_wait(epoll, told, 8, 0) == 5);
    removed(epoll, copies[0]), removed(epoll, copies[2]), removed(epoll, copies[4]);
    CHECK("first, middle and last leave", epoll_wait(epoll, told, 8, 0) == 2 && told[0].data.fd + told[1].data.fd == copies[1] + copies[3]);
    add(epoll, copies[2], EPOLLIN | EPOLLET), add(epoll, copies[0], EPOLLIN | EPOLLONESHOT);
    CHECK("and come again", epoll_wait(epoll, told, 8, 0) == 4);
    CHECK("edge and once are quiet", epoll_wait(epoll, told, 8, 0) == 2);
    eventfd_write(one, 1);
    CHECK("the edge comes", epoll_wait(epoll, told, 8, 0) == 3);
    CHECK("once, armed", modify(epoll, copies[0], EPOLLIN | EPOLLONESHOT) == 0 && epoll_wait(epoll, told, 8, 0) == 3 && epoll_wait(epoll, told, 8, 0) == 2);
    close(one);
    for (int i = 0; i < 4; i++) close(copies[i]);
    CHECK("as long as one copy is open", epoll_wait(epoll, told, 8, 0) == 2);
    close(copies[4]);
    CHECK("and no longer", epoll_wait(epoll, told, 8, 0) == 0);
    close(epoll);
}

static int polled(int fd) {
    struct pollfd one = {fd, POLLIN | POLLOUT, 0};
    return poll(&one, 1, 0) == 1 ? one.revents : 0;
}
static void counters(void) {
    uint64_t value = 0;
    ERROR("eventfd flags", eventfd(0, 4), EINVAL);
    int fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK("begins with its count", polled(fd) == (POLLIN | POLLOUT) && read(fd, &value, 8) == 8 && value == 3);
    ERROR("empty", read(fd, &value, 8), EAGAIN);
    ERROR("too little room", read(fd, &value, 7), EINVAL);
    ERROR("too little to write", write(fd, &value, 4), EINVAL);
    value = ~0ull;
    ERROR("too much to write", write(fd, &value, 8), EINVAL);
    value = ~0ull - 1;
    CHECK("just fits", write(fd, &value, 8) == 8 && polled(fd) == POLLIN);
    value = 1;
    ERROR("full", write(fd, &value, 8), EAGAIN);
    value = 0;
    CHECK("nothing more always fits", write(fd, &value, 8) == 8);
    CHECK("all at once", read(fd, &value, 8) == 8 && value == ~0ull - 1);
    ERROR("has no place to seek to", pread(fd, &value, 8, 0), ESPIPE);
    close(fd);
    fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    CHECK("a semaphore", read(fd, &value, 8) == 8 && value == 1 && read(fd, &value, 8) == 8 && value == 1);
    ERROR("counts down", read(fd, &value, 8), EAGAIN);
    close(fd);
}

static struct itimerspec every(long first, long period) {
    return (struct itimerspec){{period / 1000, period % 1000 * 1000000}, {first / 1000, first % 1000 * 1000000}};
}
static void timers(void) {
    uint64_t times = 0;
    ERROR("timerfd of no clock", timerfd_create(77, 0), EINVAL);
    ERROR("of a CPU clock", timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    ERROR("with flags", timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec now, set = every(20, 10);
    ERROR("not armed", read(fd, &times, 8), EAGAIN);
    ERROR("settime of something else", timerfd_settime(1, 0, &set, 0), EINVAL);
    ERROR("settime with flags", timerfd_settime(fd, 8, &set, 0), EINVAL);
    set.it_value.tv_nsec = 1000000000;
    ERROR("settime of no time", timerfd_settime(fd, 0, &set, 0), EINVAL);
    set = every(20, 10);
    CHECK("armed", timerfd_settime(fd, 0, &set, &now) == 0 && now.it_value.tv_nsec == 0);
    CHECK("is told", timerfd_gettime(fd, &now) == 0 && now.it_interval.tv_nsec == 10000000 && now.it_value.tv_nsec <= 20000000);
    struct pollfd one = {fd, POLLIN, 0};
    CHECK("polls", poll(&one, 1, 5000) == 1);
    napMs(60);
    CHECK("counts", read(fd, &times, 8) == 8 && times >= 4);
    set = every(0, 0);
    CHECK("disarmed", timerfd_settime(fd, 0, &set, 0) == 0 && (napMs(30), poll(&one, 1, 0)) == 0);
    set = (struct itimerspec){{0, 0}, {1, 0}};
    CHECK("of the past at once", timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, 0) == 0 && poll(&one, 1, 1000) == 1 && read(fd, &times, 8) == 8 && times == 1);
    close(fd);
    fd = timerfd_create(CLOCK_REALTIME, 0);
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    set = (struct itimerspec){{0, 0}, {wall.tv_sec, wall.tv_nsec}};
    set.it_value.tv_nsec += 30000000;
    if (set.it_value.tv_nsec >= 1000000000) set.it_value.tv_sec++, set.it_value.tv_nsec -= 1000000000;
    CHECK("by the wall clock", timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, 0) == 0 && read(fd, &times, 8) == 8 && times == 1);
    close(fd);
}

static volatile int fired, firedValue, firedCode;
static void onTimer(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    fired++;
    firedCode = info->si_code;
    firedValue = info->si_value.sival_int;
}
static void posixTimers(void) {
    struct sigaction action = {.sa_sigaction = onTimer, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN + 1, &action, 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value = {.sival_int = 77}};
    timer_t timer;
    sigset_t set;
    siginfo_t info;
    CHECK("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec time = every(10, 0), left;
    CHECK("fires", timer_settime(timer, 0, &time, 0) == 0 && (napMs(60), fired == 1) && firedCode == SI_TIMER && firedValue == 77);
    CHECK("is disarmed then", timer_gettime(timer, &left) == 0 && left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, 0);
    time = every(5, 5);
    timer_settime(timer, 0, &time, 0);
    napMs(100);
    time = every(0, 0);
    struct timespec none = {0, 0};
    CHECK("one signal while it is blocked", sigtimedwait(&set, &info, &none) == SIGRTMIN + 1);
    CHECK("which knows how many it stands for", info.si_overrun >= 10 && timer_getoverrun(timer) >= 10);
    timer_settime(timer, 0, &time, 0);
    while (sigtimedwait(&set, &info, &none) > 0) {}
    napMs(20);
    CHECK("none after that", sigtimedwait(&set, &info, &none) == -1);
    CHECK("timer_delete", timer_delete(timer) == 0);
    CHECK("once", timer_delete(timer) != 0);
    event.sigev_signo = 65;
    ERROR("no such signal", timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
    event.sigev_signo = SIGRTMIN + 1;
    CHECK("by CPU time", timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0);
    time = every(30, 0);
    timer_settime(timer, 0, &time, 0);
    int64_t end = nowNs() + 10000000000LL;
    while (sigtimedwait(&set, &info, &none) != SIGRTMIN + 1 && nowNs() < end)
        for (volatile int i = 0; i < 200000; i++) {}
    CHECK("which it used", nowNs() < end);
    timer_delete(timer);
    sigprocmask(SIG_UNBLOCK, &set, 0);
}

static void *spinning(void *argument) {
    struct timespec own;
    do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
    while (own.tv_sec == 0 && own.tv_nsec < 50000000);
    return argument;
}
static void clocks(void) {
    struct timespec own, other, all;
    pthread_t thread;
    clockid_t clock = 0;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
    pthread_create(&thread, 0, spinning, 0);
    CHECK("the clock of a thread", pthread_getcpuclockid(thread, &clock) == 0 && clock_gettime(clock, &other) == 0);
    pthread_join(thread, 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &other);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all);
    int64_t mine = (other.tv_sec - own.tv_sec) * 1000000000LL + other.tv_nsec - own.tv_nsec;
    CHECK("another's work is not one's own", mine >= 0 && mine < 45000000);
    CHECK("but the process's", all.tv_sec * 1000000000LL + all.tv_nsec >= 50000000);
}

static void controls(void) {
    char name[17] = "";
    int value = -1;
    CHECK("PR_SET_NAME", prctl(PR_SET_NAME, "a name that is too long", 0, 0, 0) == 0);
    CHECK("is cut", prctl(PR_GET_NAME, name, 0, 0, 0) == 0 && strcmp(name, "a name that is ") == 0);
    CHECK("PR_SET_PDEATHSIG", prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0) == 0 && prctl(PR_GET_PDEATHSIG, &value, 0, 0, 0) == 0 && value == SIGUSR1);
    ERROR("no such signal", prctl(PR_SET_PDEATHSIG, 65, 0, 0, 0), EINVAL);
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    CHECK("PR_GET_DUMPABLE", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
    ERROR("PR_SET_DUMPABLE of 2", prctl(PR_SET_DUMPABLE, 2, 0, 0, 0), EINVAL);
    CHECK("PR_SET_DUMPABLE", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    CHECK("PR_SET_TIMERSLACK", prctl(PR_SET_TIMERSLACK, 70000, 0, 0, 0) == 0 && prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) == 70000);
    CHECK("and back", prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0) == 0 && prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) == 50000);
    CHECK("PR_SET_CHILD_SUBREAPER", prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 && prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0) == 0 && value == 1);
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    CHECK("PR_GET_TIMING", prctl(PR_GET_TIMING, 0, 0, 0, 0) == 0);
    ERROR("PR_SET_TIMING", prctl(PR_SET_TIMING, 1, 0, 0, 0), EINVAL);
    CHECK("PR_GET_TSC", prctl(PR_GET_TSC, &value, 0, 0, 0) == 0 && value == PR_TSC_ENABLE);
    CHECK("PR_GET_SECCOMP", prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0);
    CHECK("PR_MCE_KILL_GET", prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_DEFAULT);
    ERROR("PR_GET_UNALIGN", prctl(PR_GET_UNALIGN, &value, 0, 0, 0), EINVAL);
    ERROR("PR_GET_FPEMU", prctl(PR_GET_FPEMU, &value, 0, 0, 0), EINVAL);
    ERROR("PR_GET_ENDIAN", prctl(PR_GET_ENDIAN, &value, 0, 0, 0), EINVAL);
    ERROR("none", prctl(12345, 0, 0, 0, 0), EINVAL);
    CHECK("PR_SET_THP_DISABLE", prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0 && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    ERROR("PR_GET_THP_DISABLE of something", prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
    CHECK("PR_GET_KEEPCAPS", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 0);
    ERROR("PR_SET_KEEPCAPS", prctl(PR_SET_KEEPCAPS, 2, 0, 0, 0), EINVAL);
    CHECK("PR_GET_NO_NEW_PRIVS", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
    ERROR("PR_SET_NO_NEW_PRIVS of 0", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    CHECK("PR_SET_NO_NEW_PRIVS", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

int main(void) {
    epolls();
    sleepers();
    lines();
    many();
    counters();
    timers();
    posixTimers();
    clocks();
    controls();
    return finish();
}
