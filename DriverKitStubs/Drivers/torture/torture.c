/* torture.c: drivers that do what drivers must not; -DWHAT=NAME picks one. They are built by the tests against the installed headers. */
#include "driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

enum { fault_init = 1, fault_probe, fault_handler, fault_unload, fault_read, loop_handler, loop_read, never_claims, claims_all, leaks, dma_overrun,
       stray_dma, abi_major, newer_minor, small_table, busy, garbage, garbage_ops, abort_init, stack, double_done, no_init,
       forged_self, slow_init, wild_free, divide, scribble, exits, sleeps, good };

#define MAJOR (WHAT == abi_major ? DRV_ABI_MAJOR + 8 : DRV_ABI_MAJOR)
#define MINOR (WHAT == newer_minor ? 99 : DRV_ABI_MINOR)

__attribute__((section(".note.chorus"), used, aligned(4), visibility("hidden")))
const DrvNote drv_object_note = { 7, 64, 0x43484f52u, "CHORUS", 3, MAJOR, MINOR, "torture", "1.0.0" };

#ifdef UNDEFINED
extern int no_such_function(void);
#endif
enum { FACTORIAL = 0x08, STATUS = 0x20, INTERRUPTS = 0x24, ACKNOWLEDGE = 0x64 };

typedef struct Torture { const DrvServices *s; DrvHandle device, intr, dma; void *memory; uint64_t bus; } Torture;

static volatile int *const nowhere = (volatile int *)8;
static volatile int zero;

#ifdef CONSTRUCTOR
__attribute__((constructor)) static void construct(void) { *nowhere = 1; }
#endif

static int eat(int depth) {
    volatile char room[4096];
    room[0] = (char)depth;
    return eat(depth + 1) + room[0];
}

/* What only a process of its own survives for the site: every writable byte of the process is overwritten. */
static void overwrite(void) {
    char line[256];
    unsigned long from, to;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx rw", &from, &to) == 2 && strstr(line, " rw") && !strstr(line, "[stack]")) memset((void *)from, 0x5a, to - from);
}

static int32_t handler(void *cookie) {
    Torture *t = cookie;
    switch (WHAT) {
    case fault_handler: *nowhere = 1; break;
    case loop_handler: for (;;) __asm__ volatile("" ::: "memory");
    case never_claims: return BUS_INTR_UNCLAIMED;
    case claims_all: return BUS_INTR_CLAIMED;   /* and never acknowledges */
    default: break;
    }
    t->s->store32(t->s->self, ACKNOWLEDGE, ~0u);
    return BUS_INTR_CLAIMED;
}

static int32_t readIt(void *instance, void *bytes, uint32_t count, uint64_t offset) {
    Torture *t = instance;
    (void)offset;
    switch (WHAT) {
    case fault_read: return *nowhere;
    case loop_read: for (;;) __asm__ volatile("" ::: "memory");
    case divide: return 7 / zero;
    case dma_overrun: memset(t->memory, 1, 64u << 10); break;   /* one page was granted */
    case stray_dma:
        t->s->store64(t->s->self, 0x80, 0x40000);               /* from the device's buffer to memory that is not the driver's */
        t->s->store64(t->s->self, 0x88, t->bus + 4096);
        t->s->store64(t->s->self, 0x90, 4096);
        t->s->store64(t->s->self, 0x98, 1 | 2);
        break;
    case stack: return eat(0);
    case scribble: overwrite(); break;
    case exits: _exit(0);
    case sleeps: for (;;) pause();
    case wild_free: t->s->memFree(t->s->self, (void *)0x1234); break;
    case double_done: t->s->blockDone(t->s->self, 77, DRV_OK); break;
    case forged_self: t->s->log((void *)0x4242, 2, "says who?"); t->s->memFree((void *)8, t); return 0;
    case garbage: return 0x7fffffff;
    default: break;
    }
    if (count > 0) memset(bytes, 'x', 1);
    return count > 0;
}

static int32_t writeIt(void *instance, const void *bytes, uint32_t count, uint64_t offset) {
    Torture *t = instance;
    (void)bytes; (void)offset;
    t->s->store32(t->s->self, FACTORIAL, 3);    /* an interrupt */
    return (int32_t)count;
}

static const DrvCharOps ops = { WHAT == garbage_ops ? 0xffffffffu : sizeof(DrvCharOps), readIt, writeIt, NULL };

static int32_t probe(const DrvServices *s) {
    (void)s;
    if (WHAT == fault_probe) *nowhere = 1;
    return DRV_OK;
}

static int32_t init(const DrvServices *s, void **instance) {
    Torture *t = s->memAlloc(s->self, sizeof *t);
    if (!t) return DRV_ENOMEM;
    t->s = s;
    *instance = t;
    switch (WHAT) {
    case fault_init: *nowhere = 1; break;
    case abort_init: abort();
    case slow_init: for (;;) __asm__ volatile("" ::: "memory");
    case leaks:
        for (int i = 0; i < 100; i++) s->memAlloc(s->self, 10000);
        for (int i = 0; i < 10; i++) s->dmaAlloc(s->self, 5000, &t->memory, &t->bus, &t->dma);
        break;
    case garbage: s->intrAttach(s->self, 99, -5, NULL, NULL, NULL); s->deviceRegister(s->self, 12345, "a name/with rubbish", NULL, NULL); break;
    default: break;
    }
#ifdef UNDEFINED
    no_such_function();
#endif
    int32_t result = s->dmaAlloc(s->self, 4096, &t->memory, &t->bus, &t->dma);
    if (result >= 0) result = s->intrAttach(s->self, 0, 10, handler, t, &t->intr);
    if (result >= 0) {
        s->store32(s->self, STATUS, 0x80);
        result = s->deviceRegister(s->self, DRV_CLASS_CHAR, "torture", &ops, &t->device);
    }
    return result;
}

static int32_t unload(void *instance) {
    Torture *t = instance;
    const DrvServices *s = t->s;
    switch (WHAT) {
    case fault_unload: *nowhere = 1; break;
    case busy: return DRV_EBUSY;
    case leaks: return DRV_OK;
    default: break;
    }
    if (s->deviceUnregister(s->self, t->device) < 0) return DRV_EBUSY;
    s->store32(s->self, STATUS, 0);
    s->intrDetach(s->self, t->intr);
    s->dmaFree(s->self, t->dma);
    s->memFree(s->self, t);
    return DRV_OK;
}

static const DrvMatch match[] = { { "edu", 0 } };
#ifndef NO_ENTRY
const DrvDriver drv_driver = { WHAT == small_table ? 8 : sizeof drv_driver, MAJOR, MINOR, "torture", TEXT(WHAT), match, 1, probe,
                               WHAT == no_init ? NULL : init, unload, NULL };
#endif
