/* The client of `chorus bench ipc`: measures calls of the server, and what it costs itself. Option `pair`: the two
 * privileges, its own first, as in "us"; rows are called "us-null". It ends the site. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../bench.h"
#include "ipc.h"

KN_NOTE(K_KIND_SERVER, "bench-client", "1.0");

void bench_interrupts(const KnNucleus *nucleus, const char *(*named)(const char *));

static struct Client {
    const KnNucleus *n;
    char pair[8];
    KnIpcDest handler, queue, all;
    char *body;
    uint32_t size;
    KnSem ping, pong;
} c;

void bench_failed(const char *name) {
    fprintf(stderr, "chorus bench ipc: %s-%s failed\n", c.pair, name);
    c.n->sysShutdown(c.n->self, 1);
    for (;;) c.n->threadDelay(c.n->self, K_NOTIMEOUT);
}

static int32_t call(const KnIpcDest *dest, const void *body, uint32_t size) {
    return c.n->ipcCall(c.n->self, K_DEFAULTPORT, dest, K_FUNCMODE, 0, body, size, 0, 0, 0, 0, K_NOTIMEOUT);
}

static int row_call(long count) {
    while (count-- > 0)
        if (call(&c.handler, c.body, c.size) != K_OK) return -1;
    return 0;
}

/* The server lets go of it. */
static int row_move(long count) {
    while (count-- > 0) {
        VmAddr body;
        if (c.n->msgAllocate(c.n->self, c.size, &body) != K_OK ||
            c.n->ipcCallMove(c.n->self, K_DEFAULTPORT, &c.handler, K_FUNCMODE, 0, body, c.size, 0, 0, 0, 0, K_NOTIMEOUT) != K_OK)
            return -1;
    }
    return 0;
}

static int row_queued(long count) {
    while (count-- > 0)
        if (call(&c.queue, 0, 0) != K_OK) return -1;
    return 0;
}

/* Sent without an answer; the last one of each 32 is a call, which comes after them. */
static int row_async(long count) {
    for (long i = 1; i <= count; i++) {
        if (c.n->ipcSend(c.n->self, K_DEFAULTPORT, &c.queue, K_FUNCMODE, 0, 0, 0) != K_OK) return -1;
        if ((i % 32 == 0 || i == count) && call(&c.queue, 0, 0) != K_OK) return -1;
    }
    return 0;
}

static int row_broadcast(long count) {
    for (long i = 1; i <= count; i++) {
        if (c.n->ipcSend(c.n->self, K_DEFAULTPORT, &c.all, K_BROADMODE, 0, 0, 0) != K_OK) return -1;
        if ((i % 32 == 0 || i == count) && call(&c.all, 0, 0) != K_OK) return -1;
    }
    return 0;
}

static int row_trap(long count) {
    while (count-- > 0)
        if (c.n->trapRaise(c.n->self, BENCH_TRAP, 0, 0, 0) != K_OK) return -1;
    return 0;
}

static int row_general(long count) {
    static const uint64_t words[K_TRAPWORDS];
    while (count-- > 0)
        if (c.n->trapRaise(c.n->self, BENCH_GENERAL, 0, words, 0) != K_OK) return -1;
    return 0;
}

static int row_port(long count) {
    KnUniqueId ui;
    while (count-- > 0) {
        int32_t li = c.n->portCreate(c.n->self, K_MYACTOR, &ui);
        if (li < 0 || c.n->portDelete(c.n->self, K_MYACTOR, li) != K_OK) return -1;
    }
    return 0;
}

static void partner(void *argument) {
    (void)argument;
    while (c.n->semP(c.n->self, &c.ping, K_NOTIMEOUT) == K_OK) c.n->semV(c.n->self, &c.pong);
}

static int row_switch(long count) {
    while (count-- > 0)
        if (c.n->semV(c.n->self, &c.ping) != K_OK || c.n->semP(c.n->self, &c.pong, K_NOTIMEOUT) != K_OK) return -1;
    return 0;
}

static int sleep_until(double due) {
    return c.n->threadDelayNs(c.n->self, (uint64_t)due, K_DELAY_ABSOLUTE) == K_OK ? 0 : -1;
}

static const char *named(const char *row) {
    static char name[64];
    snprintf(name, sizeof name, "%s-%s", c.pair, row);
    return name;
}

/* Where the loader was started with counting.so: allocations of this thread in a thousand null calls, to a
 * handler and through a queue. */
static void allocations(void) {
    unsigned long (*count)(void);
    *(void **)&count = dlsym(RTLD_DEFAULT, "bench_allocations");
    if (!count) return;
    c.size = 0;
    unsigned long before = count();
    if (row_call(1000) != 0) bench_failed("allocations");
    bench_print(named("allocations"), (double)(count() - before));
    before = count();
    if (row_queued(1000) != 0) bench_failed("allocations");
    bench_print(named("queued-allocations"), (double)(count() - before));
}

static void run(void *argument) {
    static const struct { const char *name; uint32_t size; } SIZES[] = { { "null", 0 }, { "64", 64 }, { "4k", 4096 },
                                                                          { "64k", 65536 }, { "1m", 1 << 20 } };
    const KnNucleus *n = argument;
    KnThreadLid li;
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        c.size = SIZES[i].size;
        bench_row(named(SIZES[i].name), row_call);
    }
    bench_row(named("move"), row_move);
    allocations();
    bench_row(named("trap"), row_trap);
    bench_row(named("trap-general"), row_general);
    bench_row(named("queued"), row_queued);
    bench_row(named("async"), row_async);
    bench_row(named("broadcast"), row_broadcast);
    if (c.pair[0] == c.pair[1]) { /* what needs no server, once for each privilege */
        bench_row(named("port"), row_port);
        if (n->threadCreate(n->self, partner, 0, 0, "partner", &li) < 0) bench_failed("switch");
        bench_row(named("switch"), row_switch);
        bench_lateness(named("timer"), sleep_until);
        bench_interrupts(n, named);
        if (c.pair[0] == 's') bench_dispatch();
    }
    n->sysShutdown(n->self, 0);
}

static int32_t started(void *instance) {
    (void)instance;
    KnThreadLid li;
    const KnNucleus *n = c.n;
    if (n->grpName(n->self, BENCH_HANDLER, &c.handler.target) < 0 || n->grpName(n->self, BENCH_QUEUE, &c.queue.target) < 0 ||
        n->grpName(n->self, BENCH_ALL, &c.all.target) < 0)
        return K_EUNKNOWN;
    return n->threadCreate(n->self, run, (void *)n, 0, "bench", &li);
}

__attribute__((visibility("default")))
int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    const char *pair = strstr(args->options, "pair=");
    c.n = n;
    c.body = malloc(1 << 20);
    if (!c.body || !pair) return K_EINVAL;
    memset(c.body, 1, 1 << 20);
    snprintf(c.pair, sizeof c.pair, "%.2s", pair + 5);
    int32_t r = n->semInit(n->self, &c.ping, 0);
    if (r >= 0) r = n->semInit(n->self, &c.pong, 0);
    ops->instance = &c;
    ops->started = started;
    return r;
}
