/* services.c: the table that a driver gets. Its pointers are followed here, with the fence up, and nowhere else: a bad one is
 * the driver's own fault. Behind `DOWN` our code runs, which must not be unwound. */
#define _GNU_SOURCE
#include "guard.h"
#include <string.h>
#include <time.h>

/* Nobody calls a service outside a call into the driver: a thread that it left behind gets nothing. */
#define SELF(otherwise_) \
    DrvGuard *g = drv_current; \
    (void)self; \
    if (!g || !g->armed) return otherwise_; \
    const DrvCalls *calls = g->self->calls; \
    void *owner = g->self->owner
#define DOWN(...) do { g->armed = 0; __VA_ARGS__; g->armed = 1; } while (0)

static void log_(void *self, int32_t level, const char *text) {
    char line[256];
    SELF();
    strncpy(line, text ? text : "", sizeof line - 1);
    line[sizeof line - 1] = 0;
    DOWN(calls->log(owner, level, line));
}

static void *memAlloc(void *self, size_t size) {
    void *memory;
    SELF(NULL);
    DOWN(memory = calls->memAlloc(owner, size));
    return memory;
}

static void memFree(void *self, void *memory) {
    SELF();
    if (memory) DOWN(calls->memFree(owner, memory));
}

static uint64_t now(void *self) {
    struct timespec t;
    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void busyWait(void *self, uint32_t nanoseconds) {
    uint64_t end = now(self) + (nanoseconds > 1000000 ? 1000000 : nanoseconds);
    while (now(self) < end) __builtin_ia32_pause();
}

static int32_t timeoutSet(void *self, DrvTimeoutFn fn, void *cookie, uint64_t nanoseconds, DrvHandle *timeout) {
    DrvHandle made = 0;
    int32_t result;
    SELF(DRV_EINVAL);
    if (!fn || !timeout) return DRV_EINVAL;
    DOWN(result = calls->timeoutSet(owner, fn, cookie, nanoseconds, &made));
    if (result >= 0) *timeout = made;
    return result;
}

static int32_t timeoutCancel(void *self, DrvHandle timeout) {
    int32_t result;
    SELF(DRV_EINVAL);
    DOWN(result = calls->timeoutCancel(owner, timeout));
    return result;
}

static int32_t deviceInfo(void *self, DrvDeviceInfo *info) {
    DrvDeviceInfo made = { .size = sizeof made };
    int32_t result;
    SELF(DRV_EINVAL);
    if (!info || info->size < 8) return DRV_EINVAL;
    DOWN(result = calls->deviceInfo(owner, &made));
    if (result >= 0) {
        made.size = info->size < sizeof made ? info->size : sizeof made;
        memcpy(info, &made, made.size);
    }
    return result;
}

#define REGISTER(width_, type_) \
    static type_ load##width_(void *self, uint32_t offset) { \
        uint64_t value; \
        SELF((type_)~(type_)0); \
        DOWN(value = calls->load(owner, offset, width_ / 8)); \
        return (type_)value; \
    } \
    static void store##width_(void *self, uint32_t offset, type_ value) { \
        SELF(); \
        DOWN(calls->store(owner, offset, width_ / 8, value)); \
    }
REGISTER(8, uint8_t)
REGISTER(16, uint16_t)
REGISTER(32, uint32_t)
REGISTER(64, uint64_t)

static int32_t intrAttach(void *self, uint32_t index, int32_t priority, DrvIntrFn handler, void *cookie, DrvHandle *intr) {
    DrvHandle made = 0;
    int32_t result;
    SELF(DRV_EINVAL);
    if (!handler || !intr) return DRV_EINVAL;
    DOWN(result = calls->intrAttach(owner, index, priority, handler, cookie, &made));
    if (result >= 0) *intr = made;
    return result;
}

static int32_t intrDetach(void *self, DrvHandle intr) {
    int32_t result;
    SELF(DRV_EINVAL);
    DOWN(result = calls->intrDetach(owner, intr));
    return result;
}

static int32_t mask(void *self, DrvHandle intr, int32_t masked) {
    int32_t result;
    SELF(DRV_EINVAL);
    DOWN(result = calls->intrMask(owner, intr, masked));
    return result;
}
static int32_t intrMask(void *self, DrvHandle intr) { return mask(self, intr, 1); }
static int32_t intrUnmask(void *self, DrvHandle intr) { return mask(self, intr, 0); }

static int32_t dmaAlloc(void *self, size_t size, void **memory, uint64_t *bus, DrvHandle *dma) {
    void *madeMemory = NULL;
    uint64_t madeBus = 0;
    DrvHandle made = 0;
    int32_t result;
    SELF(DRV_EINVAL);
    if (!memory || !bus || !dma) return DRV_EINVAL;
    DOWN(result = calls->dmaAlloc(owner, size, &madeMemory, &madeBus, &made));
    if (result >= 0) *memory = madeMemory, *bus = madeBus, *dma = made;
    return result;
}

static int32_t dmaFree(void *self, DrvHandle dma) {
    int32_t result;
    SELF(DRV_EINVAL);
    DOWN(result = calls->dmaFree(owner, dma));
    return result;
}

static int32_t deviceRegister(void *self, uint32_t class_, const char *name, const void *ops, DrvHandle *device) {
    char copy[32];
    DrvHandle made = 0;
    int32_t result;
    SELF(DRV_EINVAL);
    if (!name || !ops || !device || strnlen(name, sizeof copy) == sizeof copy) return DRV_EINVAL;
    strcpy(copy, name);
    DOWN(result = calls->deviceRegister(owner, class_, copy, ops, &made));
    if (result >= 0) *device = made;
    return result;
}

static int32_t deviceUnregister(void *self, DrvHandle device) {
    int32_t result;
    SELF(DRV_EINVAL);
    DOWN(result = calls->deviceUnregister(owner, device));
    return result;
}

static void blockDone(void *self, DrvHandle request, int32_t status) {
    SELF();
    DOWN(calls->blockDone(owner, request, status));
}

static void ready(void *self, DrvHandle device) {
    SELF();
    DOWN(calls->ready(owner, device));
}

static uint32_t ttyInput(void *self, DrvHandle device, const void *bytes, uint32_t count) {
    char copy[256];
    uint32_t done = 0;
    SELF(0);
    while (done < count) {
        uint32_t part = count - done < sizeof copy ? count - done : (uint32_t)sizeof copy, taken;
        memcpy(copy, (const char *)bytes + done, part);
        DOWN(taken = calls->ttyInput(owner, device, copy, part));
        done += taken;
        if (taken < part) break;
    }
    return done;
}

static void ttyMark(void *self, DrvHandle device, uint32_t kind, uint32_t value) {
    SELF();
    DOWN(calls->ttyMark(owner, device, kind, value));
}

static void netInput(void *self, DrvHandle device, const void *frame, uint32_t count) {
    char copy[2048];
    SELF();
    if (count > sizeof copy) return;
    memcpy(copy, frame, count);
    DOWN(calls->netInput(owner, device, copy, count));
}

static void busInterrupt(void *self, DrvHandle device) {
    SELF();
    if (calls->busInterrupt) DOWN(calls->busInterrupt(owner, device));
}
static const DrvBusServices busServices = { sizeof busServices, busInterrupt };

static const void *query(void *self, const char *name, uint32_t version) {
    (void)self;
    return name && version == 1 && strcmp(name, "bus") == 0 ? &busServices : NULL;
}

void drv_self_init(DrvSelf *self, const DrvCalls *calls, void *owner, uint64_t budget) {
    *self = (DrvSelf){
        .services = {
            .size = sizeof(DrvServices), .abiMajor = DRV_ABI_MAJOR, .abiMinor = DRV_ABI_MINOR, .self = self, .log = log_,
            .memAlloc = memAlloc, .memFree = memFree, .now = now, .busyWait = busyWait, .timeoutSet = timeoutSet,
            .timeoutCancel = timeoutCancel, .deviceInfo = deviceInfo, .load8 = load8, .load16 = load16, .load32 = load32,
            .load64 = load64, .store8 = store8, .store16 = store16, .store32 = store32, .store64 = store64,
            .intrAttach = intrAttach, .intrDetach = intrDetach, .intrMask = intrMask, .intrUnmask = intrUnmask,
            .dmaAlloc = dmaAlloc, .dmaFree = dmaFree, .deviceRegister = deviceRegister,
            .deviceUnregister = deviceUnregister, .blockDone = blockDone, .charReady = ready, .ttyInput = ttyInput,
            .ttyReady = ready, .netInput = netInput, .query = query, .ttyMark = ttyMark,
        },
        .calls = calls, .owner = owner, .textStart = 0, .textEnd = 0, .budget = budget, .stack = 0,
    };
}
