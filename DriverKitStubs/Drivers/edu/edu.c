/* edu: the teaching device. /dev/edu: write a number in decimal, read its factorial (modulo 2^32); EDU_COPY sends 4096 bytes to
 * the device's buffer and back by DMA. docs/drivers.md walks through this file. */
#include "driver.h"
#include <string.h>

DRV_NOTE("edu", "1.0.0");

enum { IDENTITY = 0x00, LIVENESS = 0x04, FACTORIAL = 0x08, STATUS = 0x20, INTERRUPTS = 0x24, ACKNOWLEDGE = 0x64,
       DMA_SOURCE = 0x80, DMA_DESTINATION = 0x88, DMA_COUNT = 0x90, DMA_COMMAND = 0x98, BUFFER = 0x40000 };
#define EDU_COPY 0xd0004501u    /* _IOWR('E', 1, char[4096]) */
#define LOOK_AGAIN 10000000u    /* nanoseconds until the device is looked at without an interrupt */

typedef struct Edu {
    const DrvServices *s;
    DrvHandle device, intr, dma, timeout;
    void *memory;
    uint64_t bus;
    char answer[16];
    uint32_t size, taken;       /* of the answer */
    int working;                /* the device has not answered yet */
} Edu;

static int32_t interrupt(void *cookie) {
    Edu *e = cookie;
    uint32_t bits = e->s->load32(e->s->self, INTERRUPTS);
    if (bits == 0 || bits == ~0u) return BUS_INTR_UNCLAIMED;     /* another's, on a shared line; or the device is gone */
    e->s->store32(e->s->self, ACKNOWLEDGE, bits);
    if (bits & 1) {
        uint32_t value = e->s->load32(e->s->self, FACTORIAL);
        char digits[16];
        int n = 0;
        do digits[n++] = (char)('0' + value % 10); while ((value /= 10) != 0);
        e->size = 0;
        while (n > 0) e->answer[e->size++] = digits[--n];
        e->answer[e->size++] = '\n';
        e->taken = 0;
        e->working = 0;
        e->s->charReady(e->s->self, e->device);
    }
    return BUS_INTR_CLAIMED;
}

/* An interrupt that was lost, or whose line is masked, costs time and not the answer. */
static void lookAgain(void *cookie) {
    Edu *e = cookie;
    e->timeout = 0;
    interrupt(e);
    if (e->working) e->s->timeoutSet(e->s->self, lookAgain, e, LOOK_AGAIN, &e->timeout);
}

static int32_t readAnswer(void *instance, void *bytes, uint32_t count, uint64_t offset) {
    Edu *e = instance;
    (void)offset;
    if (e->working) return DRV_EAGAIN;          /* charReady follows */
    uint32_t left = e->size - e->taken;
    if (count > left) count = left;
    memcpy(bytes, e->answer + e->taken, count);
    e->taken += count;
    return (int32_t)count;
}

static int32_t writeNumber(void *instance, const void *bytes, uint32_t count, uint64_t offset) {
    Edu *e = instance;
    const char *text = bytes;
    uint32_t value = 0, digits = 0;
    (void)offset;
    for (uint32_t i = 0; i < count && text[i] != '\n'; i++, digits++) {
        if (text[i] < '0' || text[i] > '9' || digits > 3) return DRV_EINVAL;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    if (digits == 0) return DRV_EINVAL;
    e->size = e->taken = 0;
    e->working = 1;
    e->s->store32(e->s->self, FACTORIAL, value);
    if (!e->timeout) e->s->timeoutSet(e->s->self, lookAgain, e, LOOK_AGAIN, &e->timeout);
    return (int32_t)count;
}

static int32_t transfer(Edu *e, uint64_t source, uint64_t destination, uint64_t command) {
    e->s->store64(e->s->self, DMA_SOURCE, source);
    e->s->store64(e->s->self, DMA_DESTINATION, destination);
    e->s->store64(e->s->self, DMA_COUNT, 4096);
    e->s->store64(e->s->self, DMA_COMMAND, command);
    for (int i = 0; i < 100; i++) {             /* bounded: a device that never ends is not waited for */
        if (!(e->s->load64(e->s->self, DMA_COMMAND) & 1)) return DRV_OK;
        e->s->busyWait(e->s->self, 10000);
    }
    return DRV_EIO;
}

static int32_t control(void *instance, uint32_t command, void *data, uint32_t size) {
    Edu *e = instance;
    if (command != EDU_COPY) return DRV_ENOTSUP;
    if (size != 4096) return DRV_EINVAL;
    memcpy(e->memory, data, 4096);
    int32_t result = transfer(e, e->bus, BUFFER, 1);                            /* to the device */
    memset(e->memory, 0, 4096);
    if (result >= 0) result = transfer(e, BUFFER, e->bus, 1 | 2);               /* and back */
    if (result >= 0) memcpy(data, e->memory, 4096);
    return result;
}

static const DrvCharOps ops = { sizeof ops, readAnswer, writeNumber, control };

static int32_t probe(const DrvServices *s) {
    return (s->load32(s->self, IDENTITY) & 0xff) == 0xed ? DRV_OK : DRV_ENODEV;
}

static int32_t unload(void *instance) {
    Edu *e = instance;
    const DrvServices *s = e->s;
    if (e->device) {
        int32_t result = s->deviceUnregister(s->self, e->device);
        if (result < 0) return result;
    }
    s->store32(s->self, STATUS, 0);
    if (e->timeout) s->timeoutCancel(s->self, e->timeout);
    if (e->intr) s->intrDetach(s->self, e->intr);
    if (e->dma) s->dmaFree(s->self, e->dma);
    s->memFree(s->self, e);
    return DRV_OK;
}

static int32_t init(const DrvServices *s, void **instance) {
    Edu *e = s->memAlloc(s->self, sizeof *e);
    if (!e) return DRV_ENOMEM;
    e->s = s;
    int32_t result = s->dmaAlloc(s->self, 4096, &e->memory, &e->bus, &e->dma);
    if (result >= 0) result = s->intrAttach(s->self, 0, 10, interrupt, e, &e->intr);
    if (result >= 0) {
        s->store32(s->self, STATUS, 0x80);      /* an interrupt when a factorial is done */
        result = s->deviceRegister(s->self, DRV_CLASS_CHAR, "edu", &ops, &e->device);
    }
    if (result < 0) unload(e);
    *instance = e;
    return result;
}

static const DrvMatch match[] = { { "edu", 0 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "edu", "the teaching device as /dev/edu",
                               match, 1, probe, init, unload, NULL };
