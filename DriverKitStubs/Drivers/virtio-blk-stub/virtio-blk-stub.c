/* virtio-blk-stub: the smaller half of a split virtio-blk, beside the bus: it attaches the interrupt, reads and acknowledges its cause
 * and turns it into a message to virtio-blk-user, which it gives the device as DISK-raw. It keeps the interrupt registers to
 * itself, so that no other half, nor the death of one, leaves the line raised. */
#include "../virtio.h"
#include <stdio.h>

DRV_NOTE("virtio-blk-stub", "1.0.0");

typedef struct Stub {
    const DrvServices *s;
    const DrvBusServices *bus;
    DrvHandle device, intr;
    DrvDeviceInfo info;
} Stub;

static int32_t interrupt(void *cookie) {
    Stub *b = cookie;
    uint32_t bits = b->s->load32(b->s->self, VM_INTERRUPTS);
    if (bits == 0 || bits == ~0u) return BUS_INTR_UNCLAIMED;
    b->s->store32(b->s->self, VM_ACKNOWLEDGE, bits);
    b->bus->interrupt(b->s->self, b->device);
    return BUS_INTR_CLAIMED;
}

static int32_t busInfo(void *instance, DrvBusInfo *info) {
    Stub *b = instance;
    info->id = b->info.id;
    info->registerSize = b->info.registerSize;
    snprintf(info->model, sizeof info->model, "virtio-mmio-raw");
    return DRV_OK;
}

static int32_t load(void *instance, uint32_t offset, uint32_t width, uint64_t *value) {
    const DrvServices *s = ((Stub *)instance)->s;
    if (offset == VM_INTERRUPTS) *value = 0;
    else if (width == 4) *value = s->load32(s->self, offset);
    else if (width == 8) *value = s->load64(s->self, offset);
    else if (width == 2) *value = s->load16(s->self, offset);
    else *value = s->load8(s->self, offset);
    return DRV_OK;
}

static int32_t store(void *instance, uint32_t offset, uint32_t width, uint64_t value) {
    const DrvServices *s = ((Stub *)instance)->s;
    if (width != 4 || offset == VM_ACKNOWLEDGE) return DRV_EINVAL;
    s->store32(s->self, offset, (uint32_t)value);
    return DRV_OK;
}

static int32_t reset(void *instance) {
    const DrvServices *s = ((Stub *)instance)->s;
    s->store32(s->self, VM_STATUS, 0);
    return DRV_OK;
}

static const DrvBusOps ops = { sizeof ops, busInfo, load, store, reset };

static int32_t unload(void *instance) {
    Stub *b = instance;
    const DrvServices *s = b->s;
    if (b->device) {
        int32_t result = s->deviceUnregister(s->self, b->device);
        if (result < 0) return result;
    }
    s->store32(s->self, VM_STATUS, 0);
    if (b->intr) s->intrDetach(s->self, b->intr);
    s->memFree(s->self, b);
    return DRV_OK;
}

static int32_t init(const DrvServices *s, void **instance) {
    char name[32];
    Stub *b = s->memAlloc(s->self, sizeof *b);
    if (!b) return DRV_ENOMEM;
    b->s = s;
    b->bus = s->query(s->self, "bus", 1);   /* since ABI 1.1 */
    b->info.size = sizeof b->info;
    int32_t result = b->bus ? s->deviceInfo(s->self, &b->info) : DRV_ENOTSUP;
    if (result >= 0 && snprintf(name, sizeof name, "%s-raw", b->info.name) >= (int)sizeof name) result = DRV_ERANGE;
    if (result >= 0 && s->load32(s->self, VM_MAGIC) != 0x74726976) result = DRV_ENODEV;
    if (result >= 0) result = s->intrAttach(s->self, 0, 10, interrupt, b, &b->intr);
    if (result >= 0) result = s->deviceRegister(s->self, DRV_CLASS_BUS, name, &ops, &b->device);
    if (result < 0) unload(b);
    *instance = b;
    return result;
}

static const DrvMatch match[] = { { "virtio-mmio", 2 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "virtio-blk-stub", "interrupts and registers for virtio-blk-user",
                               match, 1, NULL, init, unload, NULL };
