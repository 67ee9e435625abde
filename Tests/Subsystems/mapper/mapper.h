/* mapper.h: what a program asks of the mapper of the scenario `mapper`, at the static user group of its stamp. */
#ifndef MAPPER_H
#define MAPPER_H
#include "chorus/knTypes.h"

#define MAPPER_STAMP 0x4d415030u    /* the well-behaved one; its options may say another */
#define MAPPER_SIZE (1u << 20)      /* bytes of its one segment */

enum {
    MAP = 1,                        /* the segment into the caller, at `value`, for writing too */
    MODE,                           /* from now on it behaves as `value` says */
    COUNTS,                         /* requests so far: pulled, granted, pushed */
    FLUSH,                          /* takes back all that this site has */
    PEEK, POKE                      /* the byte at `value` of its own memory; POKE sets it to `byte` */
};
enum { GOOD, GARBAGE, LATE, DIES, NEVER };

struct wish {                       /* annex, there and back */
    uint32_t operation;
    int32_t result;
    uint64_t value;
    uint32_t byte, pulled, granted, pushed;
    uint32_t rest[56];
};
_Static_assert(sizeof(struct wish) == K_CMSGANNEXSIZE, "annex");

static inline uint8_t pattern(uint32_t at) { return (uint8_t)(at * 7 + (at >> 9)); }
#endif
