/* A server that uses memory of its own and segments mapped into it, for both privileges. It starts only if all went well: else
 * it refuses with minus the line of the step that did not. */
#include "chorus.h"
#include <stdlib.h>
#include <string.h>

#define STEP(condition) do { if (!(condition)) return -__LINE__; } while (0)
#define PAGE 4096u

static int32_t steps(const KnNucleus *n) {
    KnRgnStat stats[8];
    uint32_t count = 8, size;
    KnRgnDesc own = { .size = 3 * PAGE - 100, .options = K_ANYWHERE | K_READABLE | K_WRITABLE, .opaque = 77 };
    STEP(n->rgnAllocate(n->self, K_MYACTOR, &own) == K_OK && own.startAddr != 0);
    uint8_t *at = (uint8_t *)(uintptr_t)own.startAddr;
    for (uint32_t i = 0; i < 3 * PAGE; i++) STEP(at[i] == 0);
    memset(at, 5, 3 * PAGE);
    STEP(n->rgnStat(n->self, K_MYACTOR, 0, &count, stats) == K_OK && count == 1);
    STEP(stats[0].rgn.startAddr == own.startAddr && stats[0].rgn.size == 3 * PAGE && stats[0].rgn.opaque == 77);
    STEP(stats[0].isPrivate == 1);

    /* Never over what is there. */
    KnRgnDesc again = { .startAddr = own.startAddr + PAGE, .size = PAGE, .options = K_READABLE };
    STEP(n->rgnAllocate(n->self, K_MYACTOR, &again) == K_EEXIST && at[PAGE] == 5);
    again.startAddr = (uintptr_t)&n & ~(uint64_t)(PAGE - 1); /* the stack */
    STEP(n->rgnAllocate(n->self, K_MYACTOR, &again) == K_EEXIST);
    again.startAddr = own.startAddr + 1;
    STEP(n->rgnAllocate(n->self, K_MYACTOR, &again) == K_EINVAL);
    STEP(n->rgnAllocate(n->self, K_MYACTOR, 0) == K_EFAULT);

    /* In the middle, which splits; then where it was. */
    KnRgnDesc middle = { .startAddr = own.startAddr + PAGE, .size = PAGE };
    STEP(n->rgnFree(n->self, K_MYACTOR, &middle) == K_OK);
    count = 8;
    STEP(n->rgnStat(n->self, K_MYACTOR, 0, &count, stats) == K_OK && count == 2);
    STEP(n->rgnFree(n->self, K_MYACTOR, &own) == K_EFAULT && at[0] == 5);
    middle.options = K_READABLE | K_WRITABLE;
    STEP(n->rgnAllocate(n->self, K_MYACTOR, &middle) == K_OK && middle.startAddr == own.startAddr + PAGE);
    STEP(at[PAGE] == 0 && at[0] == 5 && at[2 * PAGE] == 5);
    middle.options = K_READABLE;
    STEP(n->rgnSetProtect(n->self, K_MYACTOR, &middle) == K_OK);
    middle.size = 64 * PAGE;
    STEP(n->rgnSetProtect(n->self, K_MYACTOR, &middle) == K_EFAULT);

    /* 64 KiB are granted (the test's limit). */
    KnRgnDesc much = { .size = 15 * PAGE, .options = K_ANYWHERE | K_READABLE | K_WRITABLE };
    STEP(n->rgnAllocate(n->self, K_MYACTOR, &much) == K_ENOMEM);
    STEP(n->rgnFree(n->self, K_MYACTOR, &own) == K_OK);
    STEP(n->rgnAllocate(n->self, K_MYACTOR, &much) == K_OK);
    STEP(n->rgnFree(n->self, K_MYACTOR, &much) == K_OK);

    /* A segment, shared and as a copy. */
    KnCap segment;
    STEP(n->sgCreate(n->self, "s", 0, &segment) == K_OK);
    KnObjDesc object = { segment, 0, PAGE };
    STEP(n->sgWrite(n->self, &object, "first", 6) == 6);
    STEP(n->sgTrunc(n->self, &segment, 2 * PAGE) == K_OK);
    KnRgnDesc shared = { .size = 2 * PAGE, .options = K_ANYWHERE | K_READABLE | K_WRITABLE }, copy = shared, reader = shared;
    STEP(n->rgnMap(n->self, K_MYACTOR, &shared, &object) == K_OK);
    STEP(n->rgnInit(n->self, K_MYACTOR, &copy, &object) == K_OK);
    char *one = (char *)(uintptr_t)shared.startAddr, *two = (char *)(uintptr_t)copy.startAddr, text[6];
    STEP(!strcmp(one, "first") && !strcmp(two, "first"));
    strcpy(two, "copy!");
    strcpy(one, "mine!");
    size = sizeof text;
    STEP(n->sgRead(n->self, &object, text, &size) == K_OK && !strcmp(text, "mine!") && !strcmp(two, "copy!"));
    reader.options = K_ANYWHERE | K_READABLE;
    STEP(n->rgnMap(n->self, K_MYACTOR, &reader, &object) == K_OK && !strcmp((char *)(uintptr_t)reader.startAddr, "mine!"));
    reader.options = K_READABLE | K_WRITABLE;
    STEP(n->rgnSetProtect(n->self, K_MYACTOR, &reader) == K_EPRIV);
    object.startOffset = 100;
    STEP(n->rgnMap(n->self, K_MYACTOR, &shared, &object) == K_EINVAL);
    object.dataObject.key.keyHead ^= 1;
    object.startOffset = 0;
    shared.options |= K_ANYWHERE;
    STEP(n->rgnMap(n->self, K_MYACTOR, &shared, &object) == K_EPRIV);
    STEP(n->sgRelease(n->self, &segment) == K_OK && !strcmp(one, "mine!"));
    return K_OK; /* the rest goes with the actor */
}

int32_t kn_actor_main(const KnNucleus *n, const KnActorArgs *args, KnActorOps *ops) {
    (void)args;
    ops->instance = (void *)(uintptr_t)n;
    return steps(n);
}
