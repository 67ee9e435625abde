/* guard.c: owns one of each, tells the intruder their names, and looks afterwards whether all is as it was. Ends the site with
 * 0 if so. Lines go to standard output, one a check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "protection.h"

KN_NOTE(K_KIND_SERVER, "guard", "1.0");

#define TOKENS 5u
#define NAP 20

typedef struct Guard {
    const KnNucleus *n;
    KnCap actor, group, segment, control;
    KnUniqueId port, controlPort;
    KnPortLid li, controlLi;
    KnSem sem, never;
    KnThreadLid waiting;
    int32_t ended;                  /* the waiting thread has come back */
    int32_t ports, actors;          /* of the whole site, before the intruder came */
    int failures;
} Guard;

static const char secret[] = "nobody else writes here";

static void check(Guard *g, const char *name, int good) {
    printf("%s %s\n", good ? "ok" : "FAIL", name);
    fflush(stdout);
    if (!good) g->failures++;
}

static int32_t countPorts(Guard *g) {
    uint32_t none = 0;
    return g->n->portStat(g->n->self, &none, 0);
}
static int32_t countActors(Guard *g) {
    uint32_t none = 0;
    return g->n->actorStat(g->n->self, &none, 0);
}

static void waiter(void *argument) {
    Guard *g = argument;
    g->n->semP(g->n->self, &g->never, K_NOTIMEOUT);
    __atomic_store_n(&g->ended, 1, __ATOMIC_RELEASE);
}

static void verify(Guard *g) {
    const KnNucleus *n = g->n;
    char text[sizeof secret] = { 0 };
    uint32_t size = sizeof secret, tokens = 0;
    KnObjDesc all = { g->segment, 0, 0 };
    check(g, "the segment", n->sgRead(n->self, &all, text, &size) == K_OK && size == sizeof secret && !strcmp(text, secret));
    while (n->semP(n->self, &g->sem, 0) == K_OK) tokens++;
    check(g, "the semaphore", tokens == TOKENS);
    check(g, "the thread that waits", !__atomic_load_n(&g->ended, __ATOMIC_ACQUIRE));
    KnUniqueId ui;
    check(g, "the port", n->portUi(n->self, &ui, g->li) == K_OK && !memcmp(&ui, &g->port, sizeof ui));
    check(g, "the group", n->grpPortInsert(n->self, &g->group, &g->port) == K_EEXIST);
    KnProtId who = { 1, 1, 1 };
    check(g, "who it is", n->actorPi(n->self, 0, &who, 0) == K_OK && who.uid == 0 && who.gid == 0);
    KnActorStat stats[64];
    uint32_t count = 64, named = 0;
    n->actorStat(n->self, &count, stats);
    for (uint32_t i = 0; i < count; i++) named += !strcmp(stats[i].name, "guard");
    check(g, "its name", named == 1);
}

/* The intruder ends by itself: nothing of its may be left. */
static void countDown(Guard *g) {
    for (int i = 0; i < 3000 && (countActors(g) != g->actors || countPorts(g) != g->ports); i++)
        g->n->threadDelay(g->n->self, NAP);
    check(g, "as many actors as before", countActors(g) == g->actors);
    check(g, "as many ports as before", countPorts(g) == g->ports);
    KnCap fresh;
    KnUniqueId ui;
    check(g, "the site works on", g->n->actorCreate(g->n->self, 0, &fresh, K_USERACTOR, K_ACTIVE, "fresh") == K_OK &&
                                      g->n->portCreate(g->n->self, &fresh, &ui) > 0 &&
                                      g->n->actorDelete(g->n->self, &fresh) == K_OK);
}

static void serve(void *argument) {
    Guard *g = argument;
    const KnNucleus *n = g->n;
    struct tale in, out = { .thread = g->waiting, .semaphore = g->sem.li, .portLi = g->li, .actor = g->actor.ui,
                            .port = g->port, .group = g->group.ui, .segment = g->segment.ui };
    do {
        in.operation = 0;
        if (n->ipcReceive(n->self, g->controlLi, 0, &in, 0, 0, K_NOTIMEOUT) < 0) continue;
        if (in.operation == END) {
            check(g, "every answer is documented", in.thread == 0);
            verify(g);
        }
        n->ipcReply(n->self, &out, 0, 0);
    } while (in.operation != END);
    countDown(g);
    n->sysShutdown(n->self, g->failures ? 1 : 0);
}

__attribute__((visibility("default")))
int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    Guard *g = calloc(1, sizeof *g);
    if (!g) return K_ENOMEM;
    (void)args;
    g->n = n;
    n->actorSelf(n->self, &g->actor);
    g->li = n->portCreate(n->self, 0, &g->port);
    g->controlLi = n->portCreate(n->self, 0, &g->controlPort);
    KnObjDesc start = { { { 0, 0 }, { 0, 0 } }, 0, 0 };
    int32_t r = n->grpAllocate(n->self, K_DYNAMIC, &g->group, 0);
    if (r >= 0) r = n->grpPortInsert(n->self, &g->group, &g->port);
    if (r >= 0) r = n->grpAllocate(n->self, K_STATUSER, &g->control, STAMP);
    if (r >= 0) r = n->grpPortInsert(n->self, &g->control, &g->controlPort);
    if (r >= 0) r = n->sgCreate(n->self, "secret", 0, &g->segment);
    start.dataObject = g->segment;
    if (r >= 0) r = n->sgWrite(n->self, &start, secret, sizeof secret);
    if (r >= 0) r = n->semInit(n->self, &g->sem, TOKENS);
    if (r >= 0) r = n->semInit(n->self, &g->never, 0);
    if (r >= 0) r = n->threadCreate(n->self, waiter, g, 0, "waits", &g->waiting);
    g->ports = countPorts(g);
    g->actors = countActors(g);
    KnThreadLid server;
    if (r >= 0) r = n->threadCreate(n->self, serve, g, 0, "control", &server);
    ops->instance = g;
    return r < 0 ? r : K_OK;
}
