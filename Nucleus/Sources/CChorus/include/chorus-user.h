/* chorus-user.h: CHORUS IPC for UNIX processes of a site. Plain C11 for x86-64, nothing to link: each call is one trap
 * (knUser.h). >= 0 is success, else K_E* (knErrors.h); K_ENOSYS where there is no CHORUS or the manifest forbids it.
 *
 * The caller is the actor of its process. A fork makes a new actor, which inherits nothing; exec gives up all ports but the
 * default one, all messages and groups; so does the end. Waiting calls end with K_EABORT when a signal comes: repeat
 * them. (docs/nucleus.md, "UNIX processes") */
#ifndef CHORUS_USER_H
#define CHORUS_USER_H
#include "chorus/knErrors.h"
#include "chorus/knUser.h"

static inline int32_t kn_userCall(uint32_t op, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
    int64_t result;
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"((uint64_t)K_USER_TRAP + op), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result > -1000 && result < 0 ? K_ENOSYS : (int32_t)result; /* -ENOSYS: the subsystem's own answer */
}
#define KN_USER_(op, a, b, c, d, e, f) \
    kn_userCall(op, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e), (uint64_t)(f))

/* --- names; `actor` is K_MYACTOR or the own capability --- */
static inline int32_t actorSelf(KnCap *cap) { return KN_USER_(K_USR_ACTORSELF, cap, 0, 0, 0, 0, 0); }
static inline int32_t portCreate(const KnCap *actor, KnUniqueId *ui) { /* the LI; disabled */
    return KN_USER_(K_USR_PORTCREATE, actor, ui, 0, 0, 0, 0);
}
static inline int32_t portDelete(const KnCap *actor, KnPortLid li) {
    return KN_USER_(K_USR_PORTDELETE, actor, li, 0, 0, 0, 0);
}
static inline int32_t portEnable(const KnCap *actor, KnPortLid li, int32_t priority) { /* the lowest is served first */
    return KN_USER_(K_USR_PORTENABLE, actor, li, priority, 0, 0, 0);
}
static inline int32_t portDisable(const KnCap *actor, KnPortLid li) {
    return KN_USER_(K_USR_PORTDISABLE, actor, li, 0, 0, 0, 0);
}
static inline int32_t portLi(const KnUniqueId *ui) { return KN_USER_(K_USR_PORTLI, ui, 0, 0, 0, 0, 0); }
static inline int32_t portUi(KnUniqueId *ui, KnPortLid li) { return KN_USER_(K_USR_PORTUI, ui, li, 0, 0, 0, 0); }

/* --- groups: K_DYNAMIC, or K_STATUSER: the one group of the site with this stamp --- */
static inline int32_t grpAllocate(int32_t kind, KnCap *group, uint32_t stamp) {
    return KN_USER_(K_USR_GRPALLOCATE, kind, group, stamp, 0, 0, 0);
}
static inline int32_t grpPortInsert(const KnCap *group, const KnUniqueId *port) {
    return KN_USER_(K_USR_GRPPORTINSERT, group, port, 0, 0, 0, 0);
}
static inline int32_t grpPortRemove(const KnCap *group, const KnUniqueId *port) {
    return KN_USER_(K_USR_GRPPORTREMOVE, group, port, 0, 0, 0, 0);
}
/* The sending name of the static user group of a stamp. Those of the site's own servers are not told. */
static inline int32_t grpName(uint32_t stamp, KnUniqueId *ui) { return KN_USER_(K_USR_GRPNAME, stamp, ui, 0, 0, 0, 0); }

/* --- messages: `mode` says what a group as the target means; it is without meaning for a port --- */
static inline int32_t ipcSend(const KnMsgDesc *message, KnPortLid source, const KnIpcDest *dest, uint32_t mode) {
    return KN_USER_(K_USR_IPCSEND, message, source, dest, mode, 0, 0);
}
/* reply->bodySize: capacity, then bytes. delay in milliseconds, K_NOTIMEOUT for ever. */
static inline int32_t ipcCall(const KnMsgDesc *request, KnPortLid source, const KnIpcDest *dest, uint32_t mode,
                              KnMsgDesc *reply, int32_t delay) {
    return KN_USER_(K_USR_IPCCALL, request, source, dest, mode, reply, delay);
}
/* *port: an LI, K_DEFAULTPORT or K_ANYENABLED; then where the message came in. message->bodySize: capacity, then bytes. */
static inline int32_t ipcReceive(KnMsgDesc *message, KnPortLid *port, int32_t delay) {
    int32_t result = KN_USER_(K_USR_IPCRECEIVE, message, *port, delay, 0, 0, 0);
    if (result >= 0) *port = result;
    return result;
}
static inline int32_t ipcReply(const KnMsgDesc *message) { return KN_USER_(K_USR_IPCREPLY, message, 0, 0, 0, 0, 0); }
static inline int32_t ipcGetData(KnMsgDesc *message) { return KN_USER_(K_USR_IPCGETDATA, message, 0, 0, 0, 0, 0); }
static inline int32_t ipcSave(void) { return KN_USER_(K_USR_IPCSAVE, 0, 0, 0, 0, 0, 0); }
static inline int32_t ipcRestore(int32_t id) { return KN_USER_(K_USR_IPCRESTORE, id, 0, 0, 0, 0, 0); }
/* Who sent the current message: uid and gid are the effective ones of the sending process, and no sender can lie. */
static inline int32_t ipcSysInfo(KnMsgHead *head) { return KN_USER_(K_USR_IPCSYSINFO, head, 0, 0, 0, 0, 0); }

static inline int32_t threadDelay(int32_t milliseconds) {
    return KN_USER_(K_USR_THREADDELAY, milliseconds, 0, 0, 0, 0, 0);
}
#undef KN_USER_
#endif
