/* cpuclocks: timers and sleeps that run by CPU time, overruns of timers, and unshare(2). */
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>

static volatile sig_atomic_t fired, overrun;
static void count(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    fired++;
    overrun = info->si_overrun;
}

static int64_t usedNs(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}
static void burn(int64_t ns) {
    int64_t end = usedNs(CLOCK_PROCESS_CPUTIME_ID) + ns;
    while (usedNs(CLOCK_PROCESS_CPUTIME_ID) < end) {}
}

static long create(clockid_t clock, int notify, int signal, int *timer) {
    struct sigevent event = {.sigev_notify = notify, .sigev_signo = signal};
    return syscall(SYS_timer_create, clock, &event, timer);
}
static struct itimerspec every(long value, long period) {
    return (struct itimerspec){{0, period}, {value / 1000000000, value % 1000000000}};
}

static void timers(void) {
    int timer, other;
    struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    CHECK("a timer by CPU time", create(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, &timer) == 0);
    struct itimerspec value = every(50000000, 0), now;
    CHECK("set", syscall(SYS_timer_settime, timer, 0, &value, NULL) == 0);
    napMs(100);
    CHECK("sleep is no CPU time", fired == 0 && syscall(SYS_timer_gettime, timer, &now) == 0 && now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 50000000);
    burn(400000000);
    CHECK("work is", fired == 1 && syscall(SYS_timer_gettime, timer, &now) == 0 && now.it_value.tv_nsec == 0 && now.it_value.tv_sec == 0);
    value.it_value.tv_nsec = 1;
    CHECK("of a time gone by", syscall(SYS_timer_settime, timer, TIMER_ABSTIME, &value, NULL) == 0);
    for (int i = 0; i < 100 && fired < 2; i++) burn(10000000);
    CHECK("at once", fired == 2);
    CHECK("deleted", syscall(SYS_timer_delete, timer) == 0);
    ERROR("twice", syscall(SYS_timer_delete, timer), EINVAL);
    clockid_t clock;
    clock_getcpuclockid(getpid(), &clock);
    CHECK("by the clock of a process", create(clock, SIGEV_NONE, 0, &timer) == 0 && create(CLOCK_THREAD_CPUTIME_ID, SIGEV_NONE, 0, &other) == 0);
    ERROR("of none", create((clockid_t)(~(1u << 22) << 3 | 2), SIGEV_NONE, 0, &timer), EINVAL);
    ERROR("by a coarse one", create(CLOCK_MONOTONIC_COARSE, SIGEV_NONE, 0, &timer), EOPNOTSUPP);
    ERROR("by none", create(77, SIGEV_NONE, 0, &timer), EINVAL);
    ERROR("how", create(CLOCK_MONOTONIC, 8, SIGUSR1, &timer), EINVAL);
    CHECK("as a thread of the library would", create(CLOCK_MONOTONIC, SIGEV_THREAD, SIGUSR1, &timer) == 0);
}

static void overruns(void) {
    int timer;
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN + 3, &action, NULL);
    fired = 0;
    sigprocmask(SIG_BLOCK, &set, &old);
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 3, &timer);
    struct itimerspec value = every(1000000, 10000000), stop = every(0, 0);
    syscall(SYS_timer_settime, timer, 0, &value, NULL);
    napMs(300);
    stop.it_interval.tv_nsec = 0;
    siginfo_t info;
    struct timespec none = {0, 0};
    int got = sigtimedwait(&set, &info, &none);
    CHECK("one signal while it is blocked", got == SIGRTMIN + 3 && info.si_overrun >= 15 && info.si_overrun <= 40 && info.si_code == SI_TIMER);
    napMs(50);
    syscall(SYS_timer_settime, timer, 0, &stop, NULL);
    CHECK("a timer that is stopped takes its signal along", sigtimedwait(&set, &info, &none) == -1 && errno == EAGAIN);
    syscall(SYS_timer_delete, timer);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static volatile int stop;
static void *working(void *unused) {
    (void)unused;
    while (!stop) {}
    return NULL;
}

static void sleeps(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, working, NULL);
    struct timespec time = {0, 60000000};
    int64_t before = usedNs(CLOCK_PROCESS_CPUTIME_ID);
    CHECK("sleep while another thread works", syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &time, NULL) == 0 &&
          usedNs(CLOCK_PROCESS_CPUTIME_ID) - before >= 60000000);
    time.tv_nsec = 1;
    CHECK("until a time gone by", syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &time, NULL) == 0);
    stop = 1;
    pthread_join(thread, NULL);
    ERROR("not by a thread's own clock", syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &time, NULL), EOPNOTSUPP);
    ERROR("nor a coarse one", syscall(SYS_clock_nanosleep, CLOCK_REALTIME_COARSE, 0, &time, NULL), EOPNOTSUPP);
}

static void shares(void) {
    int fd = open("/dev/null", O_RDONLY);
    int *seen = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0) {
        seen[0] = syscall(SYS_unshare, CLONE_FILES | CLONE_FS | CLONE_SYSVSEM) == 0;
        close(fd);
        _exit(0);
    }
    endOf(pid);
    CHECK("descriptors are shared no more", seen[0] == 1 && fcntl(fd, F_GETFD) == 0);
    CHECK("nothing", syscall(SYS_unshare, 0L) == 0);
    ERROR("an unknown flag", syscall(SYS_unshare, 0x4000L), EINVAL);
    ERROR("setns without a descriptor", syscall(SYS_setns, 99, 0), EBADF);
    ERROR("with one of something else", syscall(SYS_setns, fd, 0), EINVAL);
}

int main(void) {
    timers();
    overruns();
    sleeps();
    shares();
    return finish();
}
