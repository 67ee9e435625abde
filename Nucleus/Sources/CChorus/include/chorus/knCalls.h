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

/* Real-time mutexes: the most urgent waiter is next. */
static inline int32_t kn_rtMutexInit(const KnNucleus *n, KnMutex *mutex) { return n->mutexInit(n->self, mutex, K_MUTEX_RT); }
static inline int32_t kn_rtMutexGet(const KnNucleus *n, const KnMutex *mutex) { return n->mutexGet(n->self, mutex, K_NOTIMEOUT); }
static inline int32_t kn_rtMutexTry(const KnNucleus *n, const KnMutex *mutex) { return n->mutexTry(n->self, mutex); }
static inline int32_t kn_rtMutexRel(const KnNucleus *n, const KnMutex *mutex) { return n->mutexRel(n->self, mutex); }

/* kn_trapRaise(n, trap, number, a, b ...): the arguments as words, pointers cast to uintptr_t. */
#define kn_trapRaise(n, trap, number, ...) \
    ((n)->trapRaise((n)->self, trap, number, (const uint64_t[K_TRAPARGMAX]){ __VA_ARGS__ }, 0))
#endif
