/* A server that moves bodies, for both privileges. The first byte of the annex is the command:
 *   't' takes the body, and answers with its sum; 'k' sums it where it is; 'f' takes it and sends it on, with the annex
 *   behind its first five bytes, to the group whose stamp these have; 'n' makes a body of so many bytes (4 bytes) and sends
 *   it on likewise, from the ninth; 'c' likewise, but a copy. The answer is a uint64_t in the annex.
 * A thread receives from a port of the group behind (stamp + 1): it leaves each body at first, then fetches it ('g') or
 * takes it ('t'), and answers with its sum. */
#include "fixture.h"
#include <stdlib.h>
#include <string.h>

static uint64_t sum(const void *bytes, uint32_t size) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < size; i++) sum = sum * 31 + ((const uint8_t *)bytes)[i];
    return sum;
}

static int32_t pass(const KnNucleus *n, const uint8_t *from, uint32_t used, VmAddr body, uint32_t size, void *answer) {
    KnIpcDest dest = { { 0, 0 }, { 0, 0 } };
    uint8_t annex[K_CMSGANNEXSIZE] = { 0 };
    uint32_t stamp;
    memcpy(&stamp, from + 1, 4);
    memcpy(annex, from + used, K_CMSGANNEXSIZE - used);
    int32_t r = n->grpName(n->self, stamp, &dest.target);
    if (r < 0) return r;
    r = n->ipcCallMove(n->self, K_DEFAULTPORT, &dest, K_FUNCMODE, annex, body, size, answer, 0, 0, 0, K_NOTIMEOUT);
    if (r < 0) return r;
    return n->msgFree(n->self, body) == K_EUNKNOWN ? K_OK : K_EBUSY; /* it is gone */
}

static int32_t copy(const KnNucleus *n, const uint8_t *from, void *body, uint32_t size, void *answer) {
    KnIpcDest dest = { { 0, 0 }, { 0, 0 } };
    uint8_t annex[K_CMSGANNEXSIZE] = { 0 };
    uint32_t stamp;
    memcpy(&stamp, from + 1, 4);
    memcpy(annex, from + 9, K_CMSGANNEXSIZE - 9);
    int32_t r = n->grpName(n->self, stamp, &dest.target);
    if (r < 0) return r;
    return n->ipcCall(n->self, K_DEFAULTPORT, &dest, K_FUNCMODE, annex, body, size, answer, 0, 0, 0, K_NOTIMEOUT);
}

/* The sum of the current message's body, which has been left so far; or a K_ code. */
static int32_t fetch(const KnNucleus *n, uint8_t how, uint32_t size, uint64_t *answer) {
    uint32_t length = size > 0 ? size - 1 : 0;
    VmAddr mine;
    int32_t r;
    if (how == 't') {
        if ((r = n->msgTake(n->self, &mine, &length)) < 0) return r;
        *answer = sum((const void *)mine, length);
        return length == size ? n->msgFree(n->self, mine) : K_EINVAL;
    }
    char *room = malloc(size + 1);
    r = n->ipcGetData(n->self, room, &length);
    if (size > 0 && (r != K_ETOOBIG || length != size)) return K_EINVAL; /* it says how much there is */
    length = size;
    if (size > 0) r = n->ipcGetData(n->self, room, &length);
    if (r >= 0) *answer = sum(room, length);
    free(room);
    return r < 0 ? r : n->ipcGetData(n->self, &mine, &length) == K_ENOMSG ? K_OK : K_EBUSY;
}

typedef struct Queue { const KnNucleus *n; KnPortLid li; } Queue;

static void receiver(void *argument) {
    Queue *q = argument;
    const KnNucleus *n = q->n;
    KnMsgHead head;
    uint8_t annex[K_CMSGANNEXSIZE];
    for (;;) {
        uint32_t size = 0;
        uint64_t answer[K_CMSGANNEXSIZE / 8] = { 0 };
        if (n->ipcReceive(n->self, q->li, &head, annex, 0, &size, K_NOTIMEOUT) < 0) return;
        int32_t r = size == head.bodySize ? fetch(n, annex[0], size, answer) : K_EINVAL;
        if (r < 0) answer[0] = (uint64_t)(int64_t)r;
        n->ipcReply(n->self, answer, 0, 0);
    }
}

static int32_t message(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                       void *replyAnnex, void *replyBody, uint32_t *replySize) {
    (void)head, (void)replyBody;
    const KnNucleus *n = cookie;
    const uint8_t *a = annex;
    VmAddr mine = 0;
    uint32_t length = 0;
    uint64_t answer;
    int32_t r;
    if (replySize) *replySize = 0;
    switch (a[0]) {
    case 'k':
        answer = sum(body, size);
        memcpy(replyAnnex, &answer, 8);
        return K_OK;
    case 't':
        if ((r = n->msgTake(n->self, &mine, &length)) < 0) return r;
        if (length != size || n->msgTake(n->self, &mine, &length) != K_ENOMSG) return K_EINVAL;
        answer = sum((const void *)mine, length);
        memcpy(replyAnnex, &answer, 8);
        memset((void *)mine, 0xff, length);
        if (answer != 0 && sum((const void *)mine, length) == answer) return K_EINVAL;
        return n->msgFree(n->self, mine) == K_OK && n->msgFree(n->self, mine) == K_EUNKNOWN ? K_OK : K_EBUSY;
    case 'f':
        if ((r = n->msgTake(n->self, &mine, &length)) < 0) return r;
        return pass(n, a, 5, mine, length, replyAnnex);
    case 'c': {
        memcpy(&length, a + 5, 4);
        uint8_t *bytes = malloc(length + 1);
        for (uint32_t i = 0; i < length; i++) bytes[i] = (uint8_t)(i * 7 + 1);
        r = copy(n, a, bytes, length, replyAnnex);
        free(bytes);
        return r;
    }
    case 'n':
        memcpy(&length, a + 5, 4);
        if ((r = n->msgAllocate(n->self, length, &mine)) < 0) return r;
        for (uint32_t i = 0; i < length; i++) ((uint8_t *)mine)[i] = (uint8_t)(i * 7 + 1);
        return pass(n, a, 9, mine, length, replyAnnex);
    }
    return K_ENOSYS;
}

int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    KnCap group;
    KnUniqueId port;
    int32_t r = fixture_serve(n, args, message, (void *)n, &port);
    if (r < 0) return r;
    Queue *q = malloc(sizeof *q);
    KnThreadLid thread;
    q->n = n;
    if ((r = n->grpAllocate(n->self, K_STATSYS, &group, args->groupStamp + 1)) < 0) return r;
    if ((q->li = n->portCreate(n->self, K_MYACTOR, &port)) < 0) return q->li;
    if ((r = n->grpPortInsert(n->self, &group, &port)) < 0) return r;
    if ((r = n->threadCreate(n->self, receiver, q, 0, "receiver", &thread)) < 0) return r;
    ops->instance = (void *)n;
    return K_OK;
}
