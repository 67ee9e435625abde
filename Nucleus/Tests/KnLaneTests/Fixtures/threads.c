/* A server that uses threads, mutexes, timers and per-thread data, for both privileges. A message 'x' answers with the
 * line of the first step that went wrong, 0 none; 'w' with what its server thread found; 'm' waits for the mutex that the
 * server thread holds, 'r' lets that release it. */
#include "fixture.h"
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct Server {
    const KnNucleus *n;
    KnMutex mutex;
    KnSem go;
    KnTimer timer;
    KnCap event;
    volatile uint32_t ticks, found, ready;
} Server;

#define STEP(condition) do { if (!(condition)) return __LINE__; } while (0)

static int32_t tick(void *cookie, uint32_t bits) {
    __atomic_fetch_add(&((Server *)cookie)->ticks, bits, __ATOMIC_RELAXED);
    return K_OK;
}

/* The schedule of a server thread holds for the host thread that runs this code. */
static int32_t worker(Server *s) {
    const KnNucleus *n = s->n;
    KnThreadSched wish = { K_SCHED_OTHER, 200, 0, 0 }, now;
    char name[32];
    STEP(n->threadScheduler(n->self, K_MYSELF, 0, &wish) == K_OK);
    STEP(n->threadScheduler(n->self, K_MYSELF, &now, 0) == K_OK);
    STEP(now.priority == 200 && now.hostPolicy == K_SCHED_OTHER && now.hostPriority == 11);
    STEP(getpriority(PRIO_PROCESS, 0) == 11);
    STEP(n->threadName(n->self, K_MYSELF, name, "renamed") == K_OK && strcmp(name, "worker") == 0);
    STEP(n->threadName(n->self, K_MYSELF, name, 0) == K_OK && strcmp(name, "renamed") == 0);
    STEP(n->mutexGet(n->self, &s->mutex, K_NOTIMEOUT) == K_OK);
    return 0;
}

static void thread(void *argument) {
    Server *s = argument;
    s->found = (uint32_t)worker(s);
    __atomic_store_n(&s->ready, 1, __ATOMIC_RELEASE);
    s->n->semP(s->n->self, &s->go, K_NOTIMEOUT);
    int32_t r = s->n->mutexRel(s->n->self, &s->mutex);
    if (r != K_OK && s->found == 0) s->found = (uint32_t)r;
}

static uint32_t steps(Server *s) {
    const KnNucleus *n = s->n;
    KnMutex mutex = { 0 }, gone;
    STEP(n->mutexInit(n->self, &mutex, K_MUTEX_RT) == K_OK && mutex.li > 0);
    STEP(n->mutexRel(n->self, &mutex) == K_EPRIV);
    STEP(n->mutexGet(n->self, &mutex, K_NOTIMEOUT) == K_OK);
    STEP(n->mutexTry(n->self, &mutex) == K_EBUSY);
    STEP(n->mutexRel(n->self, &mutex) == K_OK);
    gone = mutex;
    STEP(n->mutexDelete(n->self, &mutex) == K_OK && mutex.li == 0);
    STEP(n->mutexGet(n->self, &gone, 0) == K_EUNKNOWN);
    STEP(n->mutexGet(n->self, 0, 0) == K_EFAULT);

    int32_t key = n->ptdKeyCreate(n->self);
    uint64_t value = 1;
    STEP(key > 0);
    STEP(n->ptdGet(n->self, key, &value) == K_OK && value == 0);
    STEP(n->ptdSet(n->self, key, UINT64_MAX) == K_OK);
    STEP(n->ptdGet(n->self, key, &value) == K_OK && value == UINT64_MAX);
    STEP(n->ptdKeyDelete(n->self, key) == K_OK && n->ptdSet(n->self, key, 1) == K_EUNKNOWN);

    KnTimerStat stat;
    STEP(n->timerSet(n->self, &s->timer, 0, 1000000, 1000000) == K_OK);
    do {
        STEP(n->threadDelayNs(n->self, 100000, 0) == K_OK);
        STEP(n->timerGet(n->self, &s->timer, &stat) == K_OK);
    } while (stat.expirations < 3 || s->ticks == 0);
    STEP(stat.interval == 1000000);
    STEP(n->timerSet(n->self, &s->timer, 0, 0, 0) == K_OK);

    KnThreadStat2 stats[256];
    uint32_t count = 256, me = 0;
    STEP(n->threadStat2(n->self, &count, stats) >= 0);
    for (uint32_t i = 0; i < count; i++) me += stats[i].li == n->threadSelf(n->self);
    STEP(me == 1);
    return 0;
}

static int32_t message(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                       void *replyAnnex, void *replyBody, uint32_t *replySize) {
    (void)head, (void)annex, (void)replyAnnex;
    Server *s = cookie;
    const KnNucleus *n = s->n;
    if (size == 0 || *replySize < 4) return K_EINVAL;
    uint32_t answer;
    switch (*(const char *)body) {
    case 'x': answer = steps(s); break;
    case 'w': answer = s->ready ? s->found : UINT32_MAX; break;
    case 'm': {
        int32_t r = n->mutexGet(n->self, &s->mutex, K_NOTIMEOUT);
        return r < 0 ? r : n->mutexRel(n->self, &s->mutex);
    }
    case 'r': return n->semV(n->self, &s->go);
    default: return K_ENOSYS;
    }
    memcpy(replyBody, &answer, 4);
    *replySize = 4;
    return K_OK;
}

int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    KnUniqueId port;
    KnThreadLid li2;
    int32_t r;
    Server *s = calloc(1, sizeof *s);
    if (!s) return K_ENOMEM;
    s->n = n;
    if ((r = n->mutexInit(n->self, &s->mutex, 0)) < 0) return r;
    if ((r = n->semInit(n->self, &s->go, 0)) < 0) return r;
    if ((r = n->eventCreate(n->self, tick, s, &s->event)) < 0) return r;
    if ((r = n->timerCreate(n->self, &s->event.ui, 1, &s->timer)) < 0) return r;
    if ((r = fixture_serve(n, args, message, s, &port)) < 0) return r;
    if ((r = n->threadCreate(n->self, thread, s, 0, "worker", &li2)) < 0) return r;
    ops->instance = s;
    return K_OK;
}
