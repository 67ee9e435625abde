/* knCalls.h: the authentic CHORUS spellings that take a KnMsgDesc, on top of the flat table. `n` is the table. */
#ifndef CHORUS_KNCALLS_H
#define CHORUS_KNCALLS_H
#include "knNucleus.h"

static inline int32_t kn_ipcSend(const KnNucleus *n, const KnMsgDesc *msg, KnPortLid src, const KnIpcDest *dest, uint32_t mode) {
    return n->ipcSend(n->self, src, dest, mode, msg->annexAddr, msg->bodyAddr, msg->bodySize);
}
static inline int32_t kn_ipcCall(const KnNucleus *n, const KnMsgDesc *request, KnPortLid src, const KnIpcDest *dest, uint32_t mode,
                                 KnMsgDesc *reply, int32_t delay) {
    return n->ipcCall(n->self, src, dest, mode, request->annexAddr, request->bodyAddr, request->bodySize,
                      reply->annexAddr, reply->bodyAddr, &reply->bodySize, reply->flags, delay);
}
static inline int32_t kn_ipcReceive(const KnNucleus *n, KnMsgDesc *msg, KnPortLid port, KnMsgHead *head, int32_t delay) {
    return n->ipcReceive(n->self, port, head, msg->annexAddr, msg->bodyAddr, &msg->bodySize, delay);
}
static inline int32_t kn_ipcReply(const KnNucleus *n, const KnMsgDesc *msg) {
    return n->ipcReply(n->self, msg->annexAddr, msg->bodyAddr, msg->bodySize);
}

/* kn_trapRaise(n, trap, number, a, b ...): the arguments as words, pointers cast to uintptr_t. */
#define kn_trapRaise(n, trap, number, ...) \
    ((n)->trapRaise((n)->self, trap, number, (const uint64_t[K_TRAPARGMAX]){ __VA_ARGS__ }, 0))
#endif
