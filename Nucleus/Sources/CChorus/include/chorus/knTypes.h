/* knTypes.h: names, descriptors and constants of the nucleus (CHORUS V3 vocabulary).
 * Sizes are part of ABI 1.0; structs are only ever appended to, under a new versioned name. */
#ifndef CHORUS_KNTYPES_H
#define CHORUS_KNTYPES_H
#include <stdint.h>
#include <stddef.h>

typedef struct KnUniqueId { uint32_t uiHead, uiTail; } KnUniqueId;  /* 64-bit sparse name; 0,0 names nothing */
typedef struct KnKey { uint32_t keyHead, keyTail; } KnKey;          /* 64-bit modification key */
typedef struct KnCap { KnUniqueId ui; KnKey key; } KnCap;           /* capability: actor, group, segment, event */
typedef struct KnProtId { uint32_t uid, gid, did; } KnProtId;       /* protection identifier (user, group, domain) */

typedef uint64_t VmAddr;    /* address in an actor */
typedef uint64_t VmSize;    /* bytes */
typedef uint64_t VmOffset;  /* bytes from the start of a segment */
typedef int32_t KnThreadLid;/* thread, unique on its site while it lives; > 0 */
typedef int32_t KnPortLid;  /* port, local to its actor; > 0 */

/* Special arguments. */
#define K_MYACTOR ((const KnCap *)0) /* the calling actor */
#define K_DEFAULTPORT 0              /* the port every actor is born with */
#define K_ANYENABLED (-1)            /* ipcReceive: any enabled port, best priority first */
#define K_NONEPORT (-2)
#define K_MYSELF 0                   /* the calling thread */
#define K_NOTIMEOUT (-1)             /* delays are milliseconds; 0 polls; negative never times out */

/* Privileges (actorCreate). */
#define K_USERACTOR 0   /* a server in a host process of its own */
#define K_SYSACTOR 1    /* user address space, may issue privileged calls */
#define K_SUPACTOR 2    /* loaded into the nucleus process */
#define K_UNIXACTOR 3   /* an unmodified program whose traps belong to the creating subsystem */

/* Actor and thread status. */
#define K_ACTIVE 0
#define K_STOPPED 1

/* IPC limits and modes. */
#define K_CMSGANNEXSIZE 256u            /* fixed annex, always copied, bytes */
#define K_CMSGSIZEMAX (1024u * 1024u)   /* longest body, bytes */
#define K_CPORTQUEUE 64u                /* messages a port queues before K_EFULL */
#define K_CMSGSAVEDMAX 256u             /* ipcSave slots of an actor */
#define K_BROADMODE 0u
#define K_FUNCMODE 1u
#define K_FUNCUMODE 2u  /* the member on the site of coTarget */
#define K_FUNCXMODE 3u  /* a member not on that site */
/* Message flags. */
#define K_ABORTABLE 1u
#define K_MSG_REMOTE 0x100u /* KnMsgHead: the sender is on another site */

/* Group kinds (grpAllocate). */
#define K_DYNAMIC 0
#define K_STATUSER 1
#define K_STATSYS 2

typedef struct KnIpcDest { KnUniqueId target, coTarget; } KnIpcDest;

typedef struct KnMsgDesc {    /* a message as its sender or receiver sees it */
    uint32_t flags;
    uint32_t bodySize;        /* send: bytes; receive: capacity, then bytes received */
    void *bodyAddr;           /* receive: NULL leaves the body for ipcGetData */
    void *annexAddr;          /* K_CMSGANNEXSIZE bytes, or NULL */
    uint32_t seqNum;
    uint32_t pad;
} KnMsgDesc;

typedef struct KnMsgHead {    /* written by the nucleus, never by a sender */
    uint32_t bodySize;
    uint32_t flags;
    KnUniqueId srcPort, target, coTarget;
    uint64_t transId;         /* 0: asynchronous, no reply expected */
    KnProtId actorId, portId;
} KnMsgHead;

typedef struct KnSem { int32_t li; } KnSem;   /* counting semaphore; FIFO wake-up */

/* Regions. */
#define K_READABLE 0x01u
#define K_WRITABLE 0x02u
#define K_EXECUTABLE 0x04u
#define K_ANYWHERE 0x10u      /* the nucleus picks the address and returns it */
#define K_RESTRICTIVE 0x20u   /* picks inside startAddr..endAddr, highest first */
#define K_FILLZERO 0x40u
#define K_NODEMAND 0x80u      /* populate now */
#define K_RESERVED 0x100u     /* address space only (PROT_NONE) */
#define K_INHERITSHARE 0x200u /* shared with a child by rgnDup */
#define K_NOREPLACE 0x400u    /* K_EEXIST where something is mapped; without it the range is replaced */
#define K_GROWSDOWN 0x800u
#define K_MAYWRITE 0x1000u    /* rgnMap: write permission may be asked for later (rgnSetProtect) */
#define K_INHERITCOPY 0x2000u /* copied for a child by rgnDup with flags 0, which leaves out what has neither */
#define K_NOWAITFORMEMORY 0x4000u /* rgnSetPaging: kept and told, without effect here */
#define K_RGNDUP_COPY 0x1u    /* rgnDup: every private region copy-on-write (fork) */
#define K_RGNDUP_SHARE 0x2u   /* rgnDup: the one address space shared (vfork, CLONE_VM) */

typedef struct KnRgnDesc {
    VmAddr startAddr;
    VmSize size;
    uint32_t options;         /* K_READABLE ... */
    uint32_t opaque;          /* the subsystem's own flags, kept and returned by rgnStat */
    VmAddr endAddr;           /* K_RESTRICTIVE */
} KnRgnDesc;

typedef struct KnObjDesc {    /* a range of a segment */
    KnCap dataObject;
    VmOffset startOffset;
    VmSize size;
} KnObjDesc;

typedef struct KnRgnStat {    /* one region as rgnStat lists it */
    KnRgnDesc rgn;
    KnObjDesc object;         /* dataObject 0 for anonymous memory */
    uint32_t isPrivate;       /* rgnInit or anonymous private: 1; rgnMap: 0 */
    uint32_t pad;
} KnRgnStat;

/* Segments. */
#define K_SG_READONLY 1u      /* sgAdopt: never written through; guests get a read-only descriptor */
typedef struct KnSgStat {
    VmSize size;              /* bytes; lives in the local cache and nowhere else */
    uint64_t resident;        /* bytes of memory it holds */
    int64_t modifiedSec;      /* last write through the cache (CLOCK_REALTIME); 0 if none since sgCreate */
    int64_t modifiedNsec;
    uint64_t writes;          /* count of writes, to compare */
} KnSgStat;

typedef struct KnThreadCtx {  /* x86-64 integer context of a thread of a UNIX actor */
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
    uint64_t fsBase, gsBase;
    uint64_t trapno, err, cr2; /* read-only: of the exception being handled */
} KnThreadCtx;
#define K_FPUCTXMAX 4096u     /* longest XSAVE image that threadFpu moves; AMX state is never included */

typedef struct KnThreadStart { /* threadCreate in a UNIX actor: the new thread continues from a trapped one */
    KnThreadLid from;         /* trapped thread whose registers are copied */
    uint32_t flags;           /* K_START_* */
    uint64_t rsp;             /* with K_START_RSP */
    uint64_t fsBase;          /* with K_START_FSBASE */
    uint64_t result;          /* rax of the new thread */
    uint64_t clearTid;        /* host CLEARTID address, or 0 (kept by the subsystem: reserved) */
} KnThreadStart;
#define K_START_RSP 1u
#define K_START_FSBASE 2u
#define K_START_BLANK 4u      /* first thread of an empty actor: no source thread, registers zero */

typedef struct KnActorStat {
    KnCap cap;                /* key zeroed unless the caller is privileged */
    char name[32];
    int32_t privilege, status;
    uint32_t threads, ports, regions, segments;
    int32_t hostPid;          /* host process, the nucleus' own for supervisors, 0 none */
    uint32_t pad;
    uint64_t messages, traps; /* counts since creation */
    uint64_t userNanoseconds, systemNanoseconds; /* host CPU time of the actor's process */
    uint64_t residentBytes;
} KnActorStat;

typedef struct KnThreadStat {
    KnThreadLid li;
    int32_t status;           /* K_TH_* */
    KnUniqueId actor;
    char name[32];
    char blockedOn[32];       /* call name, empty when running */
    uint64_t blockedSince;    /* CLOCK_MONOTONIC ns */
} KnThreadStat;
#define K_TH_RUNNING 0
#define K_TH_BLOCKED 1
#define K_TH_PARKED 2
#define K_TH_STOPPED 3

typedef struct KnPortStat {
    KnUniqueId ui;
    KnUniqueId actor;
    int32_t li;
    uint32_t enabled, queued, received, groups, hasHandler;
} KnPortStat;

/* The black box (sysTraceRead): what the site did last. Names of actors, ports and events are UIs, head << 32 | tail. */
typedef struct KnTraceEvent {
    uint64_t sequence;        /* counts the events of the site; a gap was overwritten, or is being written */
    uint64_t time;            /* CLOCK_MONOTONIC ns when it began */
    uint64_t duration;        /* ns; 0 for what has none */
    KnThreadLid thread;       /* on which thread; 0 unknown */
    uint32_t kind;            /* K_TR_*; servers use those from K_TR_SERVER (sysTrace) */
    uint64_t value[4];
} KnTraceEvent;
#define K_TR_DROPPED 1u       /* message without a receiver: target, result */
#define K_TR_ACTOR 2u         /* actor created: UI, privilege, 16 bytes of its name */
#define K_TR_ACTOR_END 3u     /* actor deleted: UI, 0, 16 bytes of its name */
#define K_TR_ACTOR_NAME 4u    /* actor renamed: UI, 0, 16 bytes of its name */
#define K_TR_TRAP 5u          /* number, result, first argument, actor */
#define K_TR_TRAP_END 6u      /* trap that its thread never returned from (exit): as K_TR_TRAP */
#define K_TR_CALL 7u          /* ipcCall: source port, target, op | bytes << 32, result | bytes of the answer << 32 */
#define K_TR_SEND 8u          /* ipcSend: likewise. op: the first 32 bits of the annex */
#define K_TR_HANDLER 9u       /* handler run by the nucleus' own threads, or a trap of servers: K_HDL_*, port, event or actor; op
                                 or event bits | bytes << 32, or a trap's number | trap << 32; result */
#define K_TR_FAULT 10u        /* address, host signal | its code << 32, rip, actor */
#define K_TR_DEATH 11u        /* host process ended by itself: wait status, 0, 0, actor */
#define K_TR_THREAD 12u       /* thread created: 0, 0, 0, actor */
#define K_TR_THREAD_END 13u   /* thread deleted: 0, 0, 0, actor */
#define K_TR_SERVER 0x1000u

/* === since ABI 1.1 === */

/* --- actors --- */

/* --- threads --- */
/* Scheduling of a thread (threadScheduler). Those of FIFO and RR run before all of OTHER. What the host does not allow is
 * done as well as it can be: FIFO and RR become OTHER with the nearest nice value, and that is reported. */
#define K_SCHED_OTHER 0
#define K_SCHED_FIFO 1
#define K_SCHED_RR 2
#define K_SCHED_BEST 0        /* priorities: 0 best ... 255 worst */
#define K_SCHED_WORST 255
#define K_SCHED_USUAL 128     /* what threads are born with, in OTHER: nice 0 */
typedef struct KnThreadSched {
    int32_t policy, priority; /* as asked for */
    int32_t hostPolicy;       /* out: what the host runs it under now, mutexes' inheritance included */
    int32_t hostPriority;     /* out: of the host: 1 worst ... 99 best for FIFO and RR, nice for OTHER */
} KnThreadSched;

#define K_DELAY_ABSOLUTE 1u   /* threadDelayNs, timerSet: a time of CLOCK_MONOTONIC, not a delay */
#define K_PTDKEYMAX 64u       /* keys of per-thread data an actor may hold */
#define K_SYNCMAX 4096u       /* mutexes, and timers, an actor may hold */

typedef struct KnMutex { int32_t li; } KnMutex;  /* the owner runs at the best priority of its waiters */
#define K_MUTEX_RT 1u         /* waiters get it by priority, first come first served within one; else first come first served */
#define K_MUTEX_ORPHAN 1      /* mutexGet: taken, but its owner died with it: what it protects may be in disorder */

typedef struct KnTimer { int32_t li; } KnTimer;
typedef struct KnTimerStat {
    uint64_t remaining;       /* ns until it expires next; 0 unarmed */
    uint64_t interval;        /* ns; 0 one-shot */
    uint64_t expirations;     /* since it was set */
    uint64_t overruns;        /* of these, found their bits still unhandled or came too late to be told apart */
} KnTimerStat;

typedef struct KnThreadStat2 {
    KnThreadLid li;
    int32_t status;           /* K_TH_* */
    KnUniqueId actor;         /* home */
    KnUniqueId caller;        /* whose call blocks: the actor it is running in meanwhile; 0 not blocked */
    char name[32];
    char blockedOn[32];       /* call name, empty when running */
    uint64_t blockedSince;    /* CLOCK_MONOTONIC ns */
    KnThreadLid client;       /* whose request or trap it works on; 0 nobody's */
    KnThreadLid mutexOwner;   /* who has the mutex it waits for; 0 none */
    int32_t hostThread;       /* host thread it runs on, 0 unknown */
    uint32_t pad;
    KnThreadSched sched;
} KnThreadStat2;


/* --- ports --- */

/* --- messages --- */

/* --- handlers --- */
#define K_INTRLINES 256u      /* interrupt lines of a site: 0 ... 255 */
#define K_INTRHANDLERS 32u    /* handlers stacked on one line */
#define K_INTR_EDGE 0u        /* svIntrTrigger */
#define K_INTR_RAISE 1u
#define K_INTR_LOWER 2u
#define K_INTR_RUN 3u         /* the calling thread runs the handlers, if an interrupt is due and no other thread is at it */
#define K_INTR_LATER 0x10u    /* with EDGE and RAISE: who triggers comes back with K_INTR_RUN */
#define K_INTR_UNCLAIMEDMAX 1000u /* watermark of a line until svIntrWatch sets another */
typedef struct KnIntrStat {   /* one line as svIntrStat lists it */
    uint32_t line, handlers, masked, pending;
    uint32_t watermark, unclaimedInRow;
    uint64_t triggered;       /* edges and raises */
    uint64_t claimed, unclaimed; /* rounds through the handlers */
    uint64_t stuck;           /* how often the line was masked as stuck */
} KnIntrStat;

#define K_TRAPMAX 256u        /* traps of a site */
#define K_TRAPENTRYMAX 256u   /* specific handlers of one trap */
#define K_TRAPARGMAX 8u       /* arguments of a specific handler */
#define K_TRAPWORDS 6u        /* of a general one: KnTrapFrame.args */

/* --- memory --- */
/* lcFlush flags. */
#define K_LC_PUSH 1u          /* dirty data is pushed out; what is given up is always pushed first */
#define K_LC_INVALIDATE 2u    /* nothing is kept */
#define K_LC_SIZE 4u          /* the segment's size is asked for again before it is used */

typedef struct KnLcStat {     /* a local cache (lcStat) */
    VmSize size;              /* bytes of the segment */
    uint64_t present, writable, dirty; /* bytes here; of these, bytes granted for writing, and not yet pushed out */
    uint64_t pullIns, pushOuts, accesses, failures; /* requests to the mapper, and how many came to nothing */
    uint32_t opened, mapped;  /* lcOpen holds and regions */
} KnLcStat;

/* --- messages --- */
#define K_MSG_BODIESMAX 0x4000000u /* bytes of moved bodies (msgAllocate, msgTake) that an actor may hold */

/* --- memory --- */
typedef struct KnRgnStat2 {   /* one region as rgnStat2 lists it */
    KnRgnDesc rgn;
    KnObjDesc object;         /* dataObject 0 for anonymous memory */
    KnUniqueId mapper;        /* port or group of the segment's external mapper; 0: the nucleus itself */
    uint64_t resident;        /* bytes that are in memory */
    uint64_t dirty;           /* bytes of a mapper's segment that are not pushed out yet */
    uint32_t isPrivate;       /* private memory or a private copy: 1 */
    uint32_t pad;
} KnRgnStat2;

/* === end of ABI 1.1 === */
#endif
