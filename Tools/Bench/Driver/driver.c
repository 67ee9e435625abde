/* The driver of `chorus bench driver`: devices of model edu, which measure themselves (benchDriver.h). */
#include <string.h>
#include "benchDriver.h"
#include "driver.h"

DRV_NOTE("bench", "1.0.0");

enum { IDENTITY = 0x00, LIVENESS = 0x04, RAISE = 0x60, ACKNOWLEDGE = 0x64 };

typedef struct Bench {
    const DrvServices *s;
    DrvHandle device, intr;
    uint64_t wanted, seen, begun, ns;   /* wanted 0: nobody has raised this one */
} Bench;

/* Asks no register: what is measured is the way here and back. */
static int32_t interrupt(void *cookie) {
    Bench *b = cookie;
    if (b->wanted == 0) return BUS_INTR_UNCLAIMED;
    if (b->seen++ == 0 && b->wanted > 1) b->begun = b->s->now(b->s->self);
    if (b->seen < b->wanted) return BUS_INTR_CLAIMED;
    b->ns = b->s->now(b->s->self) - b->begun;
    b->wanted = 0;
    b->s->store32(b->s->self, ACKNOWLEDGE, ~0u);
    return BUS_INTR_CLAIMED;
}

static void begin(Bench *b, uint64_t count) {
    b->wanted = count;
    b->seen = b->ns = 0;
    b->begun = b->s->now(b->s->self);
    b->s->store32(b->s->self, RAISE, 1);
}

static int32_t control(void *instance, uint32_t command, void *data, uint32_t size) {
    Bench *b = instance;
    const DrvServices *s = b->s;
    BenchAnswer *answer = data;
    uint64_t start = s->now(s->self);
    if (size != sizeof *answer) return DRV_EINVAL;
    switch (command) {
    case BENCH_LOAD:
        for (uint64_t i = 0; i < answer->count; i++)
            if ((s->load32(s->self, IDENTITY) & 0xff) != 0xed) return DRV_EIO;
        break;
    case BENCH_STORE:
        for (uint64_t i = 0; i < answer->count; i++) s->store32(s->self, LIVENESS, (uint32_t)i);
        break;
    case BENCH_ROUNDS:
    case BENCH_EDGE:
        if (b->wanted != 0 || answer->count == 0) return DRV_EBUSY;
        begin(b, command == BENCH_EDGE ? 1 : answer->count);
        return DRV_OK;
    case BENCH_RESULT: *answer = (BenchAnswer){ b->seen, b->wanted == 0 ? b->ns : 0 }; return DRV_OK;
    default: return DRV_ENOTSUP;
    }
    answer->ns = s->now(s->self) - start;
    return DRV_OK;
}

static const DrvCharOps ops = { sizeof ops, NULL, NULL, control };

static int32_t unload(void *instance) {
    Bench *b = instance;
    const DrvServices *s = b->s;
    if (b->device) {
        int32_t result = s->deviceUnregister(s->self, b->device);
        if (result < 0) return result;
    }
    if (b->intr) s->intrDetach(s->self, b->intr);
    s->memFree(s->self, b);
    return DRV_OK;
}

static int32_t init(const DrvServices *s, void **instance) {
    DrvDeviceInfo info = { .size = sizeof info };
    char name[64] = "bench-";
    int32_t result = s->deviceInfo(s->self, &info);
    Bench *b = result < 0 ? NULL : s->memAlloc(s->self, sizeof *b);
    if (!b) return result < 0 ? result : DRV_ENOMEM;
    b->s = s;
    strcat(name, info.name);
    result = s->intrAttach(s->self, 0, name[strlen(name) - 1], interrupt, b, &b->intr);
    if (result >= 0) result = s->deviceRegister(s->self, DRV_CLASS_CHAR, name, &ops, &b->device);
    if (result < 0) unload(b);
    *instance = b;
    return result;
}

static const DrvMatch match[] = { { "edu", 0 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "bench", "measures registers and interrupts",
                               match, 1, NULL, init, unload, NULL };
