/* threads: create and join, mutexes, conditions, thread-local storage, 64 at once, raw futexes, exit and exec of many. */
#include "check.h"
#include <pthread.h>
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long counter, turn;
static __thread long local = 17;

static void *counting(void *argument) {
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    if (local != 17) return 0;
    local = (long)argument;
    sched_yield();
    return local == (long)argument ? argument : 0;
}

static void many(void) {
    pthread_t threads[64];
    int made = 0, right = 0;
    for (long i = 0; i < 64; i++) made += pthread_create(&threads[i], 0, counting, (void *)(i + 1)) == 0;
    for (long i = 0; i < 64; i++) {
        void *result = 0;
        right += pthread_join(threads[i], &result) == 0 && result == (void *)(i + 1);
    }
    CHECK("64 threads", made == 64 && right == 64);
    CHECK("a mutex excludes", counter == 64 * 2000);
    CHECK("thread-local storage", local == 17);
    int good = 0;
    for (long i = 0; i < 500; i++) {
        void *result = 0;
        pthread_t thread;
        good += pthread_create(&thread, 0, counting, (void *)(i + 1)) == 0 && pthread_join(thread, &result) == 0 && result;
    }
    CHECK("500 one after the other", good == 500);
}

static void *alternating(void *argument) {
    long mine = (long)argument;
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % 2 != mine) pthread_cond_wait(&condition, &mutex);
        turn++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}

static sem_t ready;
static void *waiting(void *argument) {
    (void)argument;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 50000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    int64_t start = nowNs();
    pthread_mutex_lock(&mutex);
    int result = 0;
    while (result == 0) result = pthread_cond_timedwait(&condition, &mutex, &until);
    pthread_mutex_unlock(&mutex);
    return (void *)(long)(result == ETIMEDOUT && nowNs() - start > 40000000);
}

static void conditions(void) {
    pthread_t one, two;
    pthread_create(&one, 0, alternating, (void *)0);
    pthread_create(&two, 0, alternating, (void *)1);
    pthread_join(one, 0);
    pthread_join(two, 0);
    CHECK("two threads take turns", turn == 1000);
    void *result;
    pthread_create(&one, 0, waiting, 0);
    pthread_join(one, &result);
    CHECK("a timed wait ends", result == (void *)1);
}

static uint32_t word;
static void *sleeper(void *argument) {
    (void)argument;
    sem_post(&ready);
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0) syscall(SYS_futex, &word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, 0, 0, 0);
    return (void *)7;
}

static void futexes(void) {
    sem_init(&ready, 0, 0);
    ERROR("FUTEX_WAIT of another value", syscall(SYS_futex, &word, FUTEX_WAIT, 5, 0, 0, 0), EAGAIN);
    struct timespec brief = {0, 20000000};
    ERROR("FUTEX_WAIT times out", syscall(SYS_futex, &word, FUTEX_WAIT, 0, &brief, 0, 0), ETIMEDOUT);
    CHECK("FUTEX_WAKE of nobody", syscall(SYS_futex, &word, FUTEX_WAKE, 9, 0, 0, 0) == 0);
    ERROR("FUTEX_WAIT at an odd address", syscall(SYS_futex, (char *)&word + 1, FUTEX_WAIT, 0, 0, 0, 0), EINVAL);
    ERROR("FUTEX_WAIT at no address", syscall(SYS_futex, (void *)8, FUTEX_WAIT, 0, 0, 0, 0), EFAULT);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, sleeper, 0);
    for (int i = 0; i < 8; i++) sem_wait(&ready);
    napMs(50);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    long woken = 0;
    for (int i = 0; i < 200 && woken < 8; i++, napMs(5))
        woken += syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 3, 0, 0, 0);
    int good = 0;
    for (int i = 0; i < 8; i++) {
        void *result = 0;
        pthread_join(threads[i], &result);
        good += result == (void *)7;
    }
    CHECK("eight are woken, three at a time", good == 8 && woken == 8);
    uint32_t *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        while (__atomic_load_n(shared, __ATOMIC_ACQUIRE) == 0) syscall(SYS_futex, shared, FUTEX_WAIT, 0, 0, 0, 0);
        _exit(0);
    }
    untilBlocked(pid);
    __atomic_store_n(shared, 1, __ATOMIC_RELEASE);
    CHECK("between two processes", syscall(SYS_futex, shared, FUTEX_WAKE, 1, 0, 0, 0) == 1 && endOf(pid) == 0);
}

static pthread_t signalled;
static volatile long gotBy;
static void onSignal(int number) { (void)number; gotBy = syscall(SYS_gettid); }

static void *pausing(void *argument) {
    *(long *)argument = syscall(SYS_gettid);
    sem_post(&ready);
    while (!gotBy) pause();
    return 0;
}

static void *forever(void *argument) {
    for (;;) pause();
    return argument;
}

static void *leaving(void *argument) {
    (void)argument;
    exit(33);
}

static void *execing(void *argument) {
    (void)argument;
    execl("/proc/self/exe", "threads", "after-exec", (char *)0);
    return 0;
}

static void *forking(void *argument) {
    (void)argument;
    pid_t pid = fork();
    if (pid == 0) _exit(syscall(SYS_gettid) == getpid() ? 12 : 13);
    return (void *)(long)endOf(pid);
}

static void processes(void) {
    long thread = 0;
    signal(SIGUSR1, onSignal);
    CHECK("the first thread's id is the process's", syscall(SYS_gettid) == getpid());
    pthread_create(&signalled, 0, pausing, &thread);
    sem_wait(&ready);
    CHECK("another's is not", thread != getpid() && thread > 0);
    while (!gotBy) { /* the signal may come before the pause */
        pthread_kill(signalled, SIGUSR1);
        napMs(5);
    }
    pthread_join(signalled, 0);
    CHECK("pthread_kill reaches that thread", gotBy == thread);
    ERROR("tgkill of a gone thread", syscall(SYS_tgkill, getpid(), thread, 0), ESRCH);
    pthread_t one, two;
    void *result = 0;
    pthread_create(&one, 0, forking, 0);
    pthread_join(one, &result);
    CHECK("fork in a thread", result == (void *)12);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_create(&one, 0, forever, 0);
        pthread_create(&two, 0, leaving, 0);
        for (;;) pause();
    }
    CHECK("exit of any thread ends all", endOf(pid) == 33);
    if ((pid = fork()) == 0) {
        pthread_create(&one, 0, forever, 0);
        pthread_create(&two, 0, execing, 0);
        for (;;) pause();
    }
    CHECK("exec of any thread ends the others", endOf(pid) == 44);
    if ((pid = fork()) == 0) {
        pthread_create(&one, 0, forever, 0);
        for (;;) pause();
    }
    napMs(20);
    kill(pid, SIGKILL);
    CHECK("kill ends all", endOf(pid) == 1000 + SIGKILL);
    /* By exec: after fork, musl 1.2.3 has no thread id address left to hand its list lock back with. */
    if ((pid = fork()) == 0) {
        execl("/proc/self/exe", "threads", "last-thread", (char *)0);
        _exit(99);
    }
    CHECK("the process lives until its last thread ends", endOf(pid) == 0);
    pthread_create(&one, 0, forever, 0);
    CHECK("pthread_cancel", pthread_cancel(one) == 0 && pthread_join(one, &result) == 0 && result == PTHREAD_CANCELED);
}

static pthread_mutex_t *held;

static void *keeping(void *argument) {
    pthread_mutex_lock(held);
    return argument;
}

static int taken(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    int result = pthread_mutex_timedlock(held, &until);
    if (result == EOWNERDEAD) pthread_mutex_consistent(held);
    if (result == 0 || result == EOWNERDEAD) pthread_mutex_unlock(held);
    return result;
}

/* Robust mutexes of owners who ended, by themselves, killed, or by exec. */
static void robust(void) {
    held = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(held, &kind);
    pthread_t thread;
    pthread_create(&thread, 0, keeping, 0);
    pthread_join(thread, 0);
    CHECK("the mutex of a thread that ended", taken() == EOWNERDEAD && taken() == 0);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(held);
        _exit(0);
    }
    CHECK("of a process that ended", endOf(pid) == 0 && taken() == EOWNERDEAD);
    if ((pid = fork()) == 0) {
        pthread_mutex_lock(held);
        for (;;) pause();
    }
    while (pthread_mutex_trylock(held) == 0) {
        pthread_mutex_unlock(held);
        napMs(2);
    }
    napMs(20);
    kill(pid, SIGKILL);
    CHECK("of one that was killed", taken() == EOWNERDEAD && endOf(pid) == 1000 + SIGKILL);
    if ((pid = fork()) == 0) {
        pthread_mutex_lock(held);
        for (volatile int forever = 1; forever;) {}
    }
    while (pthread_mutex_trylock(held) == 0) {
        pthread_mutex_unlock(held);
        napMs(2);
    }
    kill(pid, SIGKILL);
    CHECK("of one that was killed while it computed", taken() == EOWNERDEAD && endOf(pid) == 1000 + SIGKILL);
    if ((pid = fork()) == 0) {
        pthread_mutex_lock(held);
        execl("/proc/self/exe", "threads", "last-thread", (char *)0);
        _exit(99);
    }
    CHECK("of one that became another program", endOf(pid) == 0 && taken() == EOWNERDEAD);
}

static void *last(void *argument) {
    napMs(50); /* long after the first thread's end */
    return counting(argument);
}

static int lastThread(void) {
    pthread_t thread;
    if (pthread_create(&thread, 0, last, (void *)5) != 0) return 1;
    pthread_exit(0);
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "last-thread") == 0) return lastThread();
    if (count == 2 && strcmp(arguments[1], "after-exec") == 0) return syscall(SYS_gettid) == getpid() ? 44 : 45;
    many();
    conditions();
    futexes();
    processes();
    robust();
    return finish();
}
