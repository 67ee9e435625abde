/* A server of one file, for both privileges. Message bodies begin with a command byte:
 *   'e' echo, 'u' echo the actor's own UI as actorSelf tells it, 'n' nothing, 'p' how many messages so far,
 *   'd' dies, 'v' posts its event, 's' sgAdopt and sgRead, 'c' and a group's stamp (4 bytes) and a body: calls that
 *   group with the body and hands on the reply. Handlers run concurrently. */
#include "chorus.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

typedef struct Fixture { const KnNucleus *n; uint32_t privilege; volatile uint32_t messages, events, threads; KnCap event; } Fixture;

static int32_t message(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                       void *replyAnnex, void *replyBody, uint32_t *replySize) {
    Fixture *f = cookie;
    const KnNucleus *n = f->n;
    const uint8_t *b = body;
    __atomic_fetch_add(&f->messages, 1, __ATOMIC_RELAXED);
    if (head == 0 || size == 0) { *replySize = 0; return K_EINVAL; }
    if (replyAnnex && annex) memcpy(replyAnnex, annex, K_CMSGANNEXSIZE);
    switch (b[0]) {
    case 'n': *replySize = 0; return K_OK;
    case 'e':
        if (*replySize < size) return K_ETOOBIG;
        memcpy(replyBody, b, size);
        *replySize = size;
        return K_OK;
    case 'u': {
        KnCap cap;
        int32_t r = n->actorSelf(n->self, &cap);
        if (r < 0) return r;
        memcpy(replyBody, &cap.ui, sizeof cap.ui);
        *replySize = sizeof cap.ui;
        return K_OK;
    }
    case 'p': {
        uint32_t values[5] = { f->messages, f->events, f->threads, f->privilege, (uint32_t)getpid() };
        memcpy(replyBody, values, sizeof values);
        *replySize = sizeof values;
        return K_OK;
    }
    case 'v': return n->eventPost(n->self, &f->event.ui, 5);
    case 'd': abort();
    case 'c': {
        uint32_t stamp;
        KnIpcDest dest = { { 0, 0 }, { 0, 0 } };
        if (size < 5) return K_EINVAL;
        memcpy(&stamp, b + 1, sizeof stamp);
        int32_t r = n->grpName(n->self, stamp, &dest.target);
        if (r < 0) return r;
        return n->ipcCall(n->self, K_DEFAULTPORT, &dest, K_FUNCMODE, annex, b + 5, size - 5, replyAnnex, replyBody,
                          replySize, 0, K_NOTIMEOUT);
    }
    case 's': {
        int fd = memfd_create("fixture", MFD_CLOEXEC);
        KnCap segment;
        if (write(fd, "segment", 7) != 7) return K_EHOST;
        int32_t r = n->sgAdopt(n->self, fd, 0, &segment);
        close(fd);
        if (r < 0) return r;
        KnObjDesc from = { segment, 0, 7 };
        r = n->sgRead(n->self, &from, replyBody, replySize);
        n->sgRelease(n->self, &segment);
        return r;
    }
    }
    return K_ENOSYS;
}

static int32_t event(void *cookie, uint32_t bits) {
    __atomic_fetch_add(&((Fixture *)cookie)->events, bits, __ATOMIC_RELAXED);
    return K_OK;
}

static void thread(void *argument) {
    Fixture *f = argument;
    if (f->n->threadSelf(f->n->self) > 0) f->threads++;
}

static int32_t started(void *instance) { return ((Fixture *)instance)->n ? 7 : K_EINVAL; }
static int32_t shutdown_(void *instance) { free(instance); return K_OK; }
static int32_t export_(void *instance, uint32_t sequence, void *message, uint32_t *size) {
    (void)instance;
    if (sequence > 0) { *size = 0; return K_OK; }
    if (*size < 5) return K_ETOOBIG;
    memcpy(message, "state", 5);
    *size = 5;
    return K_OK;
}

int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    if (strstr(args->options, "refuse=yes")) return K_EBUSY;
    Fixture *f = calloc(1, sizeof *f);
    f->n = n;
    f->privilege = args->privilege;
    KnCap group;
    KnUniqueId port;
    int32_t r = n->grpAllocate(n->self, K_STATSYS, &group, args->groupStamp);
    if (r < 0) { fprintf(stderr, "grpAllocate %d\n", r); return r; }
    int32_t li = n->portCreate(n->self, K_MYACTOR, &port);
    if (li < 0) { fprintf(stderr, "portCreate %d\n", li); return li; }
    if ((r = n->svMsgHandler(n->self, li, message, f)) < 0) { fprintf(stderr, "svMsgHandler %d\n", r); return r; }
    if ((r = n->grpPortInsert(n->self, &group, &port)) < 0) { fprintf(stderr, "grpPortInsert %d\n", r); return r; }
    if ((r = n->eventCreate(n->self, event, f, &f->event)) < 0) { fprintf(stderr, "eventCreate %d\n", r); return r; }
    KnThreadLid li2;
    if ((r = n->threadCreate(n->self, thread, f, 0, "fixture", &li2)) < 0) { fprintf(stderr, "threadCreate %d\n", r); return r; }
    ops->instance = f;
    ops->shutdown = shutdown_;
    ops->started = started;
    ops->stateExport = export_;
    return K_OK;
}
