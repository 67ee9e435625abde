/* Interrupts: a line that is up until its handler has seen it often enough, so that each row's operation is one round through
 * the handlers; and a single edge, from the trigger to the handler. */
#define _GNU_SOURCE
#include <sched.h>
#include <stddef.h>
#include "../bench.h"
#include "chorus.h"

#define LINE 40u
static const KnNucleus *n;
static volatile long seen, wanted, down;

static int32_t passes(void *cookie, uint32_t line) { (void)cookie, (void)line; return K_INTR_UNCLAIMED; }
static int32_t claims(void *cookie, uint32_t line) {
    (void)cookie;
    if (++seen == wanted) {
        n->svIntrTrigger(n->self, line, K_INTR_LOWER);
        __atomic_store_n(&down, 1, __ATOMIC_RELEASE);
    }
    return K_INTR_CLAIMED;
}

static int row_rounds(long count) {
    seen = down = 0;
    wanted = count;
    if (n->svIntrTrigger(n->self, LINE, K_INTR_RAISE) != K_OK) return -1;
    while (!__atomic_load_n(&down, __ATOMIC_ACQUIRE)) sched_yield();
    return 0;
}

static int row_edges(long count) {
    wanted = -1;
    while (count-- > 0) {
        long before = seen;
        if (n->svIntrTrigger(n->self, LINE, K_INTR_EDGE) != K_OK) return -1;
        while (__atomic_load_n(&seen, __ATOMIC_ACQUIRE) == before) sched_yield();
    }
    return 0;
}

void bench_interrupts(const KnNucleus *nucleus, const char *(*named)(const char *)) {
    n = nucleus;
    if (n->svIntrConnect(n->self, LINE, 9, claims, 0) < 0) bench_failed("interrupt");
    bench_row(named("interrupt-1"), row_rounds);
    bench_row(named("interrupt-edge"), row_edges);
    for (int i = 0; i < 3; i++)
        if (n->svIntrConnect(n->self, LINE, i, passes, 0) < 0) bench_failed("interrupt");
    bench_row(named("interrupt-4"), row_rounds);
}
