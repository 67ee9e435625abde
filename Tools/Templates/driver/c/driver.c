/* @NAME@: the teaching device "edu" as /dev/@NAME@: write a number in decimal, read its factorial (modulo 2^32). A driver to begin with:
 * change the model, the registers and the class, and test with what `make test` runs. */
#include "driver.h"
#include <string.h>

DRV_NOTE("@NAME@", "0.1.0");

enum { IDENTITY = 0x00, FACTORIAL = 0x08, STATUS = 0x20, INTERRUPTS = 0x24, ACKNOWLEDGE = 0x64 };

/* One device. Calls of an instance never overlap, interrupts included: no lock is needed. None of them may wait. */
typedef struct Device {
    const DrvServices *s;
    DrvHandle device, intr;
    char answer[16];
    uint32_t size, taken;       /* of the answer */
    int working;                /* the device has not answered yet */
} Device;

static void answer(Device *d, uint32_t value) {
    char digits[12];
    int n = 0;
    do digits[n++] = (char)('0' + value % 10); while ((value /= 10) != 0);
    d->size = d->taken = 0;
    while (n > 0) d->answer[d->size++] = digits[--n];
    d->answer[d->size++] = '\n';
}

static int32_t interrupt(void *cookie) {
    Device *d = cookie;
    const DrvServices *s = d->s;
    uint32_t bits = s->load32(s->self, INTERRUPTS);
    if (bits == 0) return BUS_INTR_UNCLAIMED;   /* another device's: lines may be shared */
    s->store32(s->self, ACKNOWLEDGE, bits);
    answer(d, s->load32(s->self, FACTORIAL));
    d->working = 0;
    s->charReady(s->self, d->device);           /* who was told DRV_EAGAIN asks again */
    return BUS_INTR_CLAIMED;
}

static int32_t readIt(void *instance, void *bytes, uint32_t count, uint64_t offset) {
    Device *d = instance;
    (void)offset;
    if (d->working) return DRV_EAGAIN;
    if (count > d->size - d->taken) count = d->size - d->taken;
    memcpy(bytes, d->answer + d->taken, count);
    d->taken += count;
    return (int32_t)count;
}

static int32_t writeIt(void *instance, const void *bytes, uint32_t count, uint64_t offset) {
    Device *d = instance;
    const char *text = bytes;
    uint32_t value = 0, digits = 0;
    (void)offset;
    for (uint32_t i = 0; i < count && text[i] != '\n'; i++, digits++) {
        if (text[i] < '0' || text[i] > '9' || digits > 3) return DRV_EINVAL;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    if (digits == 0) return DRV_EINVAL;
    d->size = d->taken = 0;
    d->working = 1;
    d->s->store32(d->s->self, FACTORIAL, value);
    return (int32_t)count;
}

static const DrvCharOps ops = { sizeof ops, readIt, writeIt, NULL };

/* Is it really one of mine? */
static int32_t probe(const DrvServices *s) {
    return (s->load32(s->self, IDENTITY) & 0xff) == 0xed ? DRV_OK : DRV_ENODEV;
}

/* Also what undoes an init that failed half-way. */
static int32_t unload(void *instance) {
    Device *d = instance;
    const DrvServices *s = d->s;
    if (d->device) {
        int32_t result = s->deviceUnregister(s->self, d->device);
        if (result < 0) return result;          /* DRV_EBUSY: somebody has it open, and nothing was changed */
    }
    s->store32(s->self, STATUS, 0);
    if (d->intr) s->intrDetach(s->self, d->intr);
    s->memFree(s->self, d);
    return DRV_OK;
}

static int32_t init(const DrvServices *s, void **instance) {
    Device *d = s->memAlloc(s->self, sizeof *d);
    if (!d) return DRV_ENOMEM;
    d->s = s;
    int32_t result = s->intrAttach(s->self, 0, 10, interrupt, d, &d->intr);
    if (result >= 0) {
        s->store32(s->self, STATUS, 0x80);      /* an interrupt when a factorial is done */
        result = s->deviceRegister(s->self, DRV_CLASS_CHAR, "@NAME@", &ops, &d->device);
    }
    if (result < 0) unload(d);
    *instance = d;
    return result;
}

static const DrvMatch match[] = { { "edu", 0 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "@NAME@", "the teaching device as /dev/@NAME@",
                               match, 1, probe, init, unload, NULL };
