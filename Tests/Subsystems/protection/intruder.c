/* intruder.c: a user actor without privileges that makes every call of the nucleus, as its signature says, with arguments that
 * are wrong, stale, forged, cut short or missing. Options: seed, rounds. Calls of a later ABI are tried as soon as they
 * have a signature. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "protection.h"

KN_NOTE(K_KIND_SERVER, "intruder", "1.0");

#define ROOM (2u << 20)             /* of each buffer: more than a message may be */
#define CAPS 16

typedef struct Intruder {
    const KnNucleus *n;
    uint64_t random;
    uint32_t rounds;
    struct tale tale;
    uint8_t *room[K_SIG_ARGMAX];
    KnCap own, caps[CAPS];          /* true ones of its own, some of them of what is gone by now */
    uint32_t capCount;
    KnThreadLid self;
    uint32_t undocumented;
} Intruder;

static uint32_t draw(Intruder *x, uint32_t below) {
    x->random ^= x->random << 13;
    x->random ^= x->random >> 7;
    x->random ^= x->random << 17;
    return (uint32_t)(x->random >> 32) % below;
}

static int32_t ignoreTrap(void *c, KnTrapFrame *f) { (void)c, (void)f; return K_OK; }
static int32_t ignoreExc(void *c, KnExcFrame *f) { (void)c, (void)f; return K_OK; }
static int32_t ignoreAbort(void *c, KnThreadLid t, uint64_t k) { (void)c, (void)t, (void)k; return K_OK; }
static int32_t ignoreMessage(void *c, const KnMsgHead *h, const void *a, const void *b, uint32_t s, void *ra, void *rb, uint32_t *rs) {
    (void)c, (void)h, (void)a, (void)b, (void)s, (void)ra, (void)rb, (void)rs;
    return K_OK;
}
static int32_t ignoreWord(void *c, uint32_t w) { (void)c, (void)w; return K_OK; }
static int32_t ignoreFault(void *c, KnException *e) { (void)c, (void)e; return K_OK; }
static void ignoreThread(void *c) { (void)c; }

static uint64_t handler(uint32_t kind) {
    void *known[] = { (void *)ignoreTrap, (void *)ignoreExc, (void *)ignoreAbort, (void *)ignoreMessage,
                      (void *)ignoreWord, (void *)ignoreThread, (void *)ignoreWord, (void *)ignoreFault };
    return kind < sizeof known / sizeof *known ? (uint64_t)(uintptr_t)known[kind] : 0;
}

/* A name with or without a key: of the guard's, of its own, or of nobody. */
static KnCap name(Intruder *x, int mayBeOwn) {
    const KnUniqueId known[] = { x->tale.actor, x->tale.port, x->tale.group, x->tale.segment };
    KnCap cap;
    uint32_t kind = draw(x, 6);
    for (size_t i = 0; i < sizeof cap; i++) ((uint8_t *)&cap)[i] = (uint8_t)draw(x, 256);
    if (kind < 2) cap.ui = known[draw(x, 4)];
    if (kind == 2) cap = mayBeOwn && draw(x, 2) ? x->own : x->capCount ? x->caps[draw(x, x->capCount)] : cap;
    if (kind == 3) cap.ui = known[draw(x, 4)], cap.key = x->own.key;
    if (kind == 4) memset(&cap, 0, sizeof cap);
    return cap;
}

static uint64_t number(Intruder *x) {
    const uint64_t odd[] = { 0, 1, 2, 3, 7, 64, 4096, 65536, 0x100000, INT_MAX, (uint64_t)INT_MIN, UINT_MAX,
                             (uint64_t)-1, (uint64_t)-2, UINT64_MAX / 2, 1ull << 47 };
    switch (draw(x, 5)) {
    case 0: return (uint64_t)(int64_t)x->tale.thread;
    case 1: return (uint64_t)(int64_t)(draw(x, 2) ? x->tale.semaphore : x->tale.portLi);
    case 2: return draw(x, 100);
    default: return odd[draw(x, sizeof odd / sizeof *odd)];
    }
}

static void fill(Intruder *x, uint8_t *to, uint32_t size, int mayBeOwn) {
    KnCap cap = name(x, mayBeOwn);
    uint64_t word = number(x);
    for (uint32_t i = 0; i < size && i < 4096; i++) to[i] = (uint8_t)draw(x, 256);
    if (draw(x, 4)) memcpy(to, &cap, size < sizeof cap ? size : sizeof cap);
    else memcpy(to, &word, size < sizeof word ? size : sizeof word);
}

static int starts(const char *text, const char *with) { return !strncmp(text, with, strlen(with)); }

static void attack(Intruder *x, uint32_t op) {
    const KnSignature *s = kn_nucleus_signature(op);
    uint64_t a[K_SIG_ARGMAX] = { 0 };
    int64_t (*call)(void *, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                    uint64_t, uint64_t, uint64_t);
    memcpy(&call, (const char *)x->n + offsetof(KnNucleus, actorCreate) + op * sizeof call, sizeof call);
    if (!call) return;
    /* What would end or stop this test itself is not for its own actor and thread; and nothing is waited for. */
    int ends = (starts(s->name, "actor") || starts(s->name, "thread")) &&
               (strstr(s->name, "Delete") || strstr(s->name, "Stop") || strstr(s->name, "Suspend"));
    int waits = starts(s->name, "ipc") || starts(s->name, "sem") || strstr(s->name, "Delay") || strstr(s->name, "utex") ||
                strstr(s->name, "Sem") || strstr(s->name, "Wait");
    for (uint32_t i = 0; i < s->count; i++) {
        const KnArg *arg = &s->args[i];
        int last = i + 1 == s->count;
        switch (arg->type) {
        case K_ARG_BUF:
            fill(x, x->room[i], arg->len == K_LEN_FIXED ? arg->size : 256, !ends);
            a[i] = draw(x, 8) || ends ? (uint64_t)(uintptr_t)x->room[i] : 0;
            break;
        case K_ARG_STR:
            memset(x->room[i], draw(x, 2) ? 0xff : 'x', 4096);
            if (draw(x, 2)) x->room[i][draw(x, 40)] = 0;
            a[i] = draw(x, 6) ? (uint64_t)(uintptr_t)x->room[i] : 0;
            break;
        case K_ARG_HANDLER: a[i] = draw(x, 4) ? handler(arg->size) : 0; break;
        case K_ARG_FD: a[i] = draw(x, 2) ? (uint64_t)-1 : draw(x, 2) ? 9999 : 2; break;
        case K_ARG_I32:
            a[i] = waits && last ? draw(x, 3) : number(x);
            if (ends && ((int32_t)a[i] == x->self || (int32_t)a[i] == K_MYSELF)) a[i] = (uint64_t)(int64_t)x->tale.thread;
            break;
        default: a[i] = waits ? draw(x, 3) : number(x); break; /* U64: threadDelayNs */
        }
    }
    int64_t r = (int32_t)call(x->n->self, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11]);
    if (r < 0 && (r > K_EINVAL || r < K_EINVAL - 60)) {
        x->undocumented++;
        fprintf(stderr, "%s answered %ld\n", s->name, (long)r);
    }
    /* What it was given is tried again, now and when it is long gone. */
    if (r >= 0 && (!strcmp(s->name, "actorCreate") || !strcmp(s->name, "sgCreate") || !strcmp(s->name, "eventCreate") ||
                   !strcmp(s->name, "grpAllocate")))
        for (uint32_t i = 0; i < s->count; i++)
            if (s->args[i].type == K_ARG_BUF && s->args[i].size == sizeof(KnCap) && s->args[i].dir != K_IN && a[i])
                memcpy(&x->caps[x->capCount < CAPS ? x->capCount++ : draw(x, CAPS)], x->room[i], sizeof(KnCap));
}

static int32_t tell(Intruder *x, uint32_t operation) {
    struct tale out = { .operation = operation, .thread = (int32_t)x->undocumented };
    KnIpcDest dest = { { 0, 0 }, { 0, 0 } };
    uint32_t none = 0;
    int32_t r = x->n->grpName(x->n->self, STAMP, &dest.target);
    return r < 0 ? r : x->n->ipcCall(x->n->self, K_DEFAULTPORT, &dest, K_FUNCMODE, &out, 0, 0, &x->tale, 0, &none, 0, 60000);
}

static void rage(void *argument) {
    Intruder *x = argument;
    x->self = x->n->threadSelf(x->n->self);
    if (tell(x, BEGIN) != K_OK) _exit(1);
    for (uint32_t round = 0; round < x->rounds; round++)
        for (uint32_t op = 0; op < K_NUCLEUS_CALLS; op++) attack(x, op);
    x->n->threadAborted(x->n->self);
    int32_t r = tell(x, END);
    if (r != K_OK) fprintf(stderr, "the guard does not answer: %d\n", r);
    _exit(r == K_OK ? 0 : 1);
}

__attribute__((visibility("default")))
int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    Intruder *x = calloc(1, sizeof *x);
    if (!x) return K_ENOMEM;
    const char *seed = strstr(args->options, "seed="), *rounds = strstr(args->options, "rounds=");
    x->n = n;
    x->random = (seed ? strtoull(seed + 5, 0, 0) : 1) * 0x9E3779B97F4A7C15ull | 1;
    x->rounds = rounds ? (uint32_t)strtoul(rounds + 7, 0, 0) : 100;
    for (int i = 0; i < (int)K_SIG_ARGMAX; i++) {
        x->room[i] = mmap(0, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (x->room[i] == MAP_FAILED) return K_ENOMEM;
    }
    n->actorSelf(n->self, &x->own);
    ops->instance = x;
    KnThreadLid li;
    return n->threadCreate(n->self, rage, x, 0, "rage", &li);
}
