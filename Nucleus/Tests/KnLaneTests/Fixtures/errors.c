/* Both ends of a call that goes wrong, for both privileges. A message's annex is an Ask: with `role` 0 its receiver makes
 * the call that it describes and answers with the result, with role 1 it serves `command`:
 *   'e' answers with nothing; 'b' waits for ever; 'x' fails with -5; 'l' answers with more than there is room for; 'd' dies;
 *   'q' tells of a port that nobody receives from; 'r' has a thread receive from it once, which then holds the message
 *   (size 0), receives again (1) or ends (2); 'a' has one answer all that comes. */
#include "fixture.h"
#include <stdlib.h>
#include <string.h>

typedef struct Ask {
    uint32_t role, command, stamp, mode, flags;
    int32_t delay;
    uint32_t size, capacity, noDest, noBody;
    int32_t source;
    KnUniqueId target; /* if stamp is 0 */
} Ask;
typedef struct Answer { int32_t code; int32_t li; KnUniqueId port; } Answer;

typedef struct End {
    const KnNucleus *n;
    KnSem never;
    KnPortLid li;
    KnUniqueId port;
    volatile uint32_t then;
} End;

static void receiver(void *argument) {
    End *end = argument;
    const KnNucleus *n = end->n;
    uint32_t then = end->then;
    KnMsgHead head;
    uint32_t size = 0;
    int32_t r = n->ipcReceive(n->self, end->li, &head, 0, 0, &size, K_NOTIMEOUT);
    if (then == 0) n->semP(n->self, &end->never, K_NOTIMEOUT);
    if (then == 1) n->ipcReceive(n->self, end->li, &head, 0, 0, &size, K_NOTIMEOUT);
    while (then == 3 && r >= 0) {
        n->ipcReply(n->self, 0, 0, 0);
        r = n->ipcReceive(n->self, end->li, &head, 0, 0, &size, K_NOTIMEOUT);
    }
}

static void call(End *end, const Ask *ask, Answer *answer) {
    const KnNucleus *n = end->n;
    KnIpcDest dest = { ask->target, { 0, 0 } };
    Ask inner = *ask;
    uint8_t annex[K_CMSGANNEXSIZE] = { 0 };
    uint32_t capacity = ask->capacity;
    char *body = ask->size && !ask->noBody ? calloc(1, ask->size) : 0, *room = capacity ? malloc(capacity) : 0;
    inner.role = 1;
    memcpy(annex, &inner, sizeof inner);
    if (ask->stamp != 0) n->grpName(n->self, ask->stamp, &dest.target);
    answer->code = n->ipcCall(n->self, ask->source, ask->noDest ? 0 : &dest, ask->mode, annex, body, ask->size, annex, room,
                              room ? &capacity : 0, ask->flags, ask->delay);
    memcpy(&answer->li, annex + 4, 12); /* what 'q' said */
    free(body);
    free(room);
}

static int32_t message(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                       void *replyAnnex, void *replyBody, uint32_t *replySize) {
    (void)head, (void)body, (void)replyBody;
    End *end = cookie;
    const KnNucleus *n = end->n;
    Answer answer = { 0, end->li, end->port };
    KnThreadLid thread;
    Ask ask;
    uint32_t capacity = replySize ? *replySize : 0;
    memcpy(&ask, annex, sizeof ask);
    if (replySize) *replySize = 0;
    if (ask.role == 0) {
        call(end, &ask, &answer);
        memcpy(replyAnnex, &answer, sizeof answer);
        return K_OK;
    }
    switch (ask.command) {
    case 'e': return K_OK;
    case 'b': return n->semP(n->self, &end->never, K_NOTIMEOUT);
    case 'x': return -5;
    case 'l': *replySize = capacity + 1; return K_OK;
    case 'd': abort();
    case 'q': memcpy(replyAnnex, &answer, sizeof answer); return K_OK;
    case 'r': case 'a':
        end->then = ask.command == 'a' ? 3 : size;
        return n->threadCreate(n->self, receiver, end, 0, "receiver", &thread);
    }
    return K_ENOSYS;
}

int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    KnUniqueId port;
    int32_t r;
    End *end = calloc(1, sizeof *end);
    if (!end) return K_ENOMEM;
    end->n = n;
    if ((r = n->semInit(n->self, &end->never, 0)) < 0) return r;
    if ((r = fixture_serve(n, args, message, end, &port)) < 0) return r;
    if ((end->li = n->portCreate(n->self, K_MYACTOR, &end->port)) < 0) return end->li;
    ops->instance = end;
    return K_OK;
}
