/* A server that faults on demand. Message bodies: 's' reads from 0x10, 'i' an undefined instruction, 'f' divides by zero, 't' a
 * breakpoint; each answers with what its handler left in rcx. 'o' overflows the stack, 'a' gives the nucleus a bad
 * address, 'w' has a thread of its own fault and answers likewise, 'h' and 'x' connect and disconnect a handler of its own,
 * which has every fault go on. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "fixture.h"

typedef struct Server { const KnNucleus *n; volatile uint32_t worked, handled; } Server;

/* Every faulting instruction has two bytes, but for the breakpoint, which is over when it is told. */
__attribute__((noinline)) uint32_t fault_here(char how) {
    uint32_t value = 1;
    switch (how) {
    case 's': __asm__ volatile("movl (%%rax), %%ecx" : "+c"(value) : "a"(0x10l) : "memory"); break;
    case 'i': __asm__ volatile("ud2" : "+c"(value)); break;
    case 'f': __asm__ volatile("xorl %%ecx, %%ecx\n\tmovl $1, %%eax\n\tcltd\n\tidivl %%ecx" : "+c"(value) : : "eax", "edx"); break;
    default: __asm__ volatile("int3" : "+c"(value)); break;
    }
    return value;
}

__attribute__((noinline)) uint32_t overflow(uint32_t depth) {
    volatile uint8_t room[4096];
    memset((void *)room, (int)depth, sizeof room);
    return depth == UINT32_MAX ? 0 : overflow(depth + 1) + room[depth % sizeof room];
}

static int32_t exception(void *cookie, KnException *e) {
    Server *s = cookie;
    KnCap cap;
    if (s->n->svGetInvoker(s->n->self, &cap) != K_OK || memcmp(&cap.ui, &e->actor, sizeof cap.ui) || e->thread <= 0) return K_OK;
    __atomic_fetch_add(&s->handled, 1, __ATOMIC_RELAXED);
    if (e->number != SIGTRAP) e->context.rip += 2;
    e->context.rcx = 4711;
    return K_CONTEXT;
}

static void worker(void *argument) {
    Server *s = argument;
    s->worked = fault_here('s');
}

static int32_t message(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                       void *replyAnnex, void *replyBody, uint32_t *replySize) {
    (void)head, (void)annex, (void)replyAnnex;
    Server *s = cookie;
    const KnNucleus *n = s->n;
    uint32_t answer = 0;
    KnThreadLid li;
    if (size == 0 || *replySize < 4) return K_EINVAL;
    char how = *(const char *)body;
    switch (how) {
    case 's': case 'i': case 'f': case 't': answer = fault_here(how); break;
    case 'o': answer = overflow(0); break;
    case 'a': return n->sysRandom(n->self, (void *)16, 4);
    case 'w': {
        s->worked = 0;
        int32_t r = n->threadCreate(n->self, worker, s, 0, "worker", &li);
        if (r < 0) return r;
        while (s->worked == 0) n->threadDelay(n->self, 1);
        answer = s->worked;
        break;
    }
    case 'h': return n->svActorExcHandlerConnect(n->self, K_MYACTOR, exception, s);
    case 'x': return n->svActorExcHandlerDisconnect(n->self, K_MYACTOR);
    default: return K_ENOSYS;
    }
    memcpy(replyBody, &answer, 4);
    *replySize = 4;
    return K_OK;
}

int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    KnUniqueId port;
    Server *s = calloc(1, sizeof *s);
    if (!s) return K_ENOMEM;
    s->n = n;
    int32_t r = fixture_serve(n, args, message, s, &port);
    if (r < 0) return r;
    ops->instance = s;
    return K_OK;
}
