/* guard.c: the fence around a driver's code. Faults and calls that take too long are unwound to where we called it. */
#define _GNU_SOURCE
#include "CDriverGuard.h"
#include "guard.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

__thread DrvGuard *drv_current __attribute__((tls_model("initial-exec")));

/* Threads that are inside drivers: the sweeper looks at these, and takes the time of those that it finds in the same call again. */
#define SLOTS 256
typedef struct Slot {
    _Atomic(int) used;
    _Atomic(uint64_t) call;     /* its number; 0: outside */
    _Atomic(uint64_t) late;     /* the number of a call that is to be cut off */
    uint64_t calls;             /* so many so far; the thread's own */
    pthread_t thread;
    uint64_t seen, since;       /* the sweeper's: a call, and when it saw it first */
    _Atomic(uint64_t) budget;
} Slot;
static Slot slots[SLOTS];
static __thread Slot *slot __attribute__((tls_model("initial-exec")));

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t ending;
static struct sigaction before[65];
static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
#define STACK_SIZE (64u << 10)
#define SIG_LATE (SIGRTMIN + 11)

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static _Noreturn void unwind(DrvGuard *g, int signal, uintptr_t address, uintptr_t pc) {
    g->armed = 0;
    g->fault.signal = signal;
    g->fault.address = address;
    g->fault.pc = pc;
    siglongjmp(g->at, 1);
}

static uintptr_t programCounter(void *context) {
    return (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

static void onFault(int signal, siginfo_t *info, void *context) {
    DrvGuard *g = drv_current;
    if (g && g->armed) unwind(g, signal, (uintptr_t)info->si_addr, programCounter(context));
    /* Not a driver's: whoever was there before us, or the end that it is. */
    struct sigaction *old = &before[signal];
    if (old->sa_flags & SA_SIGINFO) return old->sa_sigaction(signal, info, context);
    if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) return old->sa_handler(signal);
    struct sigaction plain = { .sa_handler = SIG_DFL };
    sigaction(signal, &plain, NULL);
}

/* Unwound only in the driver's own code: elsewhere a lock of the C library might be held. The sweeper tries again. */
static void onLate(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    DrvGuard *g = drv_current;
    uintptr_t pc = programCounter(context);
    if (g && g->armed && slot && atomic_load(&slot->late) == g->call && pc >= g->self->textStart && pc < g->self->textEnd) unwind(g, DRV_LATE, 0, pc);
}

static void threadEnds(void *stack) {
    if (slot) atomic_store(&slot->used, 0);
    stack_t none = { .ss_flags = SS_DISABLE };
    sigaltstack(&none, NULL);
    munmap(stack, STACK_SIZE);
}

static void start(void) {
    pthread_key_create(&ending, threadEnds);
    struct sigaction action = { .sa_sigaction = onFault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigaction(faults[i], &action, &before[faults[i]]);
    action.sa_sigaction = onLate;
    action.sa_flags |= SA_RESTART;
    sigaction(SIG_LATE, &action, NULL);
}

/* A stack for signals (the driver may have used up its own) and a place in the sweeper's list. */
static void prepareThread(void) {
    pthread_once(&once, start);
    stack_t have;
    if (sigaltstack(NULL, &have) == 0 && have.ss_flags & SS_DISABLE) {
        void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack != MAP_FAILED) {
            stack_t ours = { .ss_sp = stack, .ss_size = STACK_SIZE };
            sigaltstack(&ours, NULL);
            pthread_setspecific(ending, stack);
        }
    }
    for (int i = 0; i < SLOTS && !slot; i++) {
        int free = 0;
        if (atomic_compare_exchange_strong(&slots[i].used, &free, 1)) {
            slots[i].thread = pthread_self();
            atomic_store(&slots[i].call, 0);
            atomic_store(&slots[i].late, 0);
            slot = &slots[i];
        }
    }
}

void drv_enter(DrvGuard *g, DrvSelf *self) {
    if (__builtin_expect(!slot, 0)) prepareThread();
    g->fault = (DrvFault){ 0 };
    g->self = self;
    g->outer = drv_current;
    g->armed = 0;
    drv_current = g;
    g->call = slot ? ++slot->calls : 0;
    if (!slot) return;
    atomic_store_explicit(&slot->budget, self->budget, memory_order_relaxed);
    atomic_store_explicit(&slot->call, g->call, memory_order_release);
}

void drv_leave(DrvGuard *g, DrvFault *fault) {
    g->armed = 0;
    drv_current = g->outer;
    if (slot) atomic_store_explicit(&slot->call, g->outer ? g->outer->call : 0, memory_order_release);
    *fault = g->fault;
}

void *drv_owner(void) { return drv_current ? drv_current->self->owner : NULL; }

uint32_t drv_guard_sweep(void) {
    uint32_t inside = 0;
    uint64_t time = now();
    for (int i = 0; i < SLOTS; i++) {
        Slot *s = &slots[i];
        uint64_t call = atomic_load_explicit(&s->call, memory_order_acquire);
        if (!atomic_load(&s->used) || call == 0) continue;
        inside++;
        if (call != s->seen) {
            s->seen = call;
            s->since = time;
        } else if (time - s->since >= atomic_load_explicit(&s->budget, memory_order_relaxed)) {
            atomic_store(&s->late, call);
            pthread_kill(s->thread, SIG_LATE);
        }
    }
    return inside;
}
