/* chorus-ipc.h: what the server and the client of the scenario chorus-ipc say to each other. */
#ifndef CHORUS_IPC_H
#define CHORUS_IPC_H
#include "check.h"
#include "chorus-user.h"

enum { ECHO, WHO, SUM, HOLD, HELD, RELEASE, COUNT, TAKE };

struct annex {                  /* K_CMSGANNEXSIZE bytes */
    uint32_t operation;
    int32_t value;
    KnUniqueId port;            /* of a client that wants to be told */
    uint32_t rest[60];
};
_Static_assert(sizeof(struct annex) == K_CMSGANNEXSIZE, "annex");

__attribute__((unused)) static uint32_t sumOf(const uint8_t *bytes, uint32_t size) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < size; i++) sum = sum * 31 + bytes[i];
    return sum;
}
#endif
