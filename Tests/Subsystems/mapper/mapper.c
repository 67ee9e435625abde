/* mapper.c: an external mapper of one segment in its own memory, in whatever privilege. Programs find it by a static user
 * group and have the segment mapped; it can be told to behave badly. Option: stamp. At its end it says what byte 9000 is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "chorus.h"
#include "chorus/knMapper.h"
#include "mapper.h"

KN_NOTE(K_KIND_SERVER, "mapper", "1.0");

#define KEY 0x5e9u
#define MANY 1024

typedef struct Mapper {
    const KnNucleus *n;
    KnUniqueId port;
    KnCap lccap;                    /* of this site's cache */
    KnSem never;
    uint32_t mode, pulled, granted, pushed;
    uint64_t order;
    uint8_t bytes[MAPPER_SIZE];
} Mapper;

static uint32_t count(uint32_t *word) { return __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST); }

static void grant(Mapper *m, KnMpAccess *said, uint32_t access, VmOffset offset, VmSize size) {
    *said = (KnMpAccess){ .size = sizeof *said, .grantedAccess = access | K_READABLE,
                          .ordinalNumber = __atomic_add_fetch(&m->order, 1, __ATOMIC_SEQ_CST),
                          .returnAccessOffset = offset, .returnAccessSize = size };
}

static int32_t pullIn(Mapper *m, const KnMpPullIn *ask, KnMpAccess *said, void *body, uint32_t room, uint32_t *size) {
    count(&m->pulled);
    switch (__atomic_load_n(&m->mode, __ATOMIC_SEQ_CST)) {
    case GARBAGE: memset(said, 0x5a, sizeof *said), said->diag = 0; return K_OK;
    case LATE: m->n->threadDelay(m->n->self, 700); break;
    case DIES: _exit(7);
    case NEVER: for (;;) m->n->semP(m->n->self, &m->never, K_NOTIMEOUT); /* not even when it is aborted */
    }
    uint64_t end = ask->dataOffset + ask->dataSize;
    if (ask->dataOffset > MAPPER_SIZE) return K_EINVAL;
    if (end > MAPPER_SIZE) end = MAPPER_SIZE;
    if (end - ask->dataOffset > room) return K_ETOOBIG;
    grant(m, said, ask->requiredAccess, ask->accessOffset, ask->accessSize);
    said->returnDataOffset = ask->dataOffset;
    said->returnDataSize = *size = (uint32_t)(end - ask->dataOffset);
    memcpy(body, m->bytes + ask->dataOffset, *size);
    return K_OK;
}

/* Requests of the nucleus. */
static int32_t serve(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                     void *replyAnnex, void *replyBody, uint32_t *replySize) {
    Mapper *m = cookie;
    uint32_t service, room = replySize ? *replySize : 0;
    (void)head;
    if (replySize) *replySize = 0;
    memcpy(&service, annex, sizeof service);
    KnMpDone done = { K_OK, sizeof done };
    switch (service) {
    case KN_MPSTAT: {
        KnMpAttributes said = { .size = sizeof said, .segmentSize = MAPPER_SIZE };
        m->lccap = ((const KnMpStat *)annex)->lccap;
        memcpy(replyAnnex, &said, sizeof said);
        return K_OK;
    }
    case KN_MPPULLIN: {
        KnMpAccess said;
        int32_t r = pullIn(m, annex, &said, replyBody, room, replySize);
        memcpy(replyAnnex, &said, sizeof said);
        return r;
    }
    case KN_MPGETACCESS: {
        const KnMpGetAccess *ask = annex;
        KnMpAccess said;
        count(&m->granted);
        grant(m, &said, ask->requiredAccess, ask->accessOffset, ask->accessSize);
        memcpy(replyAnnex, &said, sizeof said);
        return K_OK;
    }
    case KN_MPPUSHOUT: {
        const KnMpPushOut *ask = annex;
        count(&m->pushed);
        if (ask->dataOffset > MAPPER_SIZE || size > MAPPER_SIZE - ask->dataOffset) done.diag = K_EINVAL;
        else memcpy(m->bytes + ask->dataOffset, body, size);
    }
    }
    memcpy(replyAnnex, &done, sizeof done);
    return K_OK;
}

/* The capability of the actor that a port belongs to. */
static int32_t owner(Mapper *m, KnUniqueId port, KnCap *cap) {
    const KnNucleus *n = m->n;
    KnPortStat *ports = calloc(MANY, sizeof *ports);
    KnActorStat *actors = calloc(MANY, sizeof *actors);
    uint32_t portCount = MANY, actorCount = MANY;
    int32_t r = ports && actors ? K_EUNKNOWN : K_ENOMEM;
    if (r == K_EUNKNOWN && n->portStat(n->self, &portCount, ports) >= 0 && n->actorStat(n->self, &actorCount, actors) >= 0)
        for (uint32_t i = 0; i < portCount; i++) {
            if (memcmp(&ports[i].ui, &port, sizeof port)) continue;
            for (uint32_t j = 0; j < actorCount; j++)
                if (!memcmp(&actors[j].cap.ui, &ports[i].actor, sizeof port)) *cap = actors[j].cap, r = K_OK;
        }
    free(ports);
    free(actors);
    return r;
}

/* Requests of programs. */
static int32_t control(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                       void *replyAnnex, void *replyBody, uint32_t *replySize) {
    Mapper *m = cookie;
    const KnNucleus *n = m->n;
    struct wish w;
    (void)body, (void)size, (void)replyBody;
    if (replySize) *replySize = 0;
    memcpy(&w, annex, sizeof w);
    w.result = K_EINVAL;
    switch (w.operation) {
    case MAP: {
        KnCap caller;
        KnRgnDesc region = { .startAddr = w.value, .size = MAPPER_SIZE, .options = K_READABLE | K_WRITABLE };
        KnObjDesc object = { { m->port, { KEY, 0 } }, 0, MAPPER_SIZE };
        w.result = owner(m, head->srcPort, &caller);
        if (w.result == K_OK) w.result = n->rgnMap(n->self, &caller, &region, &object);
        break;
    }
    case MODE:
        __atomic_store_n(&m->mode, (uint32_t)w.value, __ATOMIC_SEQ_CST);
        w.result = K_OK;
        break;
    case COUNTS:
        w.pulled = m->pulled, w.granted = m->granted, w.pushed = m->pushed;
        w.result = K_OK;
        break;
    case FLUSH: {
        KnObjDesc all = { m->lccap, 0, 0 };
        w.result = n->lcFlush(n->self, &all, K_LC_INVALIDATE, 0);
        break;
    }
    case PEEK:
    case POKE:
        if (w.value >= MAPPER_SIZE) break;
        if (w.operation == POKE) m->bytes[w.value] = (uint8_t)w.byte;
        w.byte = m->bytes[w.value];
        w.result = K_OK;
    }
    memcpy(replyAnnex, &w, sizeof w);
    return K_OK;
}

static int32_t ended(void *instance) {
    printf("byte 9000 is %c\n", ((Mapper *)instance)->bytes[9000]);
    fflush(stdout);
    return K_OK;
}

__attribute__((visibility("default")))
int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    Mapper *m = calloc(1, sizeof *m);
    if (!m) return K_ENOMEM;
    const char *stamp = strstr(args->options, "stamp=");
    m->n = n;
    for (uint32_t i = 0; i < MAPPER_SIZE; i++) m->bytes[i] = pattern(i);
    KnCap group;
    KnUniqueId controlPort;
    KnPortLid li = n->portCreate(n->self, 0, &m->port), controlLi = n->portCreate(n->self, 0, &controlPort);
    int32_t r = li < 0 ? li : n->svMsgHandler(n->self, li, serve, m);
    if (r >= 0) r = controlLi < 0 ? controlLi : n->svMsgHandler(n->self, controlLi, control, m);
    if (r >= 0) r = n->semInit(n->self, &m->never, 0);
    if (r >= 0) r = n->grpAllocate(n->self, K_STATUSER, &group, stamp ? (uint32_t)strtoul(stamp + 6, 0, 0) : MAPPER_STAMP);
    if (r >= 0) r = n->grpPortInsert(n->self, &group, &controlPort);
    ops->instance = m;
    if (!stamp) ops->shutdown = ended;
    return r < 0 ? r : K_OK;
}
