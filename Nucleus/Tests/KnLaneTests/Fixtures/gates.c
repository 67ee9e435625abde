/* A server whose handlers come and go. Body 'g' and a KnCap: for each kind (message, trap, interrupt, event, exceptions of the
 * actor of that capability) a thread connects and disconnects one for ever; 'p' answers with runs and violations of each
 * kind, and the port's name; 'e' ends the threads. After a disconnect nobody may be inside, nor come in. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fixture.h"

enum { MESSAGE, TRAP, INTERRUPT, EVENT, EXCEPTION, KINDS };
typedef struct Kind { volatile uint32_t connected, inside, runs, violations; uint64_t random; } Kind;
typedef struct Server {
    const KnNucleus *n;
    Kind kinds[KINDS];
    volatile uint32_t stop, threads;
    KnUniqueId port;
    KnPortLid li;
    KnCap victim;
    KnCap event;
    volatile uint32_t eventHead, eventTail;
} Server;

static void visit(Kind *k) {
    __atomic_fetch_add(&k->inside, 1, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&k->connected, __ATOMIC_SEQ_CST)) __atomic_fetch_add(&k->violations, 1, __ATOMIC_SEQ_CST);
    uint32_t run = __atomic_fetch_add(&k->runs, 1, __ATOMIC_SEQ_CST);
    if (run % 16 == 0) usleep(50);
    if (!__atomic_load_n(&k->connected, __ATOMIC_SEQ_CST)) __atomic_fetch_add(&k->violations, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&k->inside, 1, __ATOMIC_SEQ_CST);
}

static int32_t message(void *c, const KnMsgHead *h, const void *a, const void *b, uint32_t s, void *ra, void *rb, uint32_t *rs) {
    (void)h, (void)a, (void)b, (void)s, (void)ra, (void)rb;
    visit(&((Server *)c)->kinds[MESSAGE]);
    *rs = 0;
    return K_OK;
}
static int32_t trap(void *c, KnTrapFrame *f) {
    visit(&((Server *)c)->kinds[TRAP]);
    f->result = 5;
    return K_OK;
}
static int32_t interrupt(void *c, uint32_t line) {
    (void)line;
    visit(&((Server *)c)->kinds[INTERRUPT]);
    return K_INTR_CLAIMED;
}
static int32_t event(void *c, uint32_t bits) {
    (void)bits;
    visit(&((Server *)c)->kinds[EVENT]);
    return K_OK;
}
static int32_t exception(void *c, KnException *e) {
    visit(&((Server *)c)->kinds[EXCEPTION]);
    if (e->number != 5) e->context.rip += 2;
    e->context.rcx = 815;
    return K_CONTEXT;
}

static int32_t connect_(Server *s, int kind) {
    const KnNucleus *n = s->n;
    switch (kind) {
    case MESSAGE: return n->svMsgHandler(n->self, s->li, message, s);
    case TRAP: return n->svTrapConnect(n->self, 0x70, trap, s);
    case INTERRUPT: return n->svIntrConnect(n->self, 9, 0, interrupt, s);
    case EVENT: {
        KnCap made;
        int32_t r = n->eventCreate(n->self, event, s, &made);
        if (r == K_OK) s->event = made, s->eventHead = made.ui.uiHead, s->eventTail = made.ui.uiTail;
        return r;
    }
    default: return n->svActorExcHandlerConnect(n->self, &s->victim, exception, s);
    }
}

static int32_t disconnect_(Server *s, int kind, int32_t number) {
    const KnNucleus *n = s->n;
    switch (kind) {
    case MESSAGE: return n->svMsgHandler(n->self, s->li, 0, 0);
    case TRAP: return n->svTrapDisConnect(n->self, 0x70);
    case INTERRUPT: return n->svIntrDisConnect(n->self, 9, number);
    case EVENT: return n->eventDelete(n->self, &s->event);
    default: return n->svActorExcHandlerDisconnect(n->self, &s->victim);
    }
}

typedef struct Work { Server *s; int kind; } Work;
static void churn(void *argument) {
    Work w = *(Work *)argument;
    free(argument);
    Kind *k = &w.s->kinds[w.kind];
    while (!w.s->stop) {
        k->random ^= k->random << 13, k->random ^= k->random >> 7, k->random ^= k->random << 17;
        __atomic_store_n(&k->connected, 1, __ATOMIC_SEQ_CST);
        int32_t number = connect_(w.s, w.kind);
        if (number < 0) {
            if (number != K_EDEADACTOR) __atomic_fetch_add(&k->violations, 1, __ATOMIC_SEQ_CST);
            break;
        }
        usleep((useconds_t)(k->random % 400));
        int32_t r = disconnect_(w.s, w.kind, number);
        if (r < 0 && r != K_EDEADACTOR) __atomic_fetch_add(&k->violations, 1, __ATOMIC_SEQ_CST);
        if (r < 0) break;
        if (__atomic_load_n(&k->inside, __ATOMIC_SEQ_CST)) __atomic_fetch_add(&k->violations, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&k->connected, 0, __ATOMIC_SEQ_CST);
    }
    __atomic_fetch_sub(&w.s->threads, 1, __ATOMIC_SEQ_CST);
}

static int32_t control(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size, void *replyAnnex,
                       void *replyBody, uint32_t *replySize) {
    (void)head, (void)annex, (void)replyAnnex;
    Server *s = cookie;
    const KnNucleus *n = s->n;
    if (size == 0) return K_EINVAL;
    switch (*(const char *)body) {
    case 'g':
        if (size < 1 + sizeof s->victim + 8) return K_EINVAL;
        memcpy(&s->victim, (const char *)body + 1, sizeof s->victim);
        uint64_t seed;
        memcpy(&seed, (const char *)body + 1 + sizeof s->victim, 8);
        for (int kind = 0; kind < KINDS; kind++) {
            Work *w = malloc(sizeof *w);
            KnThreadLid li;
            *w = (Work){ s, kind };
            s->kinds[kind].random = (seed + (uint64_t)kind * 977) | 1;
            __atomic_fetch_add(&s->threads, 1, __ATOMIC_SEQ_CST);
            int32_t r = n->threadCreate(n->self, churn, w, 0, "churn", &li);
            if (r < 0) return r;
        }
        return K_OK;
    case 'p': {
        uint32_t values[2 * KINDS + 5];
        if (*replySize < sizeof values) return K_ETOOBIG;
        for (int kind = 0; kind < KINDS; kind++) {
            values[kind] = s->kinds[kind].runs;
            values[KINDS + kind] = s->kinds[kind].violations;
        }
        values[2 * KINDS] = s->port.uiHead;
        values[2 * KINDS + 1] = s->port.uiTail;
        values[2 * KINDS + 2] = s->eventHead;
        values[2 * KINDS + 3] = s->eventTail;
        values[2 * KINDS + 4] = s->threads;
        memcpy(replyBody, values, sizeof values);
        *replySize = sizeof values;
        return K_OK;
    }
    case 'e': s->stop = 1; return K_OK;
    default: return K_ENOSYS;
    }
}

int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    KnUniqueId port;
    Server *s = calloc(1, sizeof *s);
    if (!s) return K_ENOMEM;
    s->n = n;
    int32_t r = fixture_serve(n, args, control, s, &port);
    if (r < 0) return r;
    if ((s->li = n->portCreate(n->self, K_MYACTOR, &s->port)) < 0) return s->li;
    ops->instance = s;
    return K_OK;
}
