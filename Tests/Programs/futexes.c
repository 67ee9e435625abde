/* futexes: bitsets, requeueing, WAKE_OP, several words at once, time limits and signals; locks with priority inheritance:
 * taking turns, trying, time limits, deadlocks, owners that die, requeueing to a lock. */
#include "check.h"
#include <pthread.h>

#undef FUTEX_PRIVATE_FLAG
enum { WAIT, WAKE, REQUEUE = 3, CMP_REQUEUE, WAKE_OP, LOCK_PI, UNLOCK_PI, TRYLOCK_PI, WAIT_BITSET, WAKE_BITSET, WAIT_REQUEUE_PI,
       CMP_REQUEUE_PI, LOCK_PI2, PRIVATE = 128, REALTIME = 256 };
#define WAITERS 0x80000000u
#define OWNER_DIED 0x40000000u
#define TID_MASK 0x3fffffffu
#define ALL 0xffffffffu

static long futex(void *word, int op, uint32_t value, void *time, void *second, uint32_t third) {
    return syscall(SYS_futex, word, op, value, time, second, third);
}
static uint32_t self(void) { return syscall(SYS_gettid); }
static uint32_t load(uint32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
static void store(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }

/* Threads that announce themselves, and are waited for until they sleep. */
struct thread {
    pthread_t id;
    uint32_t tid, begun, go, done;
    uint32_t *word, *other, value, bits;
    long result;
    int error;
};

static int blockedThread(struct thread *thread) {
    char path[64], text[512];
    while (!load(&thread->tid)) sched_yield();
    snprintf(path, sizeof path, "/proc/self/task/%u/stat", thread->tid);
    for (int round = 0; round < 600; round++) {
        int fd = open(path, O_RDONLY);
        ssize_t size = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
        if (fd >= 0) close(fd);
        if (size > 0) {
            text[size] = 0;
            char *end = strrchr(text, ')');
            if (end && end[2] == 'S' && load(&thread->begun)) return 1;
        }
        napMs(5);
    }
    return 0;
}

static void begin(struct thread *thread) {
    store(&thread->tid, self());
    store(&thread->begun, 1);
}
static void end(struct thread *thread, long result) {
    thread->error = errno;
    thread->result = result;
    store(&thread->done, 1);
}
static void start(struct thread *thread, void *(*body)(void *)) {
    thread->tid = thread->begun = thread->done = 0;
    pthread_create(&thread->id, 0, body, thread);
}
static int joined(struct thread *thread) { return pthread_join(thread->id, 0) == 0; }

static void *bitWaiter(void *argument) {
    struct thread *thread = argument;
    begin(thread);
    end(thread, futex(thread->word, WAIT_BITSET | PRIVATE, 0, 0, 0, thread->bits));
    return 0;
}

static void bitsets(void) {
    static uint32_t word;
    struct thread one = {.word = &word, .bits = 1}, two = {.word = &word, .bits = 2};
    start(&one, bitWaiter);
    start(&two, bitWaiter);
    blockedThread(&one);
    blockedThread(&two);
    CHECK("other bits wake nobody", futex(&word, WAKE_BITSET | PRIVATE, 9, 0, 0, 4) == 0);
    CHECK("a bit wakes its own", futex(&word, WAKE_BITSET | PRIVATE, 9, 0, 0, 2) == 1 && joined(&two) && !load(&one.done));
    CHECK("shared does not find private", futex(&word, WAKE, 9, 0, 0, 0) == 0);
    CHECK("and the rest", futex(&word, WAKE | PRIVATE, 9, 0, 0, 0) == 1 && joined(&one));
    ERROR("no bits to wake", futex(&word, WAKE_BITSET, 1, 0, 0, 0), EINVAL);
    ERROR("no bits to wait", futex(&word, WAIT_BITSET, 0, 0, 0, 0), EINVAL);
    ERROR("an operation that is none", futex(&word, 77, 0, 0, 0, 0), ENOSYS);
    ERROR("FUTEX_FD is gone", futex(&word, 2, 0, 0, 0, 0), ENOSYS);
    ERROR("no clock for a wake", futex(&word, WAKE | REALTIME, 0, 0, 0, 0), ENOSYS);
    struct timespec wrong = {0, 1000000000}, past = {1, 0}, negative = {-1, 0};
    ERROR("a time that is none", futex(&word, WAIT, 0, &wrong, 0, 0), EINVAL);
    ERROR("a negative time", futex(&word, WAIT, 0, &negative, 0, 0), EINVAL);
    ERROR("a time limit that has passed", futex(&word, WAIT_BITSET, 0, &past, 0, ALL), ETIMEDOUT);
    ERROR("by the other clock", futex(&word, WAIT_BITSET | REALTIME, 0, &past, 0, ALL), ETIMEDOUT);
}

static void requeues(void) {
    static uint32_t from, to;
    struct thread threads[4];
    for (int i = 0; i < 4; i++) {
        threads[i] = (struct thread){.word = &from, .bits = ALL};
        start(&threads[i], bitWaiter);
    }
    for (int i = 0; i < 4; i++) blockedThread(&threads[i]);
    ERROR("the word has changed", futex(&from, CMP_REQUEUE | PRIVATE, 1, (void *)9, &to, 5), EAGAIN);
    ERROR("less than nobody", futex(&from, CMP_REQUEUE | PRIVATE, -1, (void *)9, &to, 0), EINVAL);
    CHECK("one is woken, two are moved", futex(&from, CMP_REQUEUE | PRIVATE, 1, (void *)2, &to, 0) == 3);
    CHECK("one is left", futex(&from, WAKE | PRIVATE, 9, 0, 0, 0) == 1);
    CHECK("two were moved", futex(&to, WAKE | PRIVATE, 9, 0, 0, 0) == 2);
    int good = 0;
    for (int i = 0; i < 4; i++) good += joined(&threads[i]) && threads[i].result == 0;
    CHECK("all came back", good == 4);
}

/* (op << 28) | (cmp << 24) | (operand << 12) | comparand */
#define OP(op, operand, cmp, comparand) ((op) << 28 | (cmp) << 24 | ((operand) & 0xfff) << 12 | ((comparand) & 0xfff))
static void wakeOp(void) {
    static uint32_t first, second;
    struct { const char *name; uint32_t code, before, after; } cases[] = {
        {"set", OP(0u, 5, 0u, 0), 9, 5}, {"add", OP(1u, -2, 0u, 0), 9, 7}, {"or", OP(2u, 6, 0u, 0), 9, 15},
        {"and not", OP(3u, 8, 0u, 0), 9, 1}, {"xor", OP(4u, 3, 0u, 0), 9, 10}, {"shift", OP(8u, 31, 0u, 0), 9, 1u << 31},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        store(&second, cases[i].before);
        CHECK(cases[i].name, futex(&first, WAKE_OP | PRIVATE, 1, (void *)1, &second, cases[i].code) == 0 && load(&second) == cases[i].after);
    }
    ERROR("an operation that is none", futex(&first, WAKE_OP, 1, (void *)1, &second, OP(5u, 0, 0u, 0)), ENOSYS);
    ERROR("a comparison that is none", futex(&first, WAKE_OP, 1, (void *)1, &second, OP(0u, 0, 6u, 0)), ENOSYS);
    ERROR("a word that cannot be written", futex(&first, WAKE_OP, 1, (void *)1, (void *)8, OP(0u, 0, 0u, 0)), EFAULT);
    struct thread one = {.word = &first, .bits = ALL}, two = {.word = &second, .bits = ALL};
    store(&first, 0);
    store(&second, 0);
    start(&one, bitWaiter);
    start(&two, bitWaiter);
    blockedThread(&one);
    blockedThread(&two);
    CHECK("where the comparison fails", futex(&first, WAKE_OP | PRIVATE, 1, (void *)1, &second, OP(1u, 1, 4u, 5)) == 1);
    CHECK("where it holds", futex(&first, WAKE_OP | PRIVATE, 1, (void *)1, &second, OP(1u, 1, 0u, 1)) == 1 && load(&second) == 2);
    CHECK("both came back", joined(&one) && joined(&two));
}

/* Others change the word at the same time, by instructions of their own. */
static uint32_t counted;
static void *adding(void *argument) {
    for (int i = 0; i < 20000; i++) __atomic_fetch_add(&counted, 2, __ATOMIC_SEQ_CST);
    return argument;
}
static void atomicity(void) {
    static uint32_t nobody;
    pthread_t thread;
    counted = 0;
    pthread_create(&thread, 0, adding, 0);
    for (int i = 0; i < 2000; i++) futex(&nobody, WAKE_OP | PRIVATE, 1, (void *)1, &counted, OP(1u, 1, 0u, 0));
    pthread_join(thread, 0);
    CHECK("no change is lost", load(&counted) == 42000);
}

static volatile sig_atomic_t caught;
static void onSignal(int number) { caught += number != 0; }
static void handler(int flags) {
    struct sigaction action = {.sa_handler = onSignal, .sa_flags = flags};
    sigaction(SIGUSR1, &action, 0);
    caught = 0;
}

static void *timedWaiter(void *argument) {
    struct thread *thread = argument;
    struct timespec limit = {30, 0};
    begin(thread);
    end(thread, futex(thread->word, WAIT | PRIVATE, 0, thread->value ? &limit : 0, 0, 0));
    return 0;
}

static void interrupted(void) {
    static uint32_t word;
    struct thread thread = {.word = &word};
    handler(0);
    start(&thread, timedWaiter);
    blockedThread(&thread);
    pthread_kill(thread.id, SIGUSR1);
    CHECK("a handler ends it", joined(&thread) && thread.result == -1 && thread.error == EINTR && caught == 1);
    handler(SA_RESTART);
    start(&thread, timedWaiter);
    blockedThread(&thread);
    pthread_kill(thread.id, SIGUSR1);
    while (!caught) sched_yield();
    blockedThread(&thread);
    CHECK("SA_RESTART goes on", !load(&thread.done) && futex(&word, WAKE | PRIVATE, 1, 0, 0, 0) == 1 && joined(&thread) && thread.result == 0);
    handler(SA_RESTART);
    thread.value = 1;
    start(&thread, timedWaiter);
    blockedThread(&thread);
    pthread_kill(thread.id, SIGUSR1);
    CHECK("with a time limit it does not", joined(&thread) && thread.result == -1 && thread.error == EINTR);
}

struct waitv { uint64_t value, address; uint32_t flags, reserved; };
static long waitv(struct waitv *words, unsigned count, unsigned flags, struct timespec *limit, int clock) {
    return syscall(449, words, count, flags, limit, clock);
}
static uint32_t several[3];
static void *severalWaiter(void *argument) {
    struct thread *thread = argument;
    struct waitv words[3];
    for (int i = 0; i < 3; i++) words[i] = (struct waitv){0, (uintptr_t)&several[i], 2 | PRIVATE, 0};
    begin(thread);
    end(thread, waitv(words, 3, 0, 0, 0));
    return 0;
}
static void atOnce(void) {
    struct waitv words[2] = {{0, (uintptr_t)&several[0], 2, 0}, {0, (uintptr_t)&several[1], 2, 0}};
    struct timespec past = {1, 0}, brief;
    ERROR("waitv of nothing", waitv(words, 0, 0, 0, 0), EINVAL);
    ERROR("of too much", waitv(words, 129, 0, 0, 0), EINVAL);
    ERROR("with flags", waitv(words, 2, 1, 0, 0), EINVAL);
    ERROR("by another clock", waitv(words, 2, 0, &past, CLOCK_PROCESS_CPUTIME_ID), EINVAL);
    ERROR("passed", waitv(words, 2, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT);
    clock_gettime(CLOCK_REALTIME, &brief);
    ERROR("passed by the other clock", waitv(words, 2, 0, &brief, CLOCK_REALTIME), ETIMEDOUT);
    words[1].value = 3;
    ERROR("a word is another", waitv(words, 2, 0, 0, 0), EAGAIN);
    words[1].value = 0;
    words[1].flags = 4;
    ERROR("flags of a word", waitv(words, 2, 0, 0, 0), EINVAL);
    words[1].flags = 2;
    words[1].reserved = 1;
    ERROR("what is reserved", waitv(words, 2, 0, 0, 0), EINVAL);
    words[1].reserved = 0;
    words[1].address = 8;
    ERROR("a word that is not there", waitv(words, 2, 0, 0, 0), EFAULT);
    for (int i = 0; i < 3; i++) {
        struct thread thread = {0};
        start(&thread, severalWaiter);
        blockedThread(&thread);
        char name[32];
        snprintf(name, sizeof name, "woken by word %d", i);
        CHECK(name, futex(&several[i], WAKE | PRIVATE, 1, 0, 0, 0) == 1 && joined(&thread) && thread.result == i);
    }
}

/* --- locks with priority inheritance ------------------------------------------------------------------------------- */

static uint32_t lock;
static int take(uint32_t *word) {
    uint32_t none = 0;
    if (__atomic_compare_exchange_n(word, &none, self(), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return 0;
    return futex(word, LOCK_PI | PRIVATE, 0, 0, 0, 0);
}
static int release(uint32_t *word) {
    uint32_t own = self();
    if (__atomic_compare_exchange_n(word, &own, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return 0;
    return futex(word, UNLOCK_PI | PRIVATE, 0, 0, 0, 0);
}

static long shared;
static void *turns(void *argument) {
    for (int i = 0; i < 3000; i++) {
        if (take(&lock)) return 0;
        long now = shared;
        if (i % 64 == 0) sched_yield();
        shared = now + 1;
        if (release(&lock)) return 0;
    }
    return argument;
}

static void *locking(void *argument) {
    struct thread *thread = argument;
    struct timespec past = {1, 0};
    begin(thread);
    end(thread, futex(thread->word, (thread->bits ? (int)thread->bits : LOCK_PI) | PRIVATE, 0, thread->value ? &past : 0, 0, 0));
    if (thread->result == 0 && thread->other == 0) release(thread->word);
    return 0;
}

static void *dying(void *argument) {
    struct thread *thread = argument;
    take(thread->word);
    begin(thread);
    while (!load(&thread->go)) sched_yield();
    return 0;
}

static void *crossing(void *argument) {
    struct thread *thread = argument;
    take(thread->other);
    begin(thread);
    while (!load(&thread->go)) sched_yield();
    end(thread, futex(thread->word, LOCK_PI | PRIVATE, 0, 0, 0, 0));
    release(thread->word);
    release(thread->other);
    return 0;
}

static void locks(void) {
    pthread_t threads[4];
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], 0, turns, (void *)(i + 1));
    int good = 0;
    for (long i = 0; i < 4; i++) {
        void *result;
        good += pthread_join(threads[i], &result) == 0 && result == (void *)(i + 1);
    }
    CHECK("four take turns", good == 4 && shared == 12000);
    CHECK("and leave it free", (load(&lock) & TID_MASK) == 0);
    store(&lock, 0);
    CHECK("taken by the call", futex(&lock, LOCK_PI | PRIVATE, 0, 0, 0, 0) == 0 && load(&lock) == self());
    ERROR("twice", futex(&lock, LOCK_PI | PRIVATE, 0, 0, 0, 0), EDEADLK);
    ERROR("tried twice", futex(&lock, TRYLOCK_PI | PRIVATE, 0, 0, 0, 0), EDEADLK);
    struct thread thread = {.word = &lock, .bits = TRYLOCK_PI};
    start(&thread, locking);
    CHECK("tried by another", joined(&thread) && thread.result == -1 && thread.error == EAGAIN);
    thread.bits = LOCK_PI;
    thread.value = 1;
    start(&thread, locking);
    CHECK("no time left", joined(&thread) && thread.result == -1 && thread.error == ETIMEDOUT);
    thread.bits = LOCK_PI2;
    start(&thread, locking);
    CHECK("nor by the other clock", joined(&thread) && thread.result == -1 && thread.error == ETIMEDOUT);
    CHECK("the sign of waiters", load(&lock) == (self() | WAITERS));
    thread.bits = UNLOCK_PI;
    start(&thread, locking);
    CHECK("another does not unlock", joined(&thread) && thread.result == -1 && thread.error == EPERM);
    thread.bits = LOCK_PI;
    thread.value = 0;
    start(&thread, locking);
    blockedThread(&thread);
    handler(0);
    pthread_kill(thread.id, SIGUSR1);
    while (!caught) sched_yield();
    blockedThread(&thread);
    CHECK("a signal does not end the wait", !load(&thread.done));
    CHECK("handed on", futex(&lock, UNLOCK_PI | PRIVATE, 0, 0, 0, 0) == 0 && joined(&thread) && thread.result == 0);
    CHECK("and unlocked", (load(&lock) & TID_MASK) == 0);
    ERROR("what is not locked", futex(&lock, UNLOCK_PI | PRIVATE, 0, 0, 0, 0), EPERM);
    store(&lock, 0x3ffffff0);
    ERROR("by nobody", futex(&lock, LOCK_PI | PRIVATE, 0, 0, 0, 0), ESRCH);
    store(&lock, 0);
    CHECK("tried and taken", futex(&lock, TRYLOCK_PI | PRIVATE, 0, 0, 0, 0) == 0 && (load(&lock) & TID_MASK) == self());
    CHECK("given back", futex(&lock, UNLOCK_PI | PRIVATE, 0, 0, 0, 0) == 0 && load(&lock) == 0);
    store(&lock, OWNER_DIED);
    CHECK("of one who died", futex(&lock, LOCK_PI | PRIVATE, 0, 0, 0, 0) == 0 && load(&lock) == (self() | OWNER_DIED));
    release(&lock);
    store(&lock, 0);
    ERROR("no memory", futex((void *)8, LOCK_PI | PRIVATE, 0, 0, 0, 0), EFAULT);

    static uint32_t second;
    struct thread other = {.word = &lock, .other = &second};
    take(&lock);
    start(&other, crossing);
    while (!load(&other.begun)) sched_yield();
    store(&other.go, 1);
    blockedThread(&other);
    ERROR("in a circle", futex(&second, LOCK_PI | PRIVATE, 0, 0, 0, 0), EDEADLK);
    release(&lock);
    CHECK("which does not close", joined(&other) && other.result == 0);

    store(&lock, 0);
    struct thread owner = {.word = &lock};
    start(&owner, dying);
    while (!load(&owner.begun)) sched_yield();
    struct thread heir = {.word = &lock, .other = &lock, .bits = LOCK_PI};
    start(&heir, locking);
    blockedThread(&heir);
    store(&owner.go, 1);
    CHECK("an owner that ends leaves it", joined(&owner) && joined(&heir) && heir.result == 0);
    CHECK("with a sign", (load(&lock) & OWNER_DIED) && (load(&lock) & TID_MASK) == heir.tid);
}

/* As the C library has it. */
static pthread_mutex_t *mutex;
static void *holding(void *argument) {
    pthread_mutex_lock(mutex);
    return argument;
}
static void robust(void) {
    pthread_mutexattr_t attributes;
    mutex = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    CHECK("the C library has PI mutexes", pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0);
    CHECK("a robust one", pthread_mutex_init(mutex, &attributes) == 0);
    pthread_t thread;
    pthread_create(&thread, 0, holding, 0);
    pthread_join(thread, 0);
    CHECK("of a thread that ended", pthread_mutex_lock(mutex) == EOWNERDEAD && pthread_mutex_consistent(mutex) == 0);
    CHECK("is whole again", pthread_mutex_unlock(mutex) == 0);
    int ends[2];
    pipe(ends);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(mutex);
        write(ends[1], "x", 1);
        for (;;) pause();
    }
    char byte;
    read(ends[0], &byte, 1);
    CHECK("held by a process", pthread_mutex_trylock(mutex) == EBUSY);
    kill(pid, SIGKILL);
    int result = pthread_mutex_lock(mutex);
    CHECK("that was killed", result == EOWNERDEAD && pthread_mutex_consistent(mutex) == 0 && pthread_mutex_unlock(mutex) == 0);
    endOf(pid);
    CHECK("and goes on", pthread_mutex_lock(mutex) == 0 && pthread_mutex_unlock(mutex) == 0);
}

static uint32_t gate;
static void *toLock(void *argument) {
    struct thread *thread = argument;
    struct timespec past = {1, 0};
    begin(thread);
    end(thread, futex(&gate, WAIT_REQUEUE_PI | PRIVATE, thread->bits, thread->value ? &past : 0, &lock, 0));
    if (thread->result == 0) {
        thread->value = (load(&lock) & TID_MASK) == thread->tid;
        release(&lock);
    }
    return 0;
}
static void requeuesToLock(void) {
    store(&lock, 0);
    ERROR("to itself", futex(&gate, WAIT_REQUEUE_PI | PRIVATE, 0, 0, &gate, 0), EINVAL);
    struct thread one = {.bits = 5}, two = {.value = 1};
    start(&one, toLock);
    CHECK("another value", joined(&one) && one.result == -1 && one.error == EAGAIN);
    start(&two, toLock);
    CHECK("no time to be requeued", joined(&two) && two.result == -1 && two.error == ETIMEDOUT);
    ERROR("more than one to wake", futex(&gate, CMP_REQUEUE_PI | PRIVATE, 2, (void *)9, &lock, 0), EINVAL);
    ERROR("the word is another", futex(&gate, CMP_REQUEUE_PI | PRIVATE, 1, (void *)9, &lock, 7), EAGAIN);
    CHECK("nobody to requeue", futex(&gate, CMP_REQUEUE_PI | PRIVATE, 1, (void *)9, &lock, 0) == 0);
    struct thread threads[3] = {{0}, {0}, {0}};
    take(&lock);
    for (int i = 0; i < 3; i++) start(&threads[i], toLock);
    for (int i = 0; i < 3; i++) blockedThread(&threads[i]);
    CHECK("three go to the lock", futex(&gate, CMP_REQUEUE_PI | PRIVATE, 1, (void *)9, &lock, 0) == 3);
    CHECK("where they wait", load(&lock) == (self() | WAITERS));
    release(&lock);
    int good = 0;
    for (int i = 0; i < 3; i++) good += joined(&threads[i]) && threads[i].result == 0 && threads[i].value == 1;
    CHECK("and come back as its owners", good == 3);
    store(&lock, 0);
    struct thread last = {0};
    start(&last, toLock);
    blockedThread(&last);
    CHECK("a free lock is taken at once", futex(&gate, CMP_REQUEUE_PI | PRIVATE, 1, 0, &lock, 0) == 1 && joined(&last)
          && last.result == 0 && last.value == 1);
}

int main(void) {
    bitsets();
    requeues();
    wakeOp();
    atomicity();
    interrupted();
    atOnce();
    locks();
    robust();
    requeuesToLock();
    return finish();
}
