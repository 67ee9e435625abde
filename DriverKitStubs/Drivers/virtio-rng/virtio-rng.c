/* virtio-rng: a source of random bytes (VIRTIO 1.2, section 5.4) as /dev/hwrng. */
#include "../virtio.h"

DRV_NOTE("virtio-rng", "1.0.0");

#define SIZE 4096u

typedef struct Random {
    const DrvServices *s;
    DrvHandle device, intr, dma;
    VirtQueue queue;
    unsigned char *bytes;
    uint64_t bus;
    uint32_t have, taken;       /* bytes that came, and that were given out */
    int asked;
} Random;

static void ask(Random *r) {
    VirtBuffer buffer = { r->bus, SIZE, VD_WRITE };
    if (r->asked || virtPut(&r->queue, &buffer, 1) < 0) return;
    r->asked = 1;
    r->have = r->taken = 0;
    r->s->store32(r->s->self, VM_NOTIFY, 0);
}

static void collect(Random *r) {
    uint32_t written;
    if (virtTake(&r->queue, &written) < 0) return;
    r->asked = 0;
    r->have = written < SIZE ? written : SIZE;
    r->taken = 0;
    r->s->charReady(r->s->self, r->device);
}

static int32_t interrupt(void *cookie) {
    Random *r = cookie;
    uint32_t bits = r->s->load32(r->s->self, VM_INTERRUPTS);
    if (bits == 0 || bits == ~0u) return BUS_INTR_UNCLAIMED;
    r->s->store32(r->s->self, VM_ACKNOWLEDGE, bits);
    collect(r);
    return BUS_INTR_CLAIMED;
}

static int32_t readBytes(void *instance, void *bytes, uint32_t count) {
    Random *r = instance;
    if (r->asked) collect(r);   /* a lost interrupt */
    if (r->taken == r->have) {
        ask(r);
        return DRV_EAGAIN;
    }
    if (count > r->have - r->taken) count = r->have - r->taken;
    memcpy(bytes, r->bytes + r->taken, count);
    memset(r->bytes + r->taken, 0, count);      /* given out once */
    r->taken += count;
    return (int32_t)count;
}

static const DrvEntropyOps ops = { sizeof ops, readBytes };

static int32_t unload(void *instance) {
    Random *r = instance;
    const DrvServices *s = r->s;
    if (r->device) {
        int32_t result = s->deviceUnregister(s->self, r->device);
        if (result < 0) return result;
    }
    s->store32(s->self, VM_STATUS, 0);
    if (r->intr) s->intrDetach(s->self, r->intr);
    if (r->queue.dma) s->dmaFree(s->self, r->queue.dma);
    if (r->dma) s->dmaFree(s->self, r->dma);
    s->memFree(s->self, r);
    return DRV_OK;
}

static int32_t init(const DrvServices *s, void **instance) {
    uint32_t accepted;
    void *memory;
    Random *r = s->memAlloc(s->self, sizeof *r);
    if (!r) return DRV_ENOMEM;
    r->s = s;
    int32_t result = virtBegin(s, 0, &accepted);
    if (result >= 0) result = virtQueueMake(&r->queue, s, 0);
    if (result >= 0) result = s->dmaAlloc(s->self, SIZE, &memory, &r->bus, &r->dma);
    if (result >= 0) r->bytes = memory, result = s->intrAttach(s->self, 0, 20, interrupt, r, &r->intr);
    if (result >= 0) {
        virtStart(s);
        result = s->deviceRegister(s->self, DRV_CLASS_ENTROPY, "hwrng", &ops, &r->device);
    }
    if (result < 0) unload(r);
    *instance = r;
    return result;
}

static const DrvMatch match[] = { { "virtio-mmio", 4 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "virtio-rng", "random bytes as /dev/hwrng",
                               match, 1, NULL, init, unload, NULL };
