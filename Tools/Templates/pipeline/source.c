/* source.c: measures something at a steady rate, has each sample filtered, and keeps the deadline. When somebody has
 * shown how that went, it ends the site: 0 if no sample was wrong. Options: period (ms), samples. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "pipeline.h"

KN_NOTE(K_KIND_SERVER, "pipeline-source", "1.0");

typedef struct Source {
    const KnNucleus *n;
    uint32_t period, samples;
    uint64_t *took;                 /* ns that each sample was under way */
} Source;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int byTime(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int32_t measured(uint32_t index) { return (int32_t)(index * 2654435761u % 2000u) - 1000; }

static int32_t mean(uint32_t index) {
    int32_t sum = 0, count = 0;
    for (uint32_t i = index + 1 > PIPELINE_WINDOW ? index + 1 - PIPELINE_WINDOW : 0; i <= index; i++, count++) sum += measured(i);
    return sum / count;
}

static void run(void *argument) {
    Source *s = argument;
    const KnNucleus *n = s->n;
    KnIpcDest filter = { { 0, 0 }, { 0, 0 } };
    uint32_t wrong = 0, late = 0;
    if (n->grpName(n->self, PIPELINE_FILTER, &filter.target) < 0) wrong = s->samples;
    for (uint32_t i = 0; i < s->samples && wrong < s->samples; i++) {
        PipelineSample sample = { .index = i, .value = measured(i) };
        n->threadDelay(n->self, (int32_t)s->period);
        uint64_t begin = now();
        int32_t r = n->ipcCall(n->self, K_DEFAULTPORT, &filter, K_FUNCMODE, &sample, 0, 0, &sample, 0, 0, 0, 10000);
        s->took[i] = now() - begin;
        if (r != K_OK || sample.index != i || sample.value != mean(i)) wrong++;
        if (s->took[i] > s->period * 1000000ull) late++;
    }
    qsort(s->took, s->samples, sizeof *s->took, byTime);
    PipelineResult result = { s->samples, wrong, late, (uint32_t)s->took[0], (uint32_t)s->took[s->samples / 2],
                              (uint32_t)s->took[s->samples - 1] };
    int32_t r = kn_trapRaise(n, PIPELINE_TRAP, PIPELINE_FINISH, (uintptr_t)&result);
    n->sysShutdown(n->self, wrong || r != K_OK ? 1 : 0);
}

static uint32_t option(const char *options, const char *key, uint32_t otherwise) {
    const char *at = strstr(options, key);
    uint32_t value = at ? (uint32_t)strtoul(at + strlen(key), 0, 10) : 0;
    return value ? value : otherwise;
}

/* Everybody is there: the work begins. */
static int32_t started(void *instance) {
    Source *s = instance;
    KnThreadLid li;
    return s->n->threadCreate(s->n->self, run, s, 0, "source", &li);
}

static int32_t end(void *instance) {
    (void)instance; /* its thread may still be on the way out: the actor's end is the site's */
    return K_OK;
}

__attribute__((visibility("default")))
int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    Source *s = calloc(1, sizeof *s);
    if (!s) return K_ENOMEM;
    s->n = n;
    s->period = option(args->options, "period=", 2);
    s->samples = option(args->options, "samples=", 200);
    s->took = calloc(s->samples, sizeof *s->took);
    if (!s->took) {
        free(s);
        return K_ENOMEM;
    }
    ops->instance = s;
    ops->started = started;
    ops->shutdown = end;
    return K_OK;
}
