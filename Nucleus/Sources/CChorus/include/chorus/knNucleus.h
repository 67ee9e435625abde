/* knNucleus.h: the table of nucleus calls that every actor is handed. Size-prefixed and append-only: test
 * KN_HAS before using a member newer than ABI 1.0. `self` is the table's own field and names the calling actor.
 * Authentic CHORUS spellings on top of it are in knCalls.h. All return K_* (knErrors.h). */
#ifndef CHORUS_KNNUCLEUS_H
#define CHORUS_KNNUCLEUS_H
#include "knHandlers.h"
#include "knErrors.h"

#define KN_HAS(table, member) \
    ((table)->size >= offsetof(KnNucleus, member) + sizeof((table)->member) && (table)->member != 0)

typedef struct KnNucleus {
    uint32_t size;                  /* bytes of this table */
    uint16_t abiMajor, abiMinor;
    void *self;

    /* --- actors --- */
    /* New actor inheriting the creator's subsystem. A K_UNIXACTOR has no host process until its first thread. */
    int32_t (*actorCreate)(void *self, const KnCap *init, KnCap *cap, int32_t privilege, int32_t status, const char *name);
    int32_t (*actorDelete)(void *self, const KnCap *cap);
    int32_t (*actorStart)(void *self, const KnCap *cap);
    int32_t (*actorStop)(void *self, const KnCap *cap);
    int32_t (*actorSelf)(void *self, KnCap *cap);
    /* Empties a UNIX actor for exec: other threads deleted, regions freed, a fresh host process; `thread` (trapped)
     * survives, blank. K_RGNDUP_SHARE actors get an address space of their own. */
    int32_t (*actorRenew)(void *self, const KnCap *cap, KnThreadLid thread);
    int32_t (*actorStat)(void *self, uint32_t *count, KnActorStat *stats);
    int32_t (*actorName)(void *self, const KnCap *cap, const char *name);
    int32_t (*actorPi)(void *self, const KnCap *cap, KnProtId *oldPi, const KnProtId *newPi);

    /* --- threads --- */
    /* Server thread of the calling actor. */
    int32_t (*threadCreate)(void *self, KnThreadHdl entry, void *argument, uint32_t stackSize, const char *name, KnThreadLid *li);
    /* Thread of a UNIX actor, continuing from a trapped one (fork after rgnDup, clone, first thread). It stays
     * trapped until trapComplete. */
    int32_t (*threadCreateUnix)(void *self, const KnCap *actor, const KnThreadStart *start, KnThreadLid *li);
    int32_t (*threadDelete)(void *self, KnThreadLid li);
    int32_t (*threadSelf)(void *self);
    int32_t (*threadSuspend)(void *self, KnThreadLid li);
    int32_t (*threadResume)(void *self, KnThreadLid li);
    /* Abort protocol of chorus-api.md; a running UNIX thread is held and the abort handler called. A thread whose
     * trap is parked is left alone: its subsystem completes it. */
    int32_t (*threadAbort)(void *self, KnThreadLid li);
    int32_t (*threadAborted)(void *self);
    int32_t (*threadDelay)(void *self, int32_t milliseconds);
    int32_t (*threadStat)(void *self, uint32_t *count, KnThreadStat *stats);
    int32_t (*threadCookie)(void *self, KnThreadLid li, uint64_t cookie);
    /* Registers of a trapped, parked or held UNIX thread. NULL skips. */
    int32_t (*threadContext)(void *self, KnThreadLid li, KnThreadCtx *old, const KnThreadCtx *now);
    /* XSAVE image (fxsave layout with sw_reserved) of such a thread; *size: capacity, then bytes. */
    int32_t (*threadFpuGet)(void *self, KnThreadLid li, void *image, uint32_t *size);
    /* size 0 resets to the initial state. A malformed image is K_EINVAL. */
    int32_t (*threadFpuSet)(void *self, KnThreadLid li, const void *image, uint32_t size);

    /* --- semaphores --- */
    int32_t (*semInit)(void *self, KnSem *sem, uint32_t count);
    int32_t (*semP)(void *self, KnSem *sem, int32_t delay);
    int32_t (*semV)(void *self, KnSem *sem);
    int32_t (*semDelete)(void *self, KnSem *sem);

    /* --- ports --- */
    int32_t (*portCreate)(void *self, const KnCap *actor, KnUniqueId *ui);              /* returns the LI; disabled */
    int32_t (*portDeclare)(void *self, const KnCap *actor, const KnUniqueId *ui);
    int32_t (*portDelete)(void *self, const KnCap *actor, KnPortLid li);
    int32_t (*portEnable)(void *self, const KnCap *actor, KnPortLid li, int32_t priority);
    int32_t (*portDisable)(void *self, const KnCap *actor, KnPortLid li);
    int32_t (*portLi)(void *self, const KnUniqueId *ui);
    int32_t (*portUi)(void *self, KnUniqueId *ui, KnPortLid li);
    int32_t (*portPi)(void *self, const KnCap *actor, KnPortLid li, KnProtId *oldPi, const KnProtId *newPi);
    int32_t (*portMigrate)(void *self, uint32_t options, const KnCap *src, KnPortLid li, const KnCap *dst, uint32_t *seqNum);
    int32_t (*portStat)(void *self, uint32_t *count, KnPortStat *stats);

    /* --- groups --- */
    int32_t (*grpAllocate)(void *self, int32_t options, KnCap *group, uint32_t stamp);
    int32_t (*grpPortInsert)(void *self, const KnCap *group, const KnUniqueId *port);
    int32_t (*grpPortRemove)(void *self, const KnCap *group, const KnUniqueId *port);
    /* The sending name (UI) of a static group: what clients hold. Needs no key. */
    int32_t (*grpName)(void *self, uint32_t stamp, KnUniqueId *ui);

    /* --- messages (flattened: no nested pointers) --- */
    int32_t (*ipcSend)(void *self, KnPortLid src, const KnIpcDest *dest, uint32_t mode, const void *annex, const void *body, uint32_t bodySize);
    /* *replySize: capacity of replyBody, then bytes. Returns K_OK or why the transaction failed. */
    int32_t (*ipcCall)(void *self, KnPortLid src, const KnIpcDest *dest, uint32_t mode, const void *annex, const void *body, uint32_t bodySize,
                       void *replyAnnex, void *replyBody, uint32_t *replySize, uint32_t flags, int32_t delay);
    /* Returns the LI it came in on. body NULL defers it; *bodySize: capacity, then bytes of the message. */
    int32_t (*ipcReceive)(void *self, KnPortLid port, KnMsgHead *head, void *annex, void *body, uint32_t *bodySize, int32_t delay);
    int32_t (*ipcReply)(void *self, const void *annex, const void *body, uint32_t bodySize);
    int32_t (*ipcGetData)(void *self, void *body, uint32_t *bodySize);
    int32_t (*ipcSave)(void *self);
    int32_t (*ipcRestore)(void *self, int32_t id);
    int32_t (*ipcSysInfo)(void *self, KnMsgHead *head);
    int32_t (*svMsgHandler)(void *self, KnPortLid port, KnMsgHdl handler, void *cookie);   /* NULL disconnects and drains */

    /* --- events: coalescing readiness words --- */
    int32_t (*eventCreate)(void *self, KnEvtHdl handler, void *cookie, KnCap *event);
    int32_t (*eventPost)(void *self, const KnUniqueId *event, uint32_t bits);
    int32_t (*eventDelete)(void *self, const KnCap *event);

    /* --- traps and exceptions --- */
    int32_t (*svTrapConnect)(void *self, uint32_t trap, KnTrapHdl handler, void *cookie);  /* K_EBUSY: one owner a trap */
    int32_t (*svTrapDisConnect)(void *self, uint32_t trap);
    int32_t (*svTrapSignatures)(void *self, uint32_t trap, uint32_t first, const KnTrapSig *sigs, uint32_t count);
    int32_t (*svExcHandler)(void *self, KnExcHdl handler, void *cookie);      /* for the UNIX actors this actor creates */
    int32_t (*svAbortHandler)(void *self, KnAbortHdl handler, void *cookie);
    /* Ends a parked trap. context: 0 = result into rax; 1 = resume with the context threadContext left. */
    int32_t (*trapComplete)(void *self, KnThreadLid li, int64_t result, uint32_t context);
    /* Memory of a trapped, parked or held UNIX thread. A copy-out may be deferred to the moment the thread resumes
     * (K_COPY_DEFER); it then turns a failing address into result -EFAULT there. K_COPY_SWAP: `from` has two words, the
     * one expected at `to` and the one to put in its place, atomically for the guest's own instructions; size 8; K_EBUSY:
     * another is there. */
    int32_t (*svCopyIn)(void *self, KnThreadLid li, VmAddr from, void *to, uint32_t size);
    int32_t (*svCopyInString)(void *self, KnThreadLid li, VmAddr from, void *to, uint32_t *size); /* capacity, then length with NUL; K_ETOOBIG */
    int32_t (*svCopyOut)(void *self, KnThreadLid li, const void *from, VmAddr to, uint32_t size, uint32_t flags);

    /* --- regions of UNIX actors --- */
    int32_t (*rgnAllocate)(void *self, const KnCap *actor, KnRgnDesc *rgn);
    int32_t (*rgnMap)(void *self, const KnCap *actor, KnRgnDesc *rgn, const KnObjDesc *object);   /* shared */
    int32_t (*rgnInit)(void *self, const KnCap *actor, KnRgnDesc *rgn, const KnObjDesc *object);  /* private copy */
    int32_t (*rgnFree)(void *self, const KnCap *actor, const KnRgnDesc *rgn);
    int32_t (*rgnSetProtect)(void *self, const KnCap *actor, const KnRgnDesc *rgn);
    /* Moves or resizes (mremap); now->startAddr returned. */
    int32_t (*rgnMove)(void *self, const KnCap *actor, const KnRgnDesc *old, KnRgnDesc *now);
    int32_t (*rgnAdvise)(void *self, const KnCap *actor, const KnRgnDesc *rgn, int32_t advice);   /* MADV_* numbers */
    int32_t (*rgnDup)(void *self, const KnCap *target, const KnCap *source, uint32_t flags);
    int32_t (*rgnStat)(void *self, const KnCap *actor, VmAddr from, uint32_t *count, KnRgnStat *stats);
    /* Memory of any UNIX actor (process_vm_readv); returns bytes moved. For /proc, ptrace, core dumps. */
    int32_t (*actorRead)(void *self, const KnCap *actor, VmAddr from, void *to, uint32_t size);
    int32_t (*actorWrite)(void *self, const KnCap *actor, VmAddr to, const void *from, uint32_t size);

    /* --- segments --- */
    int32_t (*sgCreate)(void *self, const char *name, VmSize size, KnCap *segment);        /* memory, served by the nucleus */
    int32_t (*sgAdopt)(void *self, int32_t fd, uint32_t flags, KnCap *segment);            /* a host file is its own cache */
    int32_t (*sgRelease)(void *self, const KnCap *segment);                               /* drops the creator's hold */
    int32_t (*sgStat)(void *self, const KnCap *segment, KnSgStat *stat);
    int32_t (*sgTrunc)(void *self, const KnCap *segment, VmSize size);                     /* lcTrunc: grows or cuts */
    int32_t (*sgRead)(void *self, const KnObjDesc *from, void *to, uint32_t *size);        /* capacity, then bytes (short at the end) */
    int32_t (*sgWrite)(void *self, const KnObjDesc *to, const void *from, uint32_t size);  /* grows the segment */
    /* Between a segment and a trapped thread's memory; returns bytes moved, K_EFAULT if none could be. */
    int32_t (*sgReadThread)(void *self, const KnObjDesc *from, KnThreadLid li, VmAddr to);
    int32_t (*sgWriteThread)(void *self, const KnObjDesc *to, KnThreadLid li, VmAddr from);
    int32_t (*sgFlush)(void *self, const KnCap *segment);
    int32_t (*sgPunch)(void *self, const KnObjDesc *range);                               /* frees a range: reads as zeros */
    int32_t (*sgSeek)(void *self, const KnCap *segment, VmOffset from, int32_t hole, VmOffset *found); /* SEEK_DATA / SEEK_HOLE */

    /* --- misc --- */
    int32_t (*uiLocalSite)(void *self, int32_t *site);
    int32_t (*sysLog)(void *self, int32_t level, const char *line);                        /* 0 error 1 warning 2 info 3 debug */
    int32_t (*sysShutdown)(void *self, int32_t status);                                    /* the site ends with this exit status */
    int32_t (*sysRandom)(void *self, void *bytes, uint32_t size);
    int32_t (*sysTrace)(void *self, uint32_t kind, uint64_t a, uint64_t b);                /* black-box event */
    /* Events from sequence `from`, oldest first; *count: capacity, then how many. What has been overwritten is left
     * out. Privileged callers only. */
    int32_t (*sysTraceRead)(void *self, uint64_t from, uint32_t *count, KnTraceEvent *events);

    /* === since ABI 1.1 === */

    /* --- actors --- */
    /* User <-> system only; a supervisor is one for ever, and a UNIX actor too. NULL skips. Privileged callers only. */
    int32_t (*actorPrivilege)(void *self, const KnCap *cap, int32_t *oldPrivilege, const int32_t *newPrivilege);
    /* A UNIX actor made of another: actorCreate and rgnDup (flags K_RGNDUP_*) in one, all or nothing. */
    int32_t (*actorDup)(void *self, const KnCap *source, KnCap *cap, int32_t status, uint32_t flags, const char *name);


    /* --- threads --- */
    /* NULL skips. A better schedule than the usual one is for privileged callers. */
    int32_t (*threadScheduler)(void *self, KnThreadLid li, KnThreadSched *old, const KnThreadSched *now);
    int32_t (*threadName)(void *self, KnThreadLid li, char *old, const char *now);         /* old: 32 bytes. NULL skips */
    /* Without a count, unlike threadSuspend: two stops need one start. */
    int32_t (*threadStart)(void *self, KnThreadLid li);
    int32_t (*threadStop)(void *self, KnThreadLid li);
    int32_t (*threadDelayNs)(void *self, uint64_t nanoseconds, uint32_t flags);            /* K_DELAY_ABSOLUTE */
    int32_t (*threadStat2)(void *self, uint32_t *count, KnThreadStat2 *stats);
    /* The actor that caused the handler the caller is in: sender of the message, or the trapping actor. K_EINVAL outside
     * of handlers. Privileged callers only. */
    int32_t (*svGetInvoker)(void *self, KnCap *cap);
    /* Per-thread data: a word for each thread under a key of the calling actor; 0 until set. Returns the key, > 0. */
    int32_t (*ptdKeyCreate)(void *self);
    int32_t (*ptdKeyDelete)(void *self, int32_t key);
    int32_t (*ptdSet)(void *self, int32_t key, uint64_t value);
    int32_t (*ptdGet)(void *self, int32_t key, uint64_t *value);
    /* --- mutexes --- */
    int32_t (*mutexInit)(void *self, KnMutex *mutex, uint32_t flags);                      /* K_MUTEX_RT */
    /* K_OK or K_MUTEX_ORPHAN. K_EBUSY: the caller has it, or would wait in a circle. delay 0: as mutexTry, but K_ETIMEOUT. */
    int32_t (*mutexGet)(void *self, const KnMutex *mutex, int32_t delay);
    int32_t (*mutexTry)(void *self, const KnMutex *mutex);                                 /* K_EBUSY: somebody has it */
    int32_t (*mutexRel)(void *self, const KnMutex *mutex);                                 /* K_EPRIV: another has it, or nobody */
    int32_t (*mutexDelete)(void *self, KnMutex *mutex);                                    /* who waits gets K_EUNKNOWN */
    /* --- timers: expiry posts `bits` to an event --- */
    int32_t (*timerCreate)(void *self, const KnUniqueId *event, uint32_t bits, KnTimer *timer);
    /* First expiry in `value` ns (at `value` with K_DELAY_ABSOLUTE), then every `interval` (0: once; not
     * below 10 us); value 0 disarms. */
    int32_t (*timerSet)(void *self, const KnTimer *timer, uint32_t flags, uint64_t value, uint64_t interval);
    int32_t (*timerGet)(void *self, const KnTimer *timer, KnTimerStat *stat);
    int32_t (*timerDelete)(void *self, KnTimer *timer);


    /* --- ports --- */

    /* --- messages --- */

    /* --- handlers --- */
    /* Privileged callers only. `handler` joins the line's handlers, best (lowest) priority first, and is asked until one
     * claims the interrupt. Returns its number (> 0) on the line. Runs on a nucleus thread, never on a guest's; or on a
     * server's, which asked for that by K_INTR_RUN. */
    int32_t (*svIntrConnect)(void *self, uint32_t line, int32_t priority, KnIntrHdl handler, void *cookie);
    /* Returns when the handler runs no more, but for a run that the caller itself is inside. */
    int32_t (*svIntrDisConnect)(void *self, uint32_t line, int32_t number);
    /* K_INTR_EDGE: one interrupt, coalesced with one that is still pending. K_INTR_RAISE: again and again until
     * K_INTR_LOWER. What comes while the line is masked stays pending. K_INTR_RUN: see knTypes.h. */
    int32_t (*svIntrTrigger)(void *self, uint32_t line, uint32_t how);
    int32_t (*svIntrMask)(void *self, uint32_t line);
    int32_t (*svIntrUnMask)(void *self, uint32_t line);
    /* After `count` interrupts in a row that nobody claimed (0: never) the line is masked and `bits` are posted to `event`
     * (NULL: nobody is told). The log says so too. */
    int32_t (*svIntrWatch)(void *self, uint32_t line, uint32_t count, const KnUniqueId *event, uint32_t bits);
    int32_t (*svIntrStat)(void *self, uint32_t *count, KnIntrStat *stats);

    /* --- memory --- */
    /* Privileged callers only. Segments of external mappers (knMapper.h) are read, written and mapped like others. lcOpen
     * keeps the site's local cache of one, which else goes with its last region; the LI is the actor's own. flags: 0. */
    int32_t (*lcOpen)(void *self, const KnCap *segment, uint32_t flags, int32_t *li);
    int32_t (*lcClose)(void *self, int32_t li);
    int32_t (*lcCap)(void *self, int32_t li, KnCap *lccap);
    /* For mappers: range->dataObject is an lccap, size 0 reaches to the end. What a higher orderNumber has granted since
     * stays; 0 concerns everything. Returns when it is done: mappings revoked, dirty data pushed out. */
    int32_t (*lcFlush)(void *self, const KnObjDesc *range, uint32_t flags, uint64_t orderNumber);
    int32_t (*lcSetRights)(void *self, const KnObjDesc *range, uint32_t rights, uint64_t orderNumber);
    int32_t (*lcStat)(void *self, int32_t li, KnLcStat *stat);
    /* A temporary segment at a mapper (MpCreate). */
    int32_t (*sgCreateAt)(void *self, const KnUniqueId *mapper, uint32_t options, KnCap *segment);

    /* --- ports --- */
    /* Messages received from the port since it came to its actor, plus one: what portMigrate would say. */
    int32_t (*portGetSeqNum)(void *self, const KnCap *actor, KnPortLid li, uint32_t *seqNum);

    /* --- bodies of messages that are moved --- */
    /* Memory for a body of up to `size` bytes (at most K_CMSGSIZEMAX), in the caller's address space. It is the caller's
     * until it is freed or sent. An actor holds at most K_MSG_BODIESMAX bytes (K_ENOMEM). Not for UNIX actors. */
    int32_t (*msgAllocate)(void *self, uint32_t size, VmAddr *body);
    int32_t (*msgFree)(void *self, VmAddr body);
    /* The body of the message being handled, or of the current one after ipcReceive without a body, becomes the caller's:
     * moved ones as they are. Once (K_ENOMSG). *body 0: there is none. */
    int32_t (*msgTake)(void *self, VmAddr *body, uint32_t *size);
    /* As ipcSend and ipcCall, with a body of msgAllocate's or msgTake's, which is gone: K_EUNKNOWN if it is not the
     * caller's, K_EINVAL if it has less than bodySize. It stays the caller's when the message never left (K_EINVAL,
     * K_EFAULT, K_ETOOBIG, K_EUNKNOWN, K_EUNREACHABLE, K_EFULL). */
    int32_t (*ipcSendMove)(void *self, KnPortLid src, const KnIpcDest *dest, uint32_t mode, const void *annex, VmAddr body,
                           uint32_t bodySize);
    int32_t (*ipcCallMove)(void *self, KnPortLid src, const KnIpcDest *dest, uint32_t mode, const void *annex, VmAddr body,
                           uint32_t bodySize, void *replyAnnex, void *replyBody, uint32_t *replySize, uint32_t flags,
                           int32_t delay);

    /* --- traps of a subsystem's own, exceptions of servers --- */
    /* Privileged callers only. As svTrapConnect, but with a handler for each of the numbers 0 ... count - 1. The entries are
     * copied. svTrapDisConnect ends it. */
    int32_t (*svTrapTable)(void *self, uint32_t trap, const KnTrapEntry *entries, uint32_t count, void *cookie);
    /* Raises a trap that an actor of this site has connected. `args`: as many words as the specific handler has arguments,
     * pointers among them, or K_TRAPWORDS for a general one, whose frame's result goes to *result (NULL: to nobody).
     * Returns what the handler returned; K_EUNKNOWN: nobody's trap; K_ENOSYS: no such number. */
    int32_t (*trapRaise)(void *self, uint32_t trap, uint32_t number, const uint64_t *args, int64_t *result);
    /* What such a handler takes; entry->handler is NULL. Returns a number that says which signature it is. */
    int32_t (*trapEntry)(void *self, uint32_t trap, uint32_t number, KnTrapEntry *entry);
    /* Exceptions of the threads of a server in user privilege (NULL: the caller's own), which kill it else. One handler an
     * actor (K_EBUSY), called before the exception port is. Privileged callers only. */
    int32_t (*svActorExcHandlerConnect)(void *self, const KnCap *actor, KnActorExcHdl handler, void *cookie);
    int32_t (*svActorExcHandlerDisconnect)(void *self, const KnCap *actor);
    /* The port or group that is asked (KnException) where no handler is connected; NULL: none any more. */
    int32_t (*actorExcPort)(void *self, const KnCap *actor, const KnUniqueId *port);
    /* --- memory --- */
    /* A region of `target` that shares what is mapped in a range of `source`, or holds a copy of it. Both of sourceRgn->size
     * bytes. The range may span regions but no hole (K_EFAULT). */
    int32_t (*rgnMapFromActor)(void *self, const KnCap *target, KnRgnDesc *targetRgn, const KnCap *source, const KnRgnDesc *sourceRgn);
    int32_t (*rgnInitFromActor)(void *self, const KnCap *target, KnRgnDesc *targetRgn, const KnCap *source, const KnRgnDesc *sourceRgn);
    /* Attributes of all regions in a range, which may have holes; regions are split at its ends. Inherit: options holds
     * K_INHERITSHARE, K_INHERITCOPY or neither. Paging: K_NODEMAND (brought in now) and K_NOWAITFORMEMORY. */
    int32_t (*rgnSetInherit)(void *self, const KnCap *actor, const KnRgnDesc *rgn);
    int32_t (*rgnSetPaging)(void *self, const KnCap *actor, const KnRgnDesc *rgn);
    int32_t (*rgnSetOpaque)(void *self, const KnCap *actor, const KnRgnDesc *rgn);
    int32_t (*rgnStat2)(void *self, const KnCap *actor, VmAddr from, uint32_t *count, KnRgnStat2 *stats);
    /* Everything that is dirty in the site's local caches is pushed out; the first error, if a mapper did not take it. */
    int32_t (*sgSyncAll)(void *self);

    /* === end of ABI 1.1 === */
} KnNucleus;

#define K_COPY_DEFER 1u
#define K_COPY_SWAP 2u
#define K_MIGRATE_QUEUE 1u   /* portMigrate: carry queued messages along */
#define K_NUCLEUS_CALLS ((uint32_t)((sizeof(KnNucleus) - offsetof(KnNucleus, actorCreate)) / sizeof(void (*)(void))))
#endif
