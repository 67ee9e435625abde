/* CLane.h: layout of a lane (the shared area between the nucleus and one thread of a user actor's host process),
 * its doorbells, and the host calls it needs. How it is used is said in KnLane. */
#ifndef CLANE_H
#define CLANE_H
#include <stdint.h>
#include <stddef.h>
#include "chorus.h"

#pragma GCC visibility push(hidden)

#define KN_LANE_PAYLOAD 1245184u  /* frame bytes in one direction: K_CMSGSIZEMAX and 192 KiB of slack */
#define KN_LANE_MAGIC 0x4b6e4c61u
#define KN_LANE_VERSION 2u

/* KnLaneMsg.kind */
#define KN_LANE_CALL 1u
#define KN_LANE_RETURN 2u

/* KnLaneMsg.op of a return: an ordinary reply frame, or a call that was refused unmade, with its code in `target`. */
#define KN_LANE_REPLY 0u
#define KN_LANE_REFUSED 1u
/* KnLaneMsg.op of a call towards the actor; towards the nucleus it is the number of the nucleus call. */
#define KN_LANE_HANDLER 0x100u  /* | K_HDL_*; target = the function */
#define KN_LANE_OP 0x200u       /* | position in KnActorOps; target = the function */
#define KN_LANE_MOVED 0x400u    /* a message handler whose body is moved: of the body, its place in the actor's arena travels */
#define KN_LANE_MAIN 0x300u     /* open the object and run kn_actor_main */
/* Both ways, | the number that the receiver has given the signature: a trap. Towards the actor: the function is the target.
 * Towards the nucleus: trap << 32 | number, and KN_LANE_STALE if the signature is no more what it was. */
#define KN_LANE_TRAP 0x10000u
/* Towards the nucleus: an exception of the calling thread, and where (kn_lane_fault_signature). K_CONTEXT: it goes on. */
#define KN_LANE_FAULT 0x500u
#define KN_LANE_WHERE 256u
#define KN_LANE_STALE (-1998)

/* One direction's doorbell. `bell` changes with every message, and when a waiting side is to look around; `asleep` is set by the side that waits for them; `processor` is
 * where the side that rings ran last; `crowded` is its word that a third
 * side is at work, so that pausing would keep somebody from a processor. 128 bytes, since neighbouring lines are fetched in pairs. */
typedef struct KnLaneBell {
    uint32_t bell, asleep;
    int32_t processor;
    uint32_t crowded;
    uint8_t pad[112];
} KnLaneBell;

/* `call` numbers the calls of one side, and its return has the same; `number` the messages of one direction, from 1:
 * what has not the next one is no message, however the bell rang. */
typedef struct KnLaneMsg {
    uint32_t kind, op, size, depth;
    uint64_t target;
    uint32_t call, number;
} KnLaneMsg;

typedef struct KnLaneArea {
    uint32_t magic, version;
    int32_t worker; /* host thread of the actor's side, as it says itself; 0 until it has begun */
    uint8_t pad[116];
    KnLaneBell toActor, toNucleus;
} KnLaneArea;

#define KN_LANE_TO_ACTOR 4096u      /* one page of header, then each direction: a page and the payload */
#define KN_LANE_TO_NUCLEUS 1253376u
#define KN_LANE_BYTES 2502656u
_Static_assert(KN_LANE_PAYLOAD == K_CMSGSIZEMAX + 192u * 1024u &&
               KN_LANE_TO_NUCLEUS == KN_LANE_TO_ACTOR + 4096u + KN_LANE_PAYLOAD &&
               KN_LANE_BYTES == KN_LANE_TO_NUCLEUS + 4096u + KN_LANE_PAYLOAD, "plain numbers, since Swift imports those");

static inline uint32_t kn_lane_load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline uint64_t kn_lane_load64(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }

static inline int32_t kn_lane_worker(const KnLaneArea *area) { return __atomic_load_n(&area->worker, __ATOMIC_RELAXED); }

/* A header is read exactly once, field by field: its memory may change at any time. */
static inline KnLaneMsg kn_lane_read(const KnLaneMsg *shared) {
    KnLaneMsg m = { __atomic_load_n(&shared->kind, __ATOMIC_RELAXED), __atomic_load_n(&shared->op, __ATOMIC_RELAXED),
                    __atomic_load_n(&shared->size, __ATOMIC_RELAXED), __atomic_load_n(&shared->depth, __ATOMIC_RELAXED),
                    __atomic_load_n(&shared->target, __ATOMIC_RELAXED), __atomic_load_n(&shared->call, __ATOMIC_RELAXED),
                    __atomic_load_n(&shared->number, __ATOMIC_RELAXED) };
    return m;
}
static inline uint32_t kn_lane_number(const KnLaneMsg *shared) { return __atomic_load_n(&shared->number, __ATOMIC_RELAXED); }

void kn_lane_wake(uint32_t *word);
/* Publishes what was written before it, and wakes the other side only if it says that it sleeps. */
static inline void kn_lane_ring(KnLaneBell *bell) {
    __atomic_fetch_add(&bell->bell, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&bell->asleep, __ATOMIC_SEQ_CST) != 0) kn_lane_wake(&bell->bell);
}
/* Polls until the bell `in` differs from `seen`: pause for spinNs, then sched_yield until yieldNs. 1 when it rang.
 * Where both sides ran on one processor, or it is crowded, pausing would only keep others from running: it yields at once. `out` is
 * the bell the caller rings, and learns its processor. Where others compute, a yield costs their time slice, and who
 * sleeps is woken sooner: after a long one in vain `contended`, the lane's own, makes the next waits sleep at once. */
int32_t kn_lane_poll(const KnLaneBell *in, KnLaneBell *out, uint32_t seen, uint32_t spinNs, uint32_t yieldNs,
                     uint32_t *contended);
/* CLOCK_MONOTONIC ns. */
uint64_t kn_lane_now(void);
/* Sleeps until the bell differs from `seen`, a wake-up, a signal, or a time of CLOCK_MONOTONIC (UINT64_MAX: no limit). */
void kn_lane_sleep(KnLaneBell *bell, uint32_t seen, uint64_t until);
/* Makes whoever waits for the bell look around; believes nothing the other side left in the area. */
static inline void kn_lane_end(KnLaneBell *bell) {
    __atomic_fetch_add(&bell->bell, 1, __ATOMIC_SEQ_CST);
    kn_lane_wake(&bell->bell);
}

/* Number of the calling host thread. */
int32_t kn_lane_thread(void);
/* Processors this process may use. */
int32_t kn_lane_processors(void);
/* A sealed memfd of KN_LANE_BYTES, so that the other side cannot cut it short under us; or -errno. */
int32_t kn_lane_memfd(const char *name);
/* The same of `size` bytes, mapped at *bytes. */
int32_t kn_lane_memory(const char *name, uint64_t size, void **bytes);
/* That of the other side. NULL if it cannot be mapped. */
void *kn_lane_map(int32_t fd, uint64_t size);
void kn_lane_unmap(void *bytes, uint64_t size);
/* Gives memory back to the host; it reads as zeros then. */
void kn_lane_discard(void *bytes, uint64_t size);
/* One datagram of `size` bytes with at most one descriptor (-1: none). 0, or -errno. */
int32_t kn_lane_send_fd(int32_t socket, const void *bytes, uint32_t size, int32_t fd);
/* Bytes received (0: the peer is gone), or -errno; *fd is -1 when none came. Extra descriptors are closed. */
int32_t kn_lane_recv_fd(int32_t socket, void *bytes, uint32_t size, int32_t *fd, int32_t wait);

/* Starts chorus-actor-host with one end of a socket pair as descriptor KN_LANE_SOCKET and the standard ones as they
 * are. Its pid, or -errno. The calling thread must never exit: the host dies with it. */
#define KN_LANE_SOCKET 3
int32_t kn_lane_spawn(const char *path, const char *name, int32_t socket);
int32_t kn_lane_socketpair(int32_t pair[2]);
/* In the host: dies when the nucleus dies, and leaves the terminal's signals to it. Negative if it is dead already. */
int32_t kn_lane_die_with(int32_t parent);

/* From now on `handler` is asked, in a signal handler, about faults of this process; K_CONTEXT: the thread goes on with the
 * exception's context, else the process dies of the signal. */
typedef int32_t (*KnLaneFaultHdl)(void *own, KnException *exception, const char *where);
void kn_lane_catch_faults(KnLaneFaultHdl handler, void *own);
/* Gives the calling thread a stack for that. 0, or -errno. */
int32_t kn_lane_fault_stack(void);
const KnSignature *kn_lane_fault_signature(void);

/* Path of the object that holds `address`, or NULL. */
const char *kn_lane_object(const void *address);
/* To standard error, whole. */
void kn_lane_complain(const char *line);

/* Datagrams of that socket. Towards the host: a new lane, with its memfd, or a cache to map. Towards the nucleus: a descriptor that the
 * next call on lane `lane` carries. */
typedef struct KnLaneNote { uint32_t kind, lane; } KnLaneNote;
#define KN_LANE_NOTE_LANE 1u
#define KN_LANE_NOTE_FD 2u
#define KN_LANE_NOTE_ARENA 3u /* towards the host, once, before the first lane: where bodies are that the actor holds */
#define KN_LANE_ARENA K_MSG_BODIESMAX
/* Towards the host: the local cache that the region is to be mapped from whose call is under way. */
#define KN_LANE_NOTE_CACHE 4u

/* The call that loads an object in an actor host: object, name, options, generation, groupStamp, ops, why. */
const KnSignature *kn_lane_main_signature(void);
#define KN_LANE_WHY 256u
/* The call of KN_LANE_MOVED: as that of a message handler, but for the body's place. */
const KnSignature *kn_lane_moved_signature(void);

/* Compiled entry points for the nucleus table of a user actor, where the host refuses closures. `self` of each call
 * points to a KnThunkSelf; twelve integer arguments are passed on, however many the call has. */
typedef struct KnThunkSelf {
    int64_t (*dispatch)(struct KnThunkSelf *self, uint32_t op, uint64_t *slots);
} KnThunkSelf;
#define KN_THUNKS 160u
const void *kn_lane_thunk(uint32_t op);

#pragma GCC visibility pop
#endif
