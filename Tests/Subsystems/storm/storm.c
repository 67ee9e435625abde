/* storm.c: many threads of one supervisor and of several user actors call, send, receive, create, delete and migrate ports and
 * kill actors, all at once. The same file is every one of them; options: role, seed, seconds, die.
 *
 * What must hold: an answer belongs to its request; no request is served twice; no call ends later than it may; who is
 * asked and dies is an error, not a hang; in the end nothing is left. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "chorus.h"

KN_NOTE(K_KIND_SERVER, "storm", "1.0");

#define STAMP 0x53544f00u           /* static user groups STAMP .. STAMP + GROUPS - 1; the last one is the hub's own */
#define GROUPS 6
#define HUB_THREADS 16
#define USER_THREADS 3
#define USERS 4
#define PORTS 6                     /* of a thread, at most */
#define WINDOW 4096
#define PATIENCE 10                 /* ms that a call may take */
#define BODY 8192

enum { WORK = 0x5707, DONE };

struct note {                       /* annex both ways */
    uint32_t kind, client;          /* client: number of a thread of the whole site */
    uint64_t sequence, secret;
    uint32_t size, wrong;           /* of the body; DONE: what went wrong */
    uint64_t calls, answered, served;
    uint32_t rest[50];
};
_Static_assert(sizeof(struct note) == K_CMSGANNEXSIZE, "annex");

struct storm;
struct worker {
    struct storm *storm;
    KnThreadLid self;
    uint32_t client;
    uint64_t random, sequence, calls, answered, served;
    KnPortLid li[PORTS];
    KnUniqueId ui[PORTS];
    KnCap child;                    /* an actor without threads, whose ports nobody serves */
    int hasChild;
    uint8_t out[BODY], in[BODY];
};

struct storm {
    const KnNucleus *n;
    uint64_t seed, end, half;
    int isHub, dies, threads, ended;
    uint32_t wrong;
    KnCap group[GROUPS];
    KnPortLid control;
    int32_t ports, actors;          /* of the site, before */
    struct worker worker[HUB_THREADS];
    uint64_t seen[64][WINDOW];      /* requests served here, by client */
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t draw(struct worker *w, uint32_t below) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 32) % below;
}

static void wrong(struct storm *s, const char *what, long value) {
    if (__atomic_fetch_add(&s->wrong, 1, __ATOMIC_RELAXED) < 10) {
        printf("FAIL %s: %ld\n", what, value);
        fflush(stdout);
    }
}

static uint64_t answerTo(uint64_t secret) { return secret * 0x9E3779B97F4A7C15ull + 1; }

static uint8_t byteOf(uint64_t secret, uint32_t i) { return (uint8_t)((secret >> (i % 7 * 8)) + i); }

static int32_t count(struct storm *s, int ports) {
    uint32_t none = 0;
    return ports ? s->n->portStat(s->n->self, &none, 0) : s->n->actorStat(s->n->self, &none, 0);
}

static void call(struct worker *w) {
    struct storm *s = w->storm;
    const KnNucleus *n = s->n;
    struct note request = { .kind = WORK, .client = w->client, .sequence = ++w->sequence, .size = draw(w, BODY) }, reply;
    KnIpcDest dest = { s->group[draw(w, GROUPS - 1)].ui, { 0, 0 } };
    request.secret = ((uint64_t)draw(w, UINT32_MAX) << 32) | draw(w, UINT32_MAX);
    uint32_t size = sizeof w->in;
    for (uint32_t i = 0; i < request.size; i++) w->out[i] = byteOf(request.secret, i);
    memset(&reply, 0, sizeof reply);
    uint64_t begin = now();
    int32_t r = n->ipcCall(n->self, K_DEFAULTPORT, &dest, K_FUNCMODE, &request, w->out, request.size, &reply, w->in, &size,
                           draw(w, 2) ? K_ABORTABLE : 0, PATIENCE);
    if (now() - begin > (PATIENCE + 20000) * 1000000ull) wrong(s, "a call took too long", (long)((now() - begin) / 1000000));
    w->calls++;
    switch (r) {
    case K_OK:
        w->answered++;
        if (reply.client != w->client || reply.sequence != request.sequence || reply.secret != answerTo(request.secret) ||
            size != request.size)
            wrong(s, "an answer to another question", (long)reply.client);
        for (uint32_t i = 0; i < size; i++)
            if (w->in[i] != byteOf(reply.secret, i)) {
                wrong(s, "the body of another answer", (long)i);
                break;
            }
        return;
    case K_ETIMEOUT: case K_EABORT: case K_EDEADSERVER: case K_EPORTDELETED: case K_EMIGRATED: case K_EUNREACHABLE:
    case K_EUNKNOWN: case K_EFULL: return;
    default: wrong(s, "a call answered", r);
    }
}

static void answer(struct worker *w, struct note *note, uint32_t size) {
    struct storm *s = w->storm;
    if (note->kind != WORK || note->client >= 64 || size != note->size) return wrong(s, "a broken request", (long)size);
    for (uint32_t i = 0; i < size; i++)
        if (w->in[i] != byteOf(note->secret, i)) return wrong(s, "a broken body", (long)i);
    uint64_t *place = &s->seen[note->client][note->sequence % WINDOW];
    if (__atomic_exchange_n(place, note->sequence, __ATOMIC_RELAXED) == note->sequence)
        wrong(s, "served twice", (long)note->sequence);
    w->served++;
    note->secret = answerTo(note->secret);
    for (uint32_t i = 0; i < size; i++) w->in[i] = byteOf(note->secret, i);
    int32_t r = s->n->ipcReply(s->n->self, note, w->in, size);
    if (r != K_OK && r != K_EUNREACHABLE) wrong(s, "a reply answered", r);
}

static void receive(struct worker *w, KnPortLid li) {
    struct storm *s = w->storm;
    const KnNucleus *n = s->n;
    struct note note;
    KnMsgHead head;
    uint32_t size = sizeof w->in;
    int deferred = draw(w, 4) == 0;
    int32_t r = n->ipcReceive(n->self, li, &head, &note, deferred ? 0 : w->in, &size, (int32_t)draw(w, 3));
    if (r < 0) {
        if (r != K_ENOMSG && r != K_ETIMEOUT && r != K_EABORT && r != K_EUNKNOWN && r != K_EPORTDELETED && r != K_EMIGRATED)
            wrong(s, "a receive answered", r);
        return;
    }
    if (head.transId == 0) return;
    if (draw(w, 16) == 0) return; /* never answered: the next receive fails it */
    if (draw(w, 8) == 0) { /* put aside for a moment */
        int32_t id = n->ipcSave(n->self);
        if (id <= 0) return wrong(s, "a save answered", id);
        if (draw(w, 2)) n->threadDelay(n->self, 1);
        if ((r = n->ipcRestore(n->self, id)) != K_OK) return wrong(s, "a restore answered", r);
    }
    if (deferred) {
        size = sizeof w->in;
        r = n->ipcGetData(n->self, w->in, &size);
        if (r < 0) return wrong(s, "the deferred body answered", r);
    }
    answer(w, &note, size);
}

static void send(struct worker *w) {
    struct note note = { .kind = WORK, .client = w->client };
    KnIpcDest dest = { w->storm->group[draw(w, GROUPS - 1)].ui, { 0, 0 } };
    const KnNucleus *n = w->storm->n;
    int32_t r = n->ipcSend(n->self, K_DEFAULTPORT, &dest, draw(w, 2) ? K_BROADMODE : K_FUNCMODE, &note, w->out, draw(w, 64));
    if (r != K_OK) wrong(w->storm, "a send answered", r);
}

static void newPort(struct worker *w, int at) {
    struct storm *s = w->storm;
    const KnNucleus *n = s->n;
    int32_t li = n->portCreate(n->self, 0, &w->ui[at]);
    if (li <= 0) return wrong(s, "portCreate answered", li);
    w->li[at] = li;
    n->portEnable(n->self, 0, li, (int32_t)draw(w, 4));
    int32_t r = n->grpPortInsert(n->self, &s->group[draw(w, GROUPS - 1)], &w->ui[at]);
    if (r != K_OK) wrong(s, "grpPortInsert answered", r);
}

static void dropPort(struct worker *w, int at) {
    const KnNucleus *n = w->storm->n;
    int32_t r = n->portDelete(n->self, 0, w->li[at]);
    if (r != K_OK) wrong(w->storm, "portDelete answered", r);
    w->li[at] = 0;
}

/* The port goes to an actor that nobody serves for, with what is in it or without; perhaps it comes back. */
static void migrate(struct worker *w, int at) {
    const KnNucleus *n = w->storm->n;
    uint32_t sequence;
    int32_t li;
    if (!w->hasChild) {
        li = n->actorCreate(n->self, 0, &w->child, K_USERACTOR, K_ACTIVE, "child");
        if (li == K_ENOMEM && !w->storm->isHub) return; /* as many as an actor without privileges may make */
        if (li != K_OK) return wrong(w->storm, "actorCreate answered", li);
        w->hasChild = 1;
    }
    li = n->portMigrate(n->self, draw(w, 2) ? K_MIGRATE_QUEUE : 0, 0, w->li[at], &w->child, &sequence);
    if (li <= 0) return wrong(w->storm, "portMigrate answered", li);
    w->li[at] = 0;
    if (draw(w, 2)) {
        li = n->portMigrate(n->self, K_MIGRATE_QUEUE, &w->child, li, 0, &sequence);
        if (li <= 0) return wrong(w->storm, "portMigrate back answered", li);
        w->li[at] = li;
        n->portEnable(n->self, 0, li, 1);
    }
}

static void dropChild(struct worker *w) {
    const KnNucleus *n = w->storm->n;
    if (!w->hasChild) return;
    int32_t r = n->actorDelete(n->self, &w->child);
    if (r != K_OK) wrong(w->storm, "actorDelete answered", r);
    w->hasChild = 0;
}

static void tellHub(struct storm *s) {
    const KnNucleus *n = s->n;
    struct note note = { .kind = DONE, .wrong = s->wrong };
    KnIpcDest dest = { s->group[GROUPS - 1].ui, { 0, 0 } };
    uint32_t none = 0;
    for (int i = 0; i < s->threads; i++) {
        note.calls += s->worker[i].calls;
        note.answered += s->worker[i].answered;
        note.served += s->worker[i].served;
    }
    int32_t r = n->ipcCall(n->self, K_DEFAULTPORT, &dest, K_FUNCMODE, &note, 0, 0, 0, 0, &none, 0, 60000);
    if (r != K_OK) fprintf(stderr, "the hub does not answer: %d\n", r);
    _exit(r == K_OK ? 0 : 1);
}

/* The hub's last thread: everybody's figures, and what is left. */
static void conclude(struct storm *s) {
    const KnNucleus *n = s->n;
    struct note all = { 0 }, one;
    int users = USERS - 1; /* one dies in the middle */
    uint64_t end = now() + 60000000000ull;
    while (users > 0 && now() < end) {
        KnMsgHead head;
        if (n->ipcReceive(n->self, s->control, &head, &one, 0, 0, 100) < 0) continue;
        if (one.kind != DONE || head.transId == 0) continue;
        users--;
        s->wrong += one.wrong;
        all.calls += one.calls;
        all.answered += one.answered;
        all.served += one.served;
        n->ipcReply(n->self, &one, 0, 0);
    }
    if (users) wrong(s, "actors that never ended", users);
    for (int i = 0; i < s->threads; i++) {
        all.calls += s->worker[i].calls;
        all.answered += s->worker[i].answered;
        all.served += s->worker[i].served;
    }
    n->portDelete(n->self, 0, s->control);
    for (int i = 0; i < 3000 && (count(s, 1) != s->ports || count(s, 0) != s->actors); i++) n->threadDelay(n->self, 20);
    if (count(s, 1) != s->ports) wrong(s, "ports left", count(s, 1) - s->ports);
    if (count(s, 0) != s->actors) wrong(s, "actors left", count(s, 0) - s->actors);
    if (all.answered == 0) wrong(s, "no call was answered", 0);
    fprintf(stderr, "%lu calls, %lu answered, %lu served\n", (unsigned long)all.calls, (unsigned long)all.answered,
            (unsigned long)all.served);
    printf("%u wrong\n", s->wrong);
    fflush(stdout);
    n->sysShutdown(n->self, s->wrong ? 1 : 0);
}

static void run(void *argument) {
    struct worker *w = argument;
    struct storm *s = w->storm;
    w->self = s->n->threadSelf(s->n->self);
    for (uint64_t t; (t = now()) < s->end;) {
        int at = (int)draw(w, PORTS);
        if (s->dies && t > s->half) _exit(3);
        switch (draw(w, 20)) {
        case 0: case 1:
            if (!w->li[at]) newPort(w, at);
            break;
        case 2:
            if (w->li[at]) dropPort(w, at);
            break;
        case 3:
            if (w->li[at]) migrate(w, at);
            break;
        case 4: dropChild(w); break;
        case 5: send(w); break;
        case 6: {
            KnThreadLid other = s->worker[draw(w, (uint32_t)s->threads)].self;
            if (other && draw(w, 4) == 0) s->n->threadAbort(s->n->self, other);
            break;
        }
        case 7: case 8: case 9: case 10: case 11: call(w); break;
        default: receive(w, draw(w, 2) ? K_ANYENABLED : w->li[at] ? w->li[at] : K_DEFAULTPORT);
        }
    }
    s->n->threadAborted(s->n->self);
    for (int at = 0; at < PORTS; at++)
        if (w->li[at]) dropPort(w, at);
    dropChild(w);
    if (__atomic_add_fetch(&s->ended, 1, __ATOMIC_ACQ_REL) < s->threads) return;
    if (s->isHub) conclude(s);
    else tellHub(s);
}

static uint64_t option(const char *options, const char *key, uint64_t otherwise) {
    const char *at = strstr(options, key);
    return at ? strtoull(at + strlen(key), 0, 0) : otherwise;
}

static int32_t started(void *instance) {
    struct storm *s = instance;
    for (int i = 0; i < s->threads; i++) {
        KnThreadLid li;
        int32_t r = s->n->threadCreate(s->n->self, run, &s->worker[i], 0, "storm", &li);
        if (r < 0) return r;
    }
    return K_OK;
}

static int32_t end(void *instance) { (void)instance; return K_OK; }

__attribute__((visibility("default")))
int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    struct storm *s = calloc(1, sizeof *s);
    if (!s) return K_ENOMEM;
    s->n = n;
    uint64_t user = option(args->options, "user=", 0);
    s->isHub = user == 0;
    s->dies = user == USERS;
    s->threads = s->isHub ? HUB_THREADS : USER_THREADS;
    s->seed = option(args->options, "seed=", 1);
    uint64_t length = option(args->options, "seconds=", 5) * 1000000000ull;
    s->end = now() + length;
    s->half = s->end - length / 2;
    for (uint32_t i = 0; i < GROUPS; i++) {
        int32_t r = n->grpAllocate(n->self, K_STATUSER, &s->group[i], STAMP + i);
        if (r < 0) return r;
    }
    for (int i = 0; i < s->threads; i++) {
        s->worker[i].storm = s;
        s->worker[i].client = (uint32_t)(s->isHub ? i : HUB_THREADS + (int)(user - 1) * USER_THREADS + i);
        s->worker[i].random = (s->seed + s->worker[i].client + 1) * 0x9E3779B97F4A7C15ull | 1;
    }
    if (s->isHub) {
        KnUniqueId ui;
        s->ports = count(s, 1);
        s->actors = count(s, 0);
        s->control = n->portCreate(n->self, 0, &ui);
        int32_t r = s->control < 0 ? s->control : n->grpPortInsert(n->self, &s->group[GROUPS - 1], &ui);
        if (r < 0) return r;
    }
    ops->instance = s;
    ops->started = started;
    ops->shutdown = end;
    return K_OK;
}
