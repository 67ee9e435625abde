/* meter.c: shows how the pipeline did. It is nobody the others know: a user actor without privileges, which asks by the
 * subsystem's trap. */
#include <stdio.h>
#include "pipeline.h"

KN_NOTE(K_KIND_SERVER, "pipeline-meter", "1.0");

static void run(void *argument) {
    const KnNucleus *n = argument;
    PipelineResult r;
    if (kn_trapRaise(n, PIPELINE_TRAP, PIPELINE_RESULT, (uintptr_t)&r) != K_OK) return;
    fprintf(stderr, "pipeline: %u / %u / %u ns (least, middle, most), %u late\n", r.least, r.middle, r.most, r.late);
    printf("%u samples, %u wrong\n", r.samples, r.wrong);
    fflush(stdout);
    kn_trapRaise(n, PIPELINE_TRAP, PIPELINE_SHOWN, 0);
}

/* A thread of its own: `started` is not to wait. */
static int32_t started(void *instance) {
    const KnNucleus *n = instance;
    KnThreadLid li;
    return n->threadCreate(n->self, run, instance, 0, "meter", &li);
}

__attribute__((visibility("default")))
int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    (void)args;
    ops->instance = (void *)n;
    ops->started = started;
    return K_OK;
}
