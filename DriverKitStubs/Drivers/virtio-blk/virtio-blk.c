/* virtio-blk: disks, in one piece. */
#include "../virtioBlk.h"

DRV_NOTE("virtio-blk", "1.0.0");

static int32_t interrupt(void *cookie) {
    Disk *d = cookie;
    uint32_t bits = d->s->load32(d->s->self, VM_INTERRUPTS);
    if (bits == 0 || bits == ~0u) return BUS_INTR_UNCLAIMED;
    d->s->store32(d->s->self, VM_ACKNOWLEDGE, bits);
    return diskInterrupted(d);
}

static int32_t init(const DrvServices *s, void **instance) {
    DrvDeviceInfo info = { .size = sizeof info };
    int32_t result = s->deviceInfo(s->self, &info);
    /* The device's name in the manifest is the disk's. */
    return result < 0 ? result : diskInit(s, instance, interrupt, info.name);
}

static const DrvMatch match[] = { { "virtio-mmio", 2 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "virtio-blk", "virtio disks",
                               match, 1, NULL, init, diskUnload, diskEvent };
