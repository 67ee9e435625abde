/* The nucleus table is append-only: the calls of ABI 1.0, in their order. New calls come behind them. */
#include "chorus.h"
#include "layout.h"

#define CALLS_1_0(X) \
    X(actorCreate) X(actorDelete) X(actorStart) X(actorStop) X(actorSelf) X(actorRenew) X(actorStat)              \
    X(actorName) X(actorPi) X(threadCreate) X(threadCreateUnix) X(threadDelete) X(threadSelf) X(threadSuspend)    \
    X(threadResume) X(threadAbort) X(threadAborted) X(threadDelay) X(threadStat) X(threadCookie)                  \
    X(threadContext) X(threadFpuGet) X(threadFpuSet) X(semInit) X(semP) X(semV) X(semDelete) X(portCreate)        \
    X(portDeclare) X(portDelete) X(portEnable) X(portDisable) X(portLi) X(portUi) X(portPi) X(portMigrate)        \
    X(portStat) X(grpAllocate) X(grpPortInsert) X(grpPortRemove) X(grpName) X(ipcSend) X(ipcCall) X(ipcReceive)   \
    X(ipcReply) X(ipcGetData) X(ipcSave) X(ipcRestore) X(ipcSysInfo) X(svMsgHandler) X(eventCreate) X(eventPost)  \
    X(eventDelete) X(svTrapConnect) X(svTrapDisConnect) X(svTrapSignatures) X(svExcHandler) X(svAbortHandler)     \
    X(trapComplete) X(svCopyIn) X(svCopyInString) X(svCopyOut) X(rgnAllocate) X(rgnMap) X(rgnInit) X(rgnFree)     \
    X(rgnSetProtect) X(rgnMove) X(rgnAdvise) X(rgnDup) X(rgnStat) X(actorRead) X(actorWrite) X(sgCreate)          \
    X(sgAdopt) X(sgRelease) X(sgStat) X(sgTrunc) X(sgRead) X(sgWrite) X(sgReadThread) X(sgWriteThread)            \
    X(sgFlush) X(sgPunch) X(sgSeek) X(uiLocalSite) X(sysLog) X(sysShutdown) X(sysRandom) X(sysTrace)            \
    X(sysTraceRead)

AT(KnNucleus, size, 0) AT(KnNucleus, abiMajor, 4) AT(KnNucleus, abiMinor, 6) AT(KnNucleus, self, 8)

#define PLACE(call) PLACE_##call,
enum { CALLS_1_0(PLACE) COUNT_1_0 };
#define IN_PLACE(call) AT(KnNucleus, call, 16 + 8 * PLACE_##call)
CALLS_1_0(IN_PLACE)
IS(COUNT_1_0, 91)

/* Since ABI 1.1, behind those of 1.0. */
#define CALLS_1_1(X) \
    /* --- actors --- */ \
    X(actorPrivilege) X(actorDup) \
    \
    /* --- threads --- */ \
    X(threadScheduler) X(threadName) X(threadStart) X(threadStop) X(threadDelayNs) X(threadStat2) X(svGetInvoker) \
    X(ptdKeyCreate) X(ptdKeyDelete) X(ptdSet) X(ptdGet) X(mutexInit) X(mutexGet) X(mutexTry) X(mutexRel)          \
    X(mutexDelete) X(timerCreate) X(timerSet) X(timerGet) X(timerDelete) \
    \
    /* --- ports --- */ \
    \
    /* --- messages --- */ \
    \
    /* --- handlers --- */ \
    X(svIntrConnect) X(svIntrDisConnect) X(svIntrTrigger) X(svIntrMask) X(svIntrUnMask) X(svIntrWatch) X(svIntrStat)   \
    \
    /* --- memory --- */ \
    X(lcOpen) X(lcClose) X(lcCap) X(lcFlush) X(lcSetRights) X(lcStat) X(sgCreateAt) \
    \
    /* --- ports --- */ \
    X(portGetSeqNum) \
    \
    /* --- bodies of messages that are moved --- */ \
    X(msgAllocate) X(msgFree) X(msgTake) X(ipcSendMove) X(ipcCallMove) \
    \
    /* --- traps, exceptions --- */ \
    X(svTrapTable) X(trapRaise) X(trapEntry) X(svActorExcHandlerConnect) X(svActorExcHandlerDisconnect)           \
    X(actorExcPort) \
    \
    /* --- memory --- */ \
    X(rgnMapFromActor) X(rgnInitFromActor) X(rgnSetInherit) X(rgnSetPaging) X(rgnSetOpaque) X(rgnStat2) X(sgSyncAll) \
    \
    /* --- end --- */

enum { FIRST_1_1 = COUNT_1_0 - 1, CALLS_1_1(PLACE) COUNT_1_1 };
CALLS_1_1(IN_PLACE)
GROWS(KnNucleus, 16 + 8 * COUNT_1_1)
