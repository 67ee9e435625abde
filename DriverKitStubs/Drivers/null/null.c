/* null: the smallest driver there is. No device; a character device that takes everything and has nothing. */
#include "driver.h"

DRV_NOTE("null", "1.0.0");

typedef struct Null { const DrvServices *s; DrvHandle device; } Null;

static int32_t readNothing(void *instance, void *bytes, uint32_t count, uint64_t offset) {
    (void)instance; (void)bytes; (void)count; (void)offset;
    return 0;
}

static int32_t takeAll(void *instance, const void *bytes, uint32_t count, uint64_t offset) {
    (void)instance; (void)bytes; (void)offset;
    return (int32_t)count;
}

static const DrvCharOps ops = { sizeof ops, readNothing, takeAll, NULL };

static int32_t init(const DrvServices *s, void **instance) {
    Null *n = s->memAlloc(s->self, sizeof *n);
    if (!n) return DRV_ENOMEM;
    n->s = s;
    int32_t result = s->deviceRegister(s->self, DRV_CLASS_CHAR, "drvnull", &ops, &n->device);
    if (result < 0) s->memFree(s->self, n);
    *instance = n;
    return result;
}

static int32_t unload(void *instance) {
    Null *n = instance;
    const DrvServices *s = n->s;
    int32_t result = s->deviceUnregister(s->self, n->device);
    if (result < 0) return result;
    s->memFree(s->self, n);
    return DRV_OK;
}

const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "null", "takes everything, has nothing",
                               NULL, 0, NULL, init, unload, NULL };
