/* knActorManager.h: the loader of a site as its Actor Manager (static system group K_STAMP_ACTOR): privileged actors have it
 * load objects as actors, and end them, by message (afexec and akill of the CHORUS actor manager). */
#ifndef CHORUS_KNACTORMANAGER_H
#define CHORUS_KNACTORMANAGER_H
#include "knTypes.h"

#define K_STAMP_ACTOR 0x4143544fu   /* ACTO */

/* op                     in                                                      out */
#define K_AM_LOAD 1u    /* privilege (knBoot.h), limits, body = name NUL object NUL options NUL: cap; on failure body = why */
#define K_AM_UNLOAD 2u  /* cap. Its host process is killed; it may have died before */

typedef struct KnAmRequest {    /* in the annex */
    uint32_t op;
    int32_t privilege;
    KnCap cap;
    uint64_t memoryLimit;       /* bytes; 0: none */
    uint32_t threadLimit, portLimit;
} KnAmRequest;

typedef struct KnAmReply { int32_t result, hostPid; KnCap cap; } KnAmReply; /* K_*; the host process */
#endif
