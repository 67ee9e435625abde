/* kept.c: a driver as it was written for ABI 1.0, built from the headers beside it and from nothing newer. Every later version must
 * load it. It uses whatever 1.0 had: /dev/kept answers a number with its factorial and what it saw of the services on the way,
 * /dev/keptdisk is a disk of 256 KiB. */
#include "driver.h"
#include <stdio.h>
#include <string.h>

DRV_NOTE("kept", "1.0.0");

enum { IDENTITY = 0x00, LIVENESS = 0x04, FACTORIAL = 0x08, STATUS = 0x20, INTERRUPTS = 0x24, ACKNOWLEDGE = 0x64,
       DMA_SOURCE = 0x80, DMA_DESTINATION = 0x88, DMA_COUNT = 0x90, DMA_COMMAND = 0x98, BUFFER = 0x40000 };
#define SECTORS 512u

typedef struct Kept {
    const DrvServices *s;
    DrvHandle device, disk, intr, dma, timeout;
    unsigned char *memory, *sectors;
    uint64_t bus;
    uint32_t ticks, value;
    int working;
} Kept;

static void tick(void *cookie) {
    Kept *k = cookie;
    k->timeout = 0;
    k->ticks++;
    k->s->charReady(k->s->self, k->device);
}

static int32_t interrupt(void *cookie) {
    Kept *k = cookie;
    uint32_t bits = k->s->load32(k->s->self, INTERRUPTS);
    if (bits == 0) return BUS_INTR_UNCLAIMED;
    k->s->store32(k->s->self, ACKNOWLEDGE, bits);
    k->value = k->s->load32(k->s->self, FACTORIAL);
    k->working = 0;
    k->s->charReady(k->s->self, k->device);
    return BUS_INTR_CLAIMED;
}

static int copies(Kept *k) {    /* to the device's buffer and back */
    const DrvServices *s = k->s;
    for (int i = 0; i < 4096; i++) k->memory[i] = (unsigned char)(i * 7);
    for (int back = 0; back < 2; back++) {
        s->store64(s->self, DMA_SOURCE, back ? BUFFER : k->bus);
        s->store64(s->self, DMA_DESTINATION, back ? k->bus : BUFFER);
        s->store64(s->self, DMA_COUNT, 4096);
        s->store64(s->self, DMA_COMMAND, back ? 3 : 1);
        if (!back) memset(k->memory, 0, 4096);
    }
    for (int i = 0; i < 4096; i++) if (k->memory[i] != (unsigned char)(i * 7)) return 0;
    return 1;
}

static int32_t readAnswer(void *instance, void *bytes, uint32_t count, uint64_t offset) {
    Kept *k = instance;
    const DrvServices *s = k->s;
    char text[128];
    (void)offset;
    if (k->working || k->ticks == 0) return DRV_EAGAIN;
    DrvDeviceInfo info = { .size = sizeof info };
    if (s->deviceInfo(s->self, &info) < 0) return DRV_EIO;
    s->store32(s->self, LIVENESS, 0x1234);
    int alive = s->load32(s->self, LIVENESS) == ~0x1234u;
    uint64_t before = s->now(s->self);
    s->busyWait(s->self, 1000);
    int size = snprintf(text, sizeof text, "%u %s %s %u-bytes %s %s %s %s\n", k->value, info.model,
                        DRV_HAS(s, query) ? "query" : "-", info.registerSize, alive ? "alive" : "dead",
                        copies(k) ? "copies" : "no-dma", s->now(s->self) - before >= 1000 ? "waits" : "hurries",
                        s->query(s->self, "no such table", 1) == NULL ? "asks" : "?");
    if (size < 0 || (uint32_t)size > count) return DRV_ERANGE;
    memcpy(bytes, text, (size_t)size);
    k->working = 1;
    return size;
}

static int32_t writeNumber(void *instance, const void *bytes, uint32_t count, uint64_t offset) {
    Kept *k = instance;
    (void)offset;
    if (count == 0 || *(const char *)bytes < '0' || *(const char *)bytes > '9') return DRV_EINVAL;
    k->s->intrMask(k->s->self, k->intr);
    k->s->store32(k->s->self, FACTORIAL, (uint32_t)(*(const char *)bytes - '0'));
    k->s->intrUnmask(k->s->self, k->intr);
    if (!k->timeout && k->s->timeoutSet(k->s->self, tick, k, 1000000, &k->timeout) < 0) return DRV_EIO;
    return (int32_t)count;
}

static int32_t geometry(void *instance, DrvBlockGeometry *g) {
    (void)instance;
    g->sectors = SECTORS;
    return DRV_OK;
}

static int32_t submit(void *instance, const DrvBlockRequest *r) {
    Kept *k = instance;
    if (r->op > DRV_BLOCK_WRITE) return DRV_ENOTSUP;
    if (r->sector > SECTORS || r->count > SECTORS - r->sector) return DRV_ERANGE;
    unsigned char *at = k->sectors + r->sector * 512;
    if (r->op == DRV_BLOCK_READ) memcpy(r->data, at, r->count * 512u);
    else memcpy(at, r->data, r->count * 512u);
    k->s->blockDone(k->s->self, r->request, DRV_OK);
    return DRV_OK;
}

static const DrvCharOps ops = { sizeof ops, readAnswer, writeNumber, NULL };
static const DrvBlockOps diskOps = { sizeof diskOps, geometry, submit };

static int32_t unload(void *instance) {
    Kept *k = instance;
    const DrvServices *s = k->s;
    if (k->device && s->deviceUnregister(s->self, k->device) < 0) return DRV_EBUSY;
    k->device = 0;
    if (k->disk && s->deviceUnregister(s->self, k->disk) < 0) return DRV_EBUSY;
    s->store32(s->self, STATUS, 0);
    if (k->timeout) s->timeoutCancel(s->self, k->timeout);
    if (k->intr) s->intrDetach(s->self, k->intr);
    if (k->dma) s->dmaFree(s->self, k->dma);
    s->memFree(s->self, k->sectors);
    s->memFree(s->self, k);
    return DRV_OK;
}

static int32_t probe(const DrvServices *s) {
    return (s->load32(s->self, IDENTITY) & 0xff) == 0xed ? DRV_OK : DRV_ENODEV;
}

static int32_t init(const DrvServices *s, void **instance) {
    void *memory = NULL;
    Kept *k = s->memAlloc(s->self, sizeof *k);
    if (!k) return DRV_ENOMEM;
    *instance = k;
    k->s = s;
    k->working = 1;
    k->sectors = s->memAlloc(s->self, SECTORS * 512);
    int32_t result = k->sectors ? s->dmaAlloc(s->self, 4096, &memory, &k->bus, &k->dma) : DRV_ENOMEM;
    k->memory = memory;
    if (result >= 0) result = s->intrAttach(s->self, 0, 10, interrupt, k, &k->intr);
    if (result >= 0) {
        s->store32(s->self, STATUS, 0x80);
        result = s->deviceRegister(s->self, DRV_CLASS_CHAR, "kept", &ops, &k->device);
    }
    if (result >= 0) result = s->deviceRegister(s->self, DRV_CLASS_BLOCK, "keptdisk", &diskOps, &k->disk);
    if (result < 0) unload(k);
    else s->log(s->self, 2, "here as in 1.0");
    return result;
}

static void event(void *instance, uint32_t event) { (void)instance; (void)event; }

static const DrvMatch match[] = { { "edu", 0 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "kept", "kept since ABI 1.0", match, 1, probe, init,
                               unload, event };
