/* A server that connects traps of its own (option own=yes: 0x50 with a table, 0x51 with a general handler), or raises those
 * of another. Message bodies: 'r' raises all of them and answers with the line that went wrong or 0, 'b' raises the one
 * that blocks, 'd' disconnects from outside, 'n' and a count: that many times the cheapest one. */
#include <stdlib.h>
#include <string.h>
#include "fixture.h"

#define TABLE 0x50
#define GENERAL 0x51
enum { ADD, SUM, UPPER, FILL, INVOKER, BLOCK, LEAVE, NOTHING, AGAIN, NULL_, COUNT };
typedef struct Big { uint8_t bytes[300]; } Big;
typedef struct Server { const KnNucleus *n; uint32_t raised; } Server;
#define WORD(p) ((uint64_t)(uintptr_t)(p))

static int32_t add(void *c, int32_t a, int64_t b, uint32_t d) {
    ((Server *)c)->raised++;
    return (int32_t)(a + b + d);
}
static int32_t sum(void *c, uint32_t count, const uint32_t *values) {
    (void)c;
    int32_t all = 0;
    if (count > 0 && !values) return K_EFAULT;
    for (uint32_t i = 0; i < count; i++) all += (int32_t)values[i];
    return all;
}
static int32_t upper(void *c, const char *text, uint32_t *size, char *out) {
    (void)c;
    if (!text || !size || !out) return K_EFAULT;
    uint32_t length = (uint32_t)strlen(text);
    if (length > *size) return K_ETOOBIG;
    for (uint32_t i = 0; i < length; i++) out[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];
    *size = length;
    return 7;
}
static int32_t fill(void *c, uint32_t byte, Big *big, uint64_t *number) {
    (void)c;
    if (!big || !number) return K_EFAULT;
    memset(big, (int)byte, sizeof *big);
    *number += 1;
    return K_OK;
}
static int32_t invoker(void *c, KnUniqueId *ui) {
    KnCap cap;
    int32_t r = ((Server *)c)->n->svGetInvoker(((Server *)c)->n->self, &cap);
    if (r == K_OK && ui) *ui = cap.ui;
    return r;
}
static int32_t block(void *c) { return ((Server *)c)->n->threadDelay(((Server *)c)->n->self, -1); }
static int32_t leave(void *c) { return ((Server *)c)->n->svTrapDisConnect(((Server *)c)->n->self, TABLE); }
static int32_t again(void *c) {
    const KnNucleus *n = ((Server *)c)->n;
    return n->trapRaise(n->self, TABLE, AGAIN, 0, 0);
}
static int32_t null_(void *c) { (void)c; return K_OK; }

static int32_t general(void *cookie, KnTrapFrame *f) {
    if (f->number == 1) return K_PARKED;
    if (f->number == 2) return K_EBUSY;
    ((Server *)cookie)->raised++;
    f->result = (int64_t)(f->args[0] + f->args[5]) * (f->number == 3 ? -1 : 1);
    return f->thread > 0 ? K_OK : K_EINVAL;
}

#define HANDLER(f) (void (*)(void))f
static const KnTrapEntry entries[COUNT] = {
    [ADD] = { HANDLER(add), "add", 3, 0, { K_A_I32, K_A_I64, K_A_U32 } },
    [SUM] = { HANDLER(sum), "sum", 2, 0, { K_A_U32, K_A_INS(0, uint32_t) } },
    [UPPER] = { HANDLER(upper), "upper", 3, 0, { K_A_STR(64), K_A_INOUT(uint32_t), K_A_OUTS(1, char) } },
    [FILL] = { HANDLER(fill), "fill", 3, 0, { K_A_U32, K_A_OUT(Big), K_A_INOUT(uint64_t) } },
    [INVOKER] = { HANDLER(invoker), "invoker", 1, 0, { K_A_OUT(KnUniqueId) } },
    [BLOCK] = { HANDLER(block), "block", 0, 0, { { 0 } } },
    [LEAVE] = { HANDLER(leave), "leave", 0, 0, { { 0 } } },
    [AGAIN] = { HANDLER(again), "again", 0, 0, { { 0 } } },
    [NULL_] = { HANDLER(null_), "null", 0, 0, { { 0 } } },
};

static int32_t own(Server *s) {
    const KnNucleus *n = s->n;
    int32_t r = n->svTrapTable(n->self, TABLE, entries, COUNT, s);
    return r < 0 ? r : n->svTrapConnect(n->self, GENERAL, general, s);
}

#define STEP(that) do { if (!(that)) return __LINE__; } while (0)
static uint32_t raise_(Server *s) {
    const KnNucleus *n = s->n;
    int64_t result = 0;
    STEP(kn_trapRaise(n, TABLE, ADD, (uint64_t)-5, (uint64_t)-1000, 7) == -998);
    STEP(n->trapRaise(n->self, TABLE, ADD, (const uint64_t[]){ 1, 2, 3 }, &result) == 6 && result == 6);

    uint32_t values[1000], all = 0;
    for (uint32_t i = 0; i < 1000; i++) all += values[i] = i * 3;
    STEP(kn_trapRaise(n, TABLE, SUM, 1000, WORD(values)) == (int32_t)all);
    STEP(kn_trapRaise(n, TABLE, SUM, 0, 0) == 0);
    STEP(kn_trapRaise(n, TABLE, SUM, 3, 0) == K_EFAULT);

    char out[32] = "";
    uint32_t size = sizeof out;
    STEP(kn_trapRaise(n, TABLE, UPPER, WORD("Zug um Zug"), WORD(&size), WORD(out)) == 7);
    STEP(size == 10 && !memcmp(out, "ZUG UM ZUG", 10));
    size = 3;
    STEP(kn_trapRaise(n, TABLE, UPPER, WORD("Zug um Zug"), WORD(&size), WORD(out)) == K_ETOOBIG && size == 3);

    Big big;
    uint64_t number = 41;
    STEP(kn_trapRaise(n, TABLE, FILL, 0xa5, WORD(&big), WORD(&number)) == K_OK && number == 42);
    for (uint32_t i = 0; i < sizeof big; i++) STEP(big.bytes[i] == 0xa5);

    KnCap me;
    KnUniqueId who = { 0, 0 };
    STEP(n->actorSelf(n->self, &me) == K_OK);
    STEP(kn_trapRaise(n, TABLE, INVOKER, WORD(&who)) == K_OK && !memcmp(&who, &me.ui, sizeof who));

    STEP(kn_trapRaise(n, TABLE, AGAIN, 0) == K_ENOMEM);
    STEP(kn_trapRaise(n, TABLE, NOTHING, 0) == K_ENOSYS);
    STEP(kn_trapRaise(n, TABLE, COUNT, 0) == K_ENOSYS);
    STEP(kn_trapRaise(n, 0x52, 0, 0) == K_EUNKNOWN);
    STEP(n->trapRaise(n->self, TABLE, ADD, 0, 0) == K_EFAULT);
    STEP(kn_trapRaise(n, K_TRAP_SYSCALL, 0, 0) == K_EUNKNOWN && kn_trapRaise(n, 4000, 0, 0) == K_EUNKNOWN);

    STEP(n->trapRaise(n->self, GENERAL, 77, (const uint64_t[K_TRAPWORDS]){ 30, 0, 0, 0, 0, 12 }, &result) == K_OK && result == 42);
    STEP(n->trapRaise(n->self, GENERAL, 3, (const uint64_t[K_TRAPWORDS]){ 1ull << 40 }, &result) == K_OK && result == -(1ll << 40));
    STEP(kn_trapRaise(n, GENERAL, 1, 0) == K_EINVAL);
    STEP(kn_trapRaise(n, GENERAL, 2, 0) == K_EBUSY);

    KnTrapEntry entry;
    STEP(n->trapEntry(n->self, TABLE, UPPER, &entry) > 0 && entry.count == 3 && !entry.handler && !strcmp(entry.name, "upper"));
    STEP(n->trapEntry(n->self, TABLE, AGAIN, &entry) == n->trapEntry(n->self, TABLE, BLOCK, &entry));
    STEP(n->trapEntry(n->self, GENERAL, 5, &entry) == 0 && entry.count == K_TRAPWORDS);

    /* Taken, and tables that make no sense. */
    STEP(n->svTrapTable(n->self, TABLE, entries, COUNT, s) == K_EBUSY);
    STEP(n->svTrapConnect(n->self, GENERAL, general, s) == K_EBUSY);
    STEP(n->svTrapConnect(n->self, K_TRAPMAX, general, s) == K_EINVAL);
    KnTrapEntry bad = { HANDLER(add), "bad", 2, 0, { K_A_U64, K_A_INS(0, char) } };
    STEP(n->svTrapTable(n->self, 0x60, &bad, 1, s) == K_EINVAL);
    bad.args[1].lenArg = 200;
    STEP(n->svTrapTable(n->self, 0x60, &bad, 1, s) == K_EINVAL);
    bad = (KnTrapEntry){ HANDLER(add), "bad", 1, 0, { { K_ARG_HANDLER, K_IN, 0, 0, 0 } } };
    STEP(n->svTrapTable(n->self, 0x60, &bad, 1, s) == K_EINVAL);
    bad = (KnTrapEntry){ HANDLER(add), "bad", 1, 0, { K_A_STR(0) } };
    STEP(n->svTrapTable(n->self, 0x60, &bad, 1, s) == K_EINVAL);
    bad.count = 9;
    STEP(n->svTrapTable(n->self, 0x60, &bad, 1, s) == K_EINVAL);
    STEP(n->svTrapTable(n->self, 0x60, entries, 100000, s) == K_EINVAL);
    STEP(n->svTrapTable(n->self, 0x60, 0, 1, s) == K_EFAULT);
    STEP(n->svTrapTable(n->self, K_TRAP_SYSCALL, entries, COUNT, s) == K_EINVAL);
    return 0;
}

static int32_t message(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                       void *replyAnnex, void *replyBody, uint32_t *replySize) {
    (void)head, (void)annex, (void)replyAnnex;
    Server *s = cookie;
    const KnNucleus *n = s->n;
    uint32_t answer = 0;
    if (size == 0 || *replySize < 4) return K_EINVAL;
    switch (*(const char *)body) {
    case 'r': answer = raise_(s); break;
    case 'b': return kn_trapRaise(n, TABLE, BLOCK, 0);
    case 'l': return kn_trapRaise(n, TABLE, LEAVE, 0);
    case 'd': return n->svTrapDisConnect(n->self, TABLE);
    case 'c': return own(s);
    case 'n':
        for (int i = 0; i < 1000; i++)
            if (n->trapRaise(n->self, TABLE, NULL_, 0, 0) != K_OK) return K_EHOST;
        break;
    case 'g':
        for (int i = 0; i < 1000; i++)
            if (n->trapRaise(n->self, GENERAL, 0, (const uint64_t[K_TRAPWORDS]){ 0 }, 0) != K_OK) return K_EHOST;
        break;
    default: return K_ENOSYS;
    }
    memcpy(replyBody, &answer, 4);
    *replySize = 4;
    return K_OK;
}

int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    KnUniqueId port;
    int32_t r;
    Server *s = calloc(1, sizeof *s);
    if (!s) return K_ENOMEM;
    s->n = n;
    if (strstr(args->options, "own=yes") && (r = own(s)) < 0) return r;
    if ((r = fixture_serve(n, args, message, s, &port)) < 0) return r;
    ops->instance = s;
    return K_OK;
}
