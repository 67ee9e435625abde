/* fixture.h: what the test servers have in common. */
#ifndef FIXTURE_H
#define FIXTURE_H
#include "chorus.h"

/* A port with a handler, in the group that the actor was loaded with. Its LI, or a K_ error. */
static inline int32_t fixture_serve(const KnNucleus *n, const KnActorArgs *args, KnMsgHdl handler, void *cookie, KnUniqueId *port) {
    KnCap group;
    int32_t r = n->grpAllocate(n->self, K_STATSYS, &group, args->groupStamp);
    if (r < 0) return r;
    int32_t li = n->portCreate(n->self, K_MYACTOR, port);
    if (li < 0) return li;
    if ((r = n->svMsgHandler(n->self, li, handler, cookie)) < 0) return r;
    if ((r = n->grpPortInsert(n->self, &group, port)) < 0) return r;
    return li;
}
#endif
