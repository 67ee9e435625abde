/* knHandlers.h: the routines an actor connects. Each has a constant signature (knSignatures.h), so the same
 * routine is called directly (supervisor) or through the actor's lane (user). `cookie` is the connector's own. */
#ifndef CHORUS_KNHANDLERS_H
#define CHORUS_KNHANDLERS_H
#include "knTypes.h"
#include "knSignature.h"

/* Trap numbers (svTrapConnect, svTrapTable): 0 ... K_TRAPMAX - 1, each with one owner on the site. */
#define K_TRAP_SYSCALL 0x80u        /* Linux x86-64 system calls of UNIX actors */

typedef struct KnTrapFrame {        /* in-out context of a trap */
    KnThreadLid thread;
    uint32_t flags;                 /* K_TF_* */
    uint64_t threadCookie;          /* set with threadCookie(); 0 before */
    uint64_t number;                /* system call number (rax) */
    uint64_t args[6];               /* rdi rsi rdx r10 r8 r9 */
    uint64_t rip, rsp;              /* rip of the instruction behind `syscall` */
    int64_t result;                 /* out: rax, when the handler returns K_OK */
} KnTrapFrame;
#define K_TF_COMPAT 1u              /* came in through int 0x80 or x32: args are not to be trusted as 64-bit calls */

/* How the trap stub brings an argument of a system call along (svTrapSignatures), one KnTrapSig a number. */
typedef struct KnTrapSig {
    uint8_t kind[6];                /* K_TA_* */
    uint8_t lenArg[6];              /* K_TA_IN/OUT: index of the argument that holds the length */
    uint16_t size[6];               /* K_TA_IN_FIXED/OUT_FIXED: bytes */
} KnTrapSig;
#define K_TA_NONE 0u
#define K_TA_STR 1u
#define K_TA_IN 2u
#define K_TA_OUT 3u
#define K_TA_IN_FIXED 4u
#define K_TA_OUT_FIXED 5u

/* Returns K_OK (frame->result goes to the thread), K_PARKED or K_CONTEXT. */
typedef int32_t (*KnTrapHdl)(void *cookie, KnTrapFrame *frame);

/* Exceptions of UNIX actors. */
#define K_EXC_FAULT 1               /* host SIGSEGV/SIGBUS/SIGFPE/SIGILL/SIGTRAP of the program; number = host signal */
#define K_EXC_DEATH 2               /* the host process is gone; number = host wait status; thread = any of it, dead now */
typedef struct KnExcFrame {
    KnThreadLid thread;
    int32_t kind;
    uint64_t threadCookie;
    int32_t number, code;           /* host signal and si_code; K_EXC_DEATH: wait status */
    uint64_t address;               /* si_addr */
    KnUniqueId actor;
} KnExcFrame;
/* Returns K_CONTEXT or K_OK (resume with the context that threadContext left), or K_PARKED. */
typedef int32_t (*KnExcHdl)(void *cookie, KnExcFrame *frame);

/* A running UNIX thread was aborted (threadAbort) and is held with its whole context; result as KnExcHdl. */
typedef int32_t (*KnAbortHdl)(void *cookie, KnThreadLid thread, uint64_t threadCookie);

/* A message for a port, on the client's thread when the client is local. *replySize: capacity, then bytes.
 * K_OK sends the reply; negative fails the client's call with that code. For an asynchronous message
 * (head->transId == 0) the reply is dropped. Never blocks for long: what must wait answers and posts an event. */
typedef int32_t (*KnMsgHdl)(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t bodySize,
                            void *replyAnnex, void *replyBody, uint32_t *replySize);

/* Bits posted to an event since the last call (coalesced, never lost). Runs on a nucleus thread. When a server dies, the
 * nucleus posts all bits to every event: who waits for that server asks again. */
typedef int32_t (*KnEvtHdl)(void *cookie, uint32_t bits);

typedef void (*KnThreadHdl)(void *argument);

/* Interrupts (DriverKit): returns K_INTR_CLAIMED or K_INTR_UNCLAIMED. */
typedef int32_t (*KnIntrHdl)(void *cookie, uint32_t line);
#define K_INTR_UNCLAIMED 0
#define K_INTR_CLAIMED 1

/* A specific handler of a trap (svTrapTable): int32_t (*)(void *cookie, ...), with the arguments that `args` describes behind
 * the cookie. What it returns, trapRaise returns. Runs on the thread that raised the trap; may block. */
typedef struct KnTrapEntry {
    void (*handler)(void);      /* NULL: not provided */
    char name[24];              /* for listings */
    uint32_t count;             /* arguments, at most K_TRAPARGMAX */
    uint32_t binding;           /* the nucleus' own */
    KnArg args[K_TRAPARGMAX];   /* no handlers or descriptors; KnArg.lenArg counts from the first of these */
} KnTrapEntry;

/* An exception of a server's thread (svActorExcHandlerConnect), or, as annex, the request to an exception port. */
#define KN_EXCEPTION 0x45584331u    /* KnException.service */
typedef struct KnException {
    uint32_t service;           /* KN_EXCEPTION */
    int32_t answer;             /* in the reply's annex: what a handler would return */
    KnUniqueId actor;
    KnThreadLid thread;
    int32_t number, code;       /* host signal (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP) and si_code */
    uint32_t pad;
    uint64_t address;           /* si_addr */
    KnThreadCtx context;        /* in-out, but for fsBase and gsBase, which are 0 */
} KnException;
/* Returns K_CONTEXT: the thread goes on with `context`. Anything else: the actor's host process ends. */
typedef int32_t (*KnActorExcHdl)(void *cookie, KnException *exception);
#endif
