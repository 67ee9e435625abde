/* protection.h: what the guard, a supervisor, tells the intruder, a user actor without privileges: all names of what
 * it owns, and no key. */
#ifndef PROTECTION_H
#define PROTECTION_H
#include "chorus.h"

#define STAMP 0x47554152u           /* static user group that the guard's control port is in */

enum { BEGIN = 1, END };

struct tale {                       /* annex of both answers */
    uint32_t operation;
    int32_t thread, semaphore, portLi;
    KnUniqueId actor, port, group, segment;
    uint32_t rest[52];
};
_Static_assert(sizeof(struct tale) == K_CMSGANNEXSIZE, "annex");
#endif
