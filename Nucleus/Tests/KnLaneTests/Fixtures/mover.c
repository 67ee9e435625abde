/* A server that is moved while it is used. It counts messages by sender, in order; bodies are { sender, sequence }, both
 * uint32_t, sequence 0 asks for { messages, disorders, generation, privilege, last of the sender }.
 * Options: "import=no" and "main=no" refuse to be a next instance; "export=none" exports nothing at all. */
#include "fixture.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SENDERS 8
typedef struct State { uint32_t messages, disorders, last[SENDERS]; } State;
typedef struct Mover { const KnNucleus *n; State s; uint32_t generation, privilege; int refuses, stays; volatile int lock; } Mover;

static int32_t message(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                       void *replyAnnex, void *replyBody, uint32_t *replySize) {
    Mover *m = cookie;
    uint32_t b[2];
    (void)head; (void)annex; (void)replyAnnex;
    if (size < sizeof b) return K_EINVAL;
    memcpy(b, body, sizeof b);
    if (b[0] >= SENDERS) return K_EINVAL;
    while (__atomic_exchange_n(&m->lock, 1, __ATOMIC_ACQUIRE)) usleep(10);
    if (b[1] != 0) {
        m->s.messages++;
        if (b[1] != m->s.last[b[0]] + 1) m->s.disorders++;
        m->s.last[b[0]] = b[1];
    }
    uint32_t answer[5] = { m->s.messages, m->s.disorders, m->generation, m->privilege, m->s.last[b[0]] };
    __atomic_store_n(&m->lock, 0, __ATOMIC_RELEASE);
    if (b[1] == 0xffffffff) usleep(20000000); /* never comes to rest */
    if (*replySize < sizeof answer) { *replySize = 0; return K_OK; }
    memcpy(replyBody, answer, sizeof answer);
    *replySize = sizeof answer;
    return K_OK;
}

static int32_t shutdown_(void *instance) { free(instance); return K_OK; }

static int32_t export_(void *instance, uint32_t sequence, void *message, uint32_t *size) {
    Mover *m = instance;
    if (sequence > 1) { *size = 0; return K_OK; }
    if (*size < sizeof m->s) return K_ETOOBIG;
    /* In two messages. */
    uint32_t half = sizeof m->s / 2;
    memcpy(message, (char *)&m->s + sequence * half, half);
    *size = half;
    return K_OK;
}

static int32_t import_(void *instance, uint32_t sequence, const void *message, uint32_t size) {
    Mover *m = instance;
    if (m->refuses) return K_EINVAL;
    if (size == 0) return sequence == 2 ? K_OK : K_EINVAL;
    if (sequence > 1 || size != sizeof m->s / 2) return K_EINVAL;
    memcpy((char *)&m->s + sequence * size, message, size);
    return K_OK;
}

int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    if (args->generation > 0 && strstr(args->options, "main=no")) return K_EBUSY;
    Mover *m = calloc(1, sizeof *m);
    KnUniqueId port, other;
    m->n = n;
    m->generation = args->generation;
    m->privilege = args->privilege;
    m->refuses = strstr(args->options, "import=no") != 0;
    int32_t r = fixture_serve(n, args, message, m, &port);
    if (r < 0) return r;
    /* A port in no group: who knows it, knows it by name. */
    int32_t li = n->portCreate(n->self, K_MYACTOR, &other);
    if (li < 0) return li;
    if ((r = n->svMsgHandler(n->self, li, message, m)) < 0) return r;
    ops->instance = m;
    ops->shutdown = shutdown_;
    if (!strstr(args->options, "export=none")) ops->stateExport = export_;
    ops->stateImport = import_;
    return K_OK;
}
