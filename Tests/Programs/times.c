/* times: sleeps last as long as asked and not much longer; clocks, alarms, timers, timeouts. */
#include "check.h"
#include <sys/resource.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/times.h>

static volatile sig_atomic_t alarms;
static void onAlarm(int number) { (void)number; alarms++; }

/* Between `low` ms and `low` + 900 ms: a loaded machine may be late, an early return is always wrong. */
static int lasted(int64_t since, long low) {
    int64_t took = nowNs() - since;
    return took >= low * 1000000LL && took < (low + 900) * 1000000LL;
}

static void sleeps(void) {
    int64_t start = nowNs();
    struct timespec ask = {0, 120000000}, left = {9, 9}, bad = {0, 1000000000};
    CHECK("nanosleep", nanosleep(&ask, 0) == 0 && lasted(start, 120));
    ERROR("nanosleep of a bad time", nanosleep(&bad, 0), EINVAL);
    bad = (struct timespec){-1, 0};
    ERROR("nanosleep of a negative time", nanosleep(&bad, 0), EINVAL);
    struct timespec until;
    start = nowNs(); /* before the time is set: what comes between must not count against it */
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 100000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    CHECK("clock_nanosleep to a time", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0) == 0 && lasted(start, 100));
    start = nowNs();
    CHECK("a time gone by returns at once", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0) == 0 && lasted(start, 0));
    CHECK("clock_nanosleep of no clock", clock_nanosleep(77, 0, &ask, 0) == EINVAL);
    struct itimerval soon = {{0, 0}, {0, 50000}};
    ask = (struct timespec){5, 0};
    start = nowNs();
    setitimer(ITIMER_REAL, &soon, 0);
    ERROR("nanosleep is interrupted", nanosleep(&ask, &left), EINTR);
    CHECK("after 50 ms", lasted(start, 50));
    CHECK("the rest is told", left.tv_sec < 5 && left.tv_nsec > 0);
}

static void clocks(void) {
    struct timespec real, again, resolution;
    struct timeval day;
    CHECK("clock_gettime real", clock_gettime(CLOCK_REALTIME, &real) == 0 && real.tv_sec > 1600000000);
    CHECK("gettimeofday agrees", gettimeofday(&day, 0) == 0 && day.tv_sec - real.tv_sec <= 1);
    CHECK("time agrees", time(0) - real.tv_sec <= 1);
    CHECK("raw system call agrees", syscall(SYS_clock_gettime, CLOCK_REALTIME, &again) == 0 && again.tv_sec - real.tv_sec <= 1);
    int backwards = 0;
    int64_t last = nowNs();
    for (int i = 0; i < 10000; i++) {
        int64_t now = nowNs();
        backwards += now < last;
        last = now;
    }
    CHECK("monotonic never goes back", backwards == 0);
    CHECK("clock_getres", clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_sec == 0 && resolution.tv_nsec >= 1);
    CHECK("boot time", clock_gettime(CLOCK_BOOTTIME, &again) == 0 && again.tv_sec >= 0);
    CHECK("coarse", clock_gettime(CLOCK_REALTIME_COARSE, &again) == 0 && real.tv_sec - again.tv_sec <= 1);
    ERROR("unknown clock", syscall(SYS_clock_gettime, 4711, &again), EINVAL);
    CHECK("process CPU time", clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &real) == 0);
    for (volatile long i = 0; i < 30000000; i++) {}
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &again);
    CHECK("CPU time goes on", (again.tv_sec - real.tv_sec) * 1000000000LL + again.tv_nsec - real.tv_nsec > 1000000);
    struct tms spent;
    CHECK("times", times(&spent) != (clock_t)-1 && spent.tms_utime >= 0);
}

static void timers(void) {
    struct itimerval every = {{0, 30000}, {0, 60000}}, stop = {{0, 0}, {0, 0}}, was;
    alarms = 0;
    int64_t start = nowNs();
    setitimer(ITIMER_REAL, &every, 0);
    while (alarms < 3) pause();
    CHECK("a periodic timer, three times", lasted(start, 60 + 30 + 30));
    CHECK("getitimer", getitimer(ITIMER_REAL, &was) == 0 && was.it_interval.tv_usec == 30000 && was.it_value.tv_usec <= 30000);
    CHECK("stopped", setitimer(ITIMER_REAL, &stop, &was) == 0 && was.it_interval.tv_usec == 30000);
    int count = alarms;
    napMs(80);
    CHECK("none after that", alarms == count);
    alarm(10);
    start = nowNs(); /* as above */
    CHECK("alarm is told back", alarm(1) == 10);
    pause();
    CHECK("alarm after a second", lasted(start, 1000));
    struct itimerval bad = {{0, 0}, {0, 1000000}};
    ERROR("setitimer of a bad time", setitimer(ITIMER_REAL, &bad, 0), EINVAL);
    ERROR("setitimer of no timer", setitimer(9, &stop, 0), EINVAL);
    /* The alarm is the process's and survives exec: the child would die by it. */
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        struct itimerval soon = {{0, 0}, {0, 100000}};
        setitimer(ITIMER_REAL, &soon, 0);
        execl("/proc/self/exe", "times", "hang", (char *)0);
        _exit(111);
    }
    CHECK("alarms survive exec", endOf(pid) == 1000 + SIGALRM);
}

static volatile sig_atomic_t expired;
static void onExpired(int number) { expired = number; }

/* Timers of the CPU time: what sleeps is not interrupted, what computes is. */
static void cpuTimers(void) {
    static const struct { int which, number; const char *idle, *busy; } kinds[] = {
        {ITIMER_VIRTUAL, SIGVTALRM, "ITIMER_VIRTUAL stands while the process sleeps", "and runs while it computes"},
        {ITIMER_PROF, SIGPROF, "ITIMER_PROF stands while the process sleeps", "and runs while it computes"},
    };
    for (int kind = 0; kind < 2; kind++) {
        struct itimerval once = {{0, 0}, {0, 40000}};
        struct timespec rest = {0, 100000000};
        signal(kinds[kind].number, onExpired);
        expired = 0;
        setitimer(kinds[kind].which, &once, 0);
        nanosleep(&rest, 0);
        CHECK(kinds[kind].idle, expired == 0);
        int64_t start = nowNs();
        while (!expired && nowNs() - start < 20000000000) {
            for (volatile int step = 0; step < 100000; step++) {
            }
        }
        CHECK(kinds[kind].busy, expired == kinds[kind].number);
        signal(kinds[kind].number, SIG_DFL);
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {1, 3};
        expired = 0;
        setrlimit(RLIMIT_CPU, &limit);
        signal(SIGXCPU, onExpired);
        for (;;)
            if (expired) _exit(expired == SIGXCPU ? 7 : 8);
    }
    CHECK("RLIMIT_CPU sends SIGXCPU", endOf(pid) == 7);
    clockid_t clock;
    CHECK("clock_getcpuclockid of oneself", clock_getcpuclockid(0, &clock) == 0);
    CHECK("of nobody", clock_getcpuclockid(99999999, &clock) != 0);
}

static void timeouts(void) {
    int ends[2];
    pipe(ends);
    struct pollfd one = {ends[0], POLLIN, 0};
    int64_t start = nowNs();
    CHECK("poll times out", poll(&one, 1, 100) == 0 && lasted(start, 100));
    start = nowNs();
    CHECK("poll of 0 does not wait", poll(&one, 1, 0) == 0 && lasted(start, 0));
    start = nowNs();
    CHECK("poll of nothing sleeps", poll(0, 0, 60) == 0 && lasted(start, 60));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval wait = {0, 100000};
    start = nowNs();
    /* The raw call: musl keeps the rest of the time to itself. */
    CHECK("select times out", syscall(SYS_select, ends[0] + 1, &set, 0, 0, &wait) == 0 && lasted(start, 100));
    CHECK("and tells what is left", wait.tv_sec == 0 && wait.tv_usec == 0);
    CHECK("and clears the set", !FD_ISSET(ends[0], &set));
    struct timespec brief = {0, 50000000};
    start = nowNs();
    CHECK("ppoll times out", ppoll(&one, 1, &brief, 0) == 0 && lasted(start, 50));
    pid_t pid = fork();
    if (pid == 0) {
        napMs(100);
        write(ends[1], "x", 1);
        _exit(0);
    }
    start = nowNs();
    CHECK("poll wakes for data", poll(&one, 1, 5000) == 1 && one.revents == POLLIN && lasted(start, 50));
    endOf(pid);
    struct itimerval soon = {{0, 0}, {0, 50000}};
    char byte;
    read(ends[0], &byte, 1);
    setitimer(ITIMER_REAL, &soon, 0);
    ERROR("poll is interrupted", poll(&one, 1, 5000), EINTR);
    setitimer(ITIMER_REAL, &soon, 0);
    FD_SET(ends[0], &set);
    ERROR("select is interrupted", select(ends[0] + 1, &set, 0, 0, 0), EINTR);
    sigset_t block, none;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGALRM);
    sigprocmask(SIG_BLOCK, &block, 0);
    raise(SIGALRM);
    ERROR("ppoll with a mask takes the pending signal", ppoll(&one, 1, 0, &none), EINTR);
    sigprocmask(SIG_UNBLOCK, &block, 0);
    struct timespec zero = {0, 20000000}, sig = {0, 0};
    sigprocmask(SIG_BLOCK, &block, 0);
    ERROR("sigtimedwait times out", sigtimedwait(&block, 0, &zero), EAGAIN);
    raise(SIGALRM);
    CHECK("sigtimedwait takes one", sigtimedwait(&block, 0, &sig) == SIGALRM);
    sigprocmask(SIG_UNBLOCK, &block, 0);
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "hang") == 0)
        for (;;) pause();
    struct sigaction handler = {.sa_handler = onAlarm};
    sigaction(SIGALRM, &handler, 0);
    sleeps();
    clocks();
    timers();
    cpuTimers();
    timeouts();
    return finish();
}
