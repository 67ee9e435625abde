/* mailbox.h: what a guest thread's stub and the nucleus share. Included by the freestanding zygote and by Swift.
 *
 * One area (a memfd) a guest thread: words, operations, payload, FPU image, signal stack. The guest may write all of
 * it at any time: the nucleus copies a request once, checks, then uses it.
 *
 * The dialogue is strict: the guest posts (post += 1, `kind` says why) and waits until reply == post; the nucleus
 * fills the operations and `action` and sets reply = post. With action ACT_MORE the stub runs the operations and posts
 * KIND_DONE; with the others it runs them and leaves the stub. */
#ifndef CHORUS_MAILBOX_H
#define CHORUS_MAILBOX_H
#include <stdint.h>

/* Addresses in every guest. All of it lies above what a guest may be told of (K_GUEST_TOP). */
#define MB_GUEST_TOP 0x7f0000000000ull
#define MB_STUB_BASE 0x7fe000000000ull  /* stub text; the seccomp filter knows this range */
#define MB_STUB_SPAN 0x10000ull
#define MB_CONTROL 0x7fe000100000ull    /* read-only control pages (struct mb_control) */
#define MB_AREAS 0x7fe100000000ull      /* area of slot i at MB_AREAS + i * MB_AREA_SIZE */
#define MB_AREA_SIZE 0x40000ull         /* 256 KiB, mostly never touched */
#define MB_SLOTS 16384u

/* Inside an area. */
#define MB_OPS 0x200u
#define MB_OPCOUNT 40u
#define MB_FPU 0x2000u                  /* FPU image that the nucleus supplies, 64-byte aligned */
#define MB_FRAME 0x1200u                /* ucontext that the nucleus supplies */
#define MB_PAYLOAD 0x4000u
#define MB_PAYLOAD_SIZE 0x2a000u        /* 168 KiB */
#define MB_STACK 0x2e000u               /* signal stack, to the end of the area: 72 KiB */
/* A trap through the gate (a rewritten call site) leaves its context here, where a signal's frame would be; the stack of
 * the stub lies below. Above it there is room for the FPU image, which is only made when somebody asks. */
#define MB_GATE_FRAME (MB_AREA_SIZE - 0x1400ull)
#define MB_GATE_FPU (MB_AREA_SIZE - 0x1200ull)

/* Descriptors of every guest host process. */
#define MB_FD_EVENT 6

/* SIGURG. A kick is repeated until the guest posts: real-time signals would queue up while it does not run, and their
 * frames overflow its signal stack all at once. Standard signals do not queue (signal(7)). */
#define MB_KICK 23

enum { KIND_READY = 1, KIND_TRAP, KIND_FAULT, KIND_KICK, KIND_DONE };
enum { ACT_MORE = 0, ACT_RESUME, ACT_RESUME_FULL, ACT_EXIT };
enum { OP_SYSCALL = 1, OP_COPYIN, OP_COPYOUT, OP_COPYSTR, OP_RECVFD, OP_CLONE, OP_SWAP, OP_SAVEFPU };
#define OP_NOFD 0xffu

struct mb_op {              /* 80 bytes */
    uint32_t op;
    uint32_t fd;            /* OP_SYSCALL: index of the argument replaced by the descriptor last received; OP_NOFD none */
    uint64_t number;        /* system call number */
    uint64_t args[6];       /* COPY*: guest address, length, payload offset (COPYIN: bytes copied); CLONE: flags, child area, child stack;
                             * SWAP: guest address, word expected, word to put there */
    int64_t result;
    uint64_t pad;
};

#define MB_PREFETCH 6
struct mb_guest {           /* written by the guest */
    uint32_t post;
    uint32_t kind;
    uint32_t sleeping;
    uint32_t arch;          /* AUDIT_ARCH_* of the trap */
    uint64_t number;
    uint64_t args[6];
    uint64_t rip, rsp;
    uint32_t frame;         /* offset of the ucontext in the area; 0 none */
    int32_t signo, code;
    uint32_t prefetched;    /* bit i: argument i was brought along, at prefetchOffset[i] for prefetchLength[i] bytes */
    uint64_t address;       /* fault address */
    uint32_t prefetchOffset[MB_PREFETCH];
    uint32_t prefetchLength[MB_PREFETCH];
    uint32_t contended;     /* waits still to come that do not yield: the last yield gave the processor away for long */
};

struct mb_nucleus {         /* written by the nucleus, except where said */
    uint32_t reply;
    uint32_t sleeping;      /* a nucleus thread waits on `post` of this very mailbox */
    uint32_t park;          /* == post: the answer will take long; do not spin */
    uint32_t action;
    int64_t value;          /* ACT_RESUME: rax */
    uint32_t opCount;
    uint32_t frame;         /* ACT_RESUME_FULL: offset of the ucontext to resume; ACT_RESUME: the trap's own */
    int32_t socket;         /* descriptor-passing socket (the stub keeps it) */
    int32_t closeAtStart;   /* descriptor that a new child closes first; -1 none */
    uint32_t spinGuest, yieldGuest; /* waiting policy: PAUSE polls, then sched_yield polls */
    uint64_t vdsoStart, vdsoEnd;    /* reported by the zygote (KIND_READY) */
    uint64_t vvarStart;
    uint64_t gate;                  /* likewise: where rewritten call sites go */
    uint64_t guestStack;            /* the gate's own: rsp of a call on its way in */
};
#define MB_GUEST_STACK 336          /* offset of guestStack in the area, for the gate */

struct mb_area {
    struct mb_guest guest;                                  /* offset 0 */
    uint8_t pad0[256 - sizeof(struct mb_guest)];
    struct mb_nucleus nucleus;                              /* offset 256 */
    uint8_t pad1[256 - sizeof(struct mb_nucleus)];
    struct mb_op ops[MB_OPCOUNT];                           /* offset MB_OPS */
};

/* Read-only for guests. */
#define MB_SIGS 512u
struct mb_sig { uint8_t kind[6], lenArg[6]; uint16_t size[6]; }; /* KnTrapSig */
struct mb_control {
    uint32_t poolSleeping;  /* a post must be followed by a write to MB_FD_EVENT */
    uint32_t nucleus;       /* process number of the nucleus: no guest lives without it */
    uint32_t gates;         /* the processor has what the gate needs: %gs leads to the mailbox */
    uint32_t fpuSize;       /* of an XSAVE image of fpuFeatures */
    uint64_t fpuFeatures;
    uint8_t pad[4096 - 24];
    struct mb_sig sigs[MB_SIGS];
};
#define MB_CONTROL_SIZE 0x5000u

_Static_assert(sizeof(struct mb_guest) <= 256, "guest words");
_Static_assert(sizeof(struct mb_op) == 80, "operation");
_Static_assert(__builtin_offsetof(struct mb_area, nucleus.guestStack) == MB_GUEST_STACK, "gate");
_Static_assert(MB_GATE_FRAME % 64 == 0 && MB_GATE_FPU % 64 == 0 && MB_AREA_SIZE - MB_GATE_FPU > 4096 + 64, "gate");
_Static_assert(sizeof(struct mb_area) <= MB_FRAME, "area header");
_Static_assert(sizeof(struct mb_control) <= MB_CONTROL_SIZE, "control pages");

static inline struct mb_op *mb_ops(struct mb_area *area) { return area->ops; }
static inline uint32_t mb_load(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void mb_store(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void mb_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void mb_pause(void) { __builtin_ia32_pause(); }

/* A yield that took longer than this (cycles, about 20 us) met somebody who computes: on a busy machine the one who
 * sleeps is woken before the one who yields is scheduled again, so the next waits go to sleep at once. */
#define MB_YIELD_LONG 60000u
#define MB_CONTENDED 32u
#endif
