/* The server of `chorus bench ipc`: three groups, by ipc.h. It does nothing with what it is sent. */
#define _GNU_SOURCE
#include <stdlib.h>
#include "ipc.h"

KN_NOTE(K_KIND_SERVER, "bench-server", "1.0");

typedef struct Server {
    const KnNucleus *n;
    KnPortLid queue;
    char *body;
} Server;

static int32_t message(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                       void *replyAnnex, void *replyBody, uint32_t *replySize) {
    (void)cookie, (void)head, (void)annex, (void)body, (void)size, (void)replyAnnex, (void)replyBody;
    if (replySize) *replySize = 0;
    return K_OK;
}

static int32_t specific(void *cookie) { (void)cookie; return K_OK; }
static int32_t general(void *cookie, KnTrapFrame *frame) { (void)cookie; frame->result = 0; return K_OK; }
static const KnTrapEntry table = { .handler = (void (*)(void))specific, .name = "null" };

static void receive(Server *s, KnPortLid li) {
    const KnNucleus *n = s->n;
    KnMsgHead head;
    for (;;) {
        uint32_t size = K_CMSGSIZEMAX;
        int32_t r = n->ipcReceive(n->self, li, &head, 0, 0, &size, K_NOTIMEOUT);
        if (r < 0) return;
        if (head.transId != 0) n->ipcReply(n->self, 0, 0, 0);
    }
}

static void queue(void *argument) { receive(argument, ((Server *)argument)->queue); }
static void every(void *argument) { receive(argument, K_ANYENABLED); }

/* A new port in the static group `stamp`; its LI, or a K_ code. */
static int32_t join(const KnNucleus *n, uint32_t stamp) {
    KnCap group;
    KnUniqueId port;
    int32_t r = n->grpAllocate(n->self, K_STATSYS, &group, stamp);
    if (r < 0) return r;
    int32_t li = n->portCreate(n->self, K_MYACTOR, &port);
    if (li < 0) return li;
    r = n->grpPortInsert(n->self, &group, &port);
    return r < 0 ? r : li;
}

__attribute__((visibility("default")))
int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    (void)args;
    KnThreadLid thread;
    Server *s = calloc(1, sizeof *s);
    if (!s) return K_ENOMEM;
    s->n = n;
    int32_t li = join(n, BENCH_HANDLER), r;
    if (li < 0) return li;
    if ((r = n->svMsgHandler(n->self, li, message, s)) < 0) return r;
    if ((s->queue = join(n, BENCH_QUEUE)) < 0) return s->queue;
    for (uint32_t i = 0; i < BENCH_PORTS; i++) {
        if ((li = join(n, BENCH_ALL)) < 0) return li;
        if ((r = n->portEnable(n->self, K_MYACTOR, li, 0)) < 0) return r;
    }
    if ((r = n->svTrapTable(n->self, BENCH_TRAP, &table, 1, s)) < 0) return r;
    if ((r = n->svTrapConnect(n->self, BENCH_GENERAL, general, s)) < 0) return r;
    if ((r = n->threadCreate(n->self, queue, s, 0, "queue", &thread)) < 0) return r;
    if ((r = n->threadCreate(n->self, every, s, 0, "every", &thread)) < 0) return r;
    ops->instance = s;
    return K_OK;
}
