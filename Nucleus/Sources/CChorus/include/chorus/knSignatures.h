/* knSignatures.h: the signatures of the nucleus table (in its order) and of the handlers. */
#ifndef CHORUS_KNSIGNATURES_H
#define CHORUS_KNSIGNATURES_H
#include "knSignature.h"
#include "knNucleus.h"

/* Short spellings, undefined at the end. */
#define I32_ { K_ARG_I32, K_IN, 0, 0, 0 }
#define U32_ { K_ARG_U32, K_IN, 0, 0, 0 }
#define I64_ { K_ARG_I64, K_IN, 0, 0, 0 }
#define U64_ { K_ARG_U64, K_IN, 0, 0, 0 }
#define PTR_ { K_ARG_PTR, K_IN, 0, 0, 0 }
#define FD_ { K_ARG_FD, K_IN, 0, 0, 0 }
#define HDL_(n) { K_ARG_HANDLER, K_IN, 0, 0, n }
#define STR_(n) { K_ARG_STR, K_IN, 0, 0, n }
#define IN_(T) { K_ARG_BUF, K_IN, K_LEN_FIXED, 0, sizeof(T) }
#define OUT_(T) { K_ARG_BUF, K_OUT, K_LEN_FIXED, 0, sizeof(T) }
#define IO_(T) { K_ARG_BUF, K_INOUT, K_LEN_FIXED, 0, sizeof(T) }
#define INN_(n) { K_ARG_BUF, K_IN, K_LEN_FIXED, 0, n }
#define OUTN_(n) { K_ARG_BUF, K_OUT, K_LEN_FIXED, 0, n }
#define INA_(a, n) { K_ARG_BUF, K_IN, K_LEN_ARG, a, n }
#define OUTA_(a, n) { K_ARG_BUF, K_OUT, K_LEN_ARG, a, n }
#define OUTR_(a, n) { K_ARG_BUF, K_OUT, K_LEN_REF, a, n }
#define CAP_ IN_(KnCap)
#define UI_ IN_(KnUniqueId)
#define ANNEXIN_ INN_(K_CMSGANNEXSIZE)
#define ANNEXOUT_ OUTN_(K_CMSGANNEXSIZE)
#define SIG_(name_, ...) { name_, K_ARG_I32, (uint8_t)(sizeof((const KnArg[]){ __VA_ARGS__ }) / sizeof(KnArg)), 0, \
                           { __VA_ARGS__ } }
#define SIG0_(name_) { name_, K_ARG_I32, 0, 0, { { 0, 0, 0, 0, 0 } } }

/* Signature `op` of the nucleus table (the position of the member behind `self`), or NULL. */
static inline const KnSignature *kn_nucleus_signature(uint32_t op) {
    static const KnSignature table[] = {
        SIG_("actorCreate", CAP_, OUT_(KnCap), I32_, I32_, STR_(32)),
        SIG_("actorDelete", CAP_),
        SIG_("actorStart", CAP_),
        SIG_("actorStop", CAP_),
        SIG_("actorSelf", OUT_(KnCap)),
        SIG_("actorRenew", CAP_, I32_),
        SIG_("actorStat", IO_(uint32_t), OUTR_(0, sizeof(KnActorStat))),
        SIG_("actorName", CAP_, STR_(32)),
        SIG_("actorPi", CAP_, OUT_(KnProtId), IN_(KnProtId)),
        { "threadCreate", K_ARG_I32, 5, K_SIG_LOCAL,
          { HDL_(K_HDL_THREAD), PTR_, U32_, STR_(32), OUT_(KnThreadLid) } },
        SIG_("threadCreateUnix", CAP_, IN_(KnThreadStart), OUT_(KnThreadLid)),
        SIG_("threadDelete", I32_),
        SIG0_("threadSelf"),
        SIG_("threadSuspend", I32_),
        SIG_("threadResume", I32_),
        SIG_("threadAbort", I32_),
        SIG0_("threadAborted"),
        SIG_("threadDelay", I32_),
        SIG_("threadStat", IO_(uint32_t), OUTR_(0, sizeof(KnThreadStat))),
        SIG_("threadCookie", I32_, U64_),
        SIG_("threadContext", I32_, OUT_(KnThreadCtx), IN_(KnThreadCtx)),
        SIG_("threadFpuGet", I32_, OUTR_(2, 1), IO_(uint32_t)),
        SIG_("threadFpuSet", I32_, INA_(2, 1), U32_),
        SIG_("semInit", IO_(KnSem), U32_),
        SIG_("semP", IN_(KnSem), I32_),
        SIG_("semV", IN_(KnSem)),
        SIG_("semDelete", IO_(KnSem)),
        SIG_("portCreate", CAP_, OUT_(KnUniqueId)),
        SIG_("portDeclare", CAP_, UI_),
        SIG_("portDelete", CAP_, I32_),
        SIG_("portEnable", CAP_, I32_, I32_),
        SIG_("portDisable", CAP_, I32_),
        SIG_("portLi", UI_),
        SIG_("portUi", OUT_(KnUniqueId), I32_),
        SIG_("portPi", CAP_, I32_, OUT_(KnProtId), IN_(KnProtId)),
        SIG_("portMigrate", U32_, CAP_, I32_, CAP_, OUT_(uint32_t)),
        SIG_("portStat", IO_(uint32_t), OUTR_(0, sizeof(KnPortStat))),
        SIG_("grpAllocate", I32_, IO_(KnCap), U32_),
        SIG_("grpPortInsert", CAP_, UI_),
        SIG_("grpPortRemove", CAP_, UI_),
        SIG_("grpName", U32_, OUT_(KnUniqueId)),
        SIG_("ipcSend", I32_, IN_(KnIpcDest), U32_, ANNEXIN_, INA_(5, 1), U32_),
        SIG_("ipcCall", I32_, IN_(KnIpcDest), U32_, ANNEXIN_, INA_(5, 1), U32_, ANNEXOUT_, OUTR_(8, 1), IO_(uint32_t), U32_, I32_),
        SIG_("ipcReceive", I32_, OUT_(KnMsgHead), ANNEXOUT_, OUTR_(4, 1), IO_(uint32_t), I32_),
        SIG_("ipcReply", ANNEXIN_, INA_(2, 1), U32_),
        SIG_("ipcGetData", OUTR_(1, 1), IO_(uint32_t)),
        SIG0_("ipcSave"),
        SIG_("ipcRestore", I32_),
        SIG_("ipcSysInfo", OUT_(KnMsgHead)),
        SIG_("svMsgHandler", I32_, HDL_(K_HDL_MESSAGE), PTR_),
        SIG_("eventCreate", HDL_(K_HDL_EVENT), PTR_, OUT_(KnCap)),
        SIG_("eventPost", UI_, U32_),
        SIG_("eventDelete", CAP_),
        SIG_("svTrapConnect", U32_, HDL_(K_HDL_TRAP), PTR_),
        SIG_("svTrapDisConnect", U32_),
        SIG_("svTrapSignatures", U32_, U32_, INA_(3, sizeof(KnTrapSig)), U32_),
        SIG_("svExcHandler", HDL_(K_HDL_EXCEPTION), PTR_),
        SIG_("svAbortHandler", HDL_(K_HDL_ABORT), PTR_),
        SIG_("trapComplete", I32_, I64_, U32_),
        SIG_("svCopyIn", I32_, U64_, OUTA_(3, 1), U32_),
        SIG_("svCopyInString", I32_, U64_, OUTR_(3, 1), IO_(uint32_t)),
        SIG_("svCopyOut", I32_, INA_(3, 1), U64_, U32_, U32_),
        SIG_("rgnAllocate", CAP_, IO_(KnRgnDesc)),
        SIG_("rgnMap", CAP_, IO_(KnRgnDesc), IN_(KnObjDesc)),
        SIG_("rgnInit", CAP_, IO_(KnRgnDesc), IN_(KnObjDesc)),
        SIG_("rgnFree", CAP_, IN_(KnRgnDesc)),
        SIG_("rgnSetProtect", CAP_, IN_(KnRgnDesc)),
        SIG_("rgnMove", CAP_, IN_(KnRgnDesc), IO_(KnRgnDesc)),
        SIG_("rgnAdvise", CAP_, IN_(KnRgnDesc), I32_),
        SIG_("rgnDup", CAP_, CAP_, U32_),
        SIG_("rgnStat", CAP_, U64_, IO_(uint32_t), OUTR_(2, sizeof(KnRgnStat))),
        SIG_("actorRead", CAP_, U64_, OUTA_(3, 1), U32_),
        SIG_("actorWrite", CAP_, U64_, INA_(3, 1), U32_),
        SIG_("sgCreate", STR_(64), U64_, OUT_(KnCap)),
        SIG_("sgAdopt", FD_, U32_, OUT_(KnCap)),
        SIG_("sgRelease", CAP_),
        SIG_("sgStat", CAP_, OUT_(KnSgStat)),
        SIG_("sgTrunc", CAP_, U64_),
        SIG_("sgRead", IN_(KnObjDesc), OUTR_(2, 1), IO_(uint32_t)),
        SIG_("sgWrite", IN_(KnObjDesc), INA_(2, 1), U32_),
        SIG_("sgReadThread", IN_(KnObjDesc), I32_, U64_),
        SIG_("sgWriteThread", IN_(KnObjDesc), I32_, U64_),
        SIG_("sgFlush", CAP_),
        SIG_("sgPunch", IN_(KnObjDesc)),
        SIG_("sgSeek", CAP_, U64_, I32_, OUT_(VmOffset)),
        SIG_("uiLocalSite", OUT_(int32_t)),
        SIG_("sysLog", I32_, STR_(1024)),
        SIG_("sysShutdown", I32_),
        SIG_("sysRandom", OUTA_(1, 1), U32_),
        SIG_("sysTrace", U32_, U64_, U64_),
        SIG_("sysTraceRead", U64_, IO_(uint32_t), OUTR_(1, sizeof(KnTraceEvent))),

        /* === since ABI 1.1, in the order of knNucleus.h === */

        /* --- actors --- */
        SIG_("actorPrivilege", CAP_, OUT_(int32_t), IN_(int32_t)),
        SIG_("actorDup", CAP_, OUT_(KnCap), I32_, U32_, STR_(32)),


        /* --- threads --- */
        SIG_("threadScheduler", I32_, OUT_(KnThreadSched), IN_(KnThreadSched)),
        SIG_("threadName", I32_, OUTN_(32), STR_(32)),
        SIG_("threadStart", I32_),
        SIG_("threadStop", I32_),
        SIG_("threadDelayNs", U64_, U32_),
        SIG_("threadStat2", IO_(uint32_t), OUTR_(0, sizeof(KnThreadStat2))),
        SIG_("svGetInvoker", OUT_(KnCap)),
        SIG0_("ptdKeyCreate"),
        SIG_("ptdKeyDelete", I32_),
        SIG_("ptdSet", I32_, U64_),
        SIG_("ptdGet", I32_, OUT_(uint64_t)),
        SIG_("mutexInit", IO_(KnMutex), U32_),
        SIG_("mutexGet", IN_(KnMutex), I32_),
        SIG_("mutexTry", IN_(KnMutex)),
        SIG_("mutexRel", IN_(KnMutex)),
        SIG_("mutexDelete", IO_(KnMutex)),
        SIG_("timerCreate", UI_, U32_, OUT_(KnTimer)),
        SIG_("timerSet", IN_(KnTimer), U32_, U64_, U64_),
        SIG_("timerGet", IN_(KnTimer), OUT_(KnTimerStat)),
        SIG_("timerDelete", IO_(KnTimer)),


        /* --- ports --- */

        /* --- messages --- */

        /* --- handlers --- */
        SIG_("svIntrConnect", U32_, I32_, HDL_(K_HDL_INTERRUPT), PTR_),
        SIG_("svIntrDisConnect", U32_, I32_),
        SIG_("svIntrTrigger", U32_, U32_),
        SIG_("svIntrMask", U32_),
        SIG_("svIntrUnMask", U32_),
        SIG_("svIntrWatch", U32_, U32_, UI_, U32_),
        SIG_("svIntrStat", IO_(uint32_t), OUTR_(0, sizeof(KnIntrStat))),

        /* --- memory --- */
        SIG_("lcOpen", CAP_, U32_, OUT_(int32_t)),
        SIG_("lcClose", I32_),
        SIG_("lcCap", I32_, OUT_(KnCap)),
        SIG_("lcFlush", IN_(KnObjDesc), U32_, U64_),
        SIG_("lcSetRights", IN_(KnObjDesc), U32_, U64_),
        SIG_("lcStat", I32_, OUT_(KnLcStat)),
        SIG_("sgCreateAt", UI_, U32_, OUT_(KnCap)),
        /* --- ports --- */
        SIG_("portGetSeqNum", CAP_, I32_, OUT_(uint32_t)),

        /* --- bodies of messages that are moved --- */
        SIG_("msgAllocate", U32_, OUT_(VmAddr)),
        SIG_("msgFree", U64_),
        SIG_("msgTake", OUT_(VmAddr), OUT_(uint32_t)),
        SIG_("ipcSendMove", I32_, IN_(KnIpcDest), U32_, ANNEXIN_, U64_, U32_),
        SIG_("ipcCallMove", I32_, IN_(KnIpcDest), U32_, ANNEXIN_, U64_, U32_, ANNEXOUT_, OUTR_(8, 1), IO_(uint32_t), U32_, I32_),

        /* --- traps of a subsystem's own, exceptions of servers --- */
        SIG_("svTrapTable", U32_, INA_(2, sizeof(KnTrapEntry)), U32_, PTR_),
        /* In user actors it travels by the signature of what is raised. */
        { "trapRaise", K_ARG_I32, 4, K_SIG_LOCAL,
          { U32_, U32_, INN_(K_TRAPARGMAX * sizeof(uint64_t)), OUT_(int64_t) } },
        SIG_("trapEntry", U32_, U32_, OUT_(KnTrapEntry)),
        SIG_("svActorExcHandlerConnect", CAP_, HDL_(K_HDL_FAULT), PTR_),
        SIG_("svActorExcHandlerDisconnect", CAP_),
        SIG_("actorExcPort", CAP_, UI_),
        /* --- memory --- */
        SIG_("rgnMapFromActor", CAP_, IO_(KnRgnDesc), CAP_, IN_(KnRgnDesc)),
        SIG_("rgnInitFromActor", CAP_, IO_(KnRgnDesc), CAP_, IN_(KnRgnDesc)),
        SIG_("rgnSetInherit", CAP_, IN_(KnRgnDesc)),
        SIG_("rgnSetPaging", CAP_, IN_(KnRgnDesc)),
        SIG_("rgnSetOpaque", CAP_, IN_(KnRgnDesc)),
        SIG_("rgnStat2", CAP_, U64_, IO_(uint32_t), OUTR_(2, sizeof(KnRgnStat2))),
        SIG0_("sgSyncAll"),

        /* === end of ABI 1.1 === */
    };
    _Static_assert(sizeof table / sizeof table[0] == K_NUCLEUS_CALLS, "one signature a nucleus call");
    return op < K_NUCLEUS_CALLS ? &table[op] : (const KnSignature *)0;
}

/* Signature of handler kind K_HDL_*, or NULL. The first argument is always the cookie. */
static inline const KnSignature *kn_handler_signature(uint32_t kind) {
    static const KnSignature table[] = {
        SIG_("trap", PTR_, IO_(KnTrapFrame)),
        SIG_("exception", PTR_, IO_(KnExcFrame)),
        SIG_("abort", PTR_, I32_, U64_),
        SIG_("message", PTR_, IN_(KnMsgHead), ANNEXIN_, INA_(4, 1), U32_, ANNEXOUT_, OUTR_(7, 1), IO_(uint32_t)),
        SIG_("event", PTR_, U32_),
        SIG_("thread", PTR_),
        SIG_("interrupt", PTR_, U32_),
        SIG_("fault", PTR_, IO_(KnException)),
    };
    _Static_assert(sizeof table / sizeof table[0] == K_HDL_COUNT, "one signature a handler kind");
    return kind < K_HDL_COUNT ? &table[kind] : (const KnSignature *)0;
}

/* Signatures of KnActorOps members, in their order from `shutdown`. The first argument is the instance. */
static inline const KnSignature *kn_actor_op_signature(uint32_t op) {
    static const KnSignature table[] = {
        SIG_("shutdown", PTR_),
        SIG_("stateExport", PTR_, U32_, OUTR_(3, 1), IO_(uint32_t)),
        SIG_("stateImport", PTR_, U32_, INA_(3, 1), U32_),
        SIG_("heartbeat", PTR_),
        SIG_("started", PTR_),
    };
    return op < sizeof table / sizeof table[0] ? &table[op] : (const KnSignature *)0;
}

#undef I32_
#undef U32_
#undef I64_
#undef U64_
#undef PTR_
#undef FD_
#undef HDL_
#undef STR_
#undef IN_
#undef OUT_
#undef IO_
#undef INN_
#undef OUTN_
#undef INA_
#undef OUTA_
#undef OUTR_
#undef CAP_
#undef UI_
#undef ANNEXIN_
#undef ANNEXOUT_
#undef SIG_
#undef SIG0_
#endif
