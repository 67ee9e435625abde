/* virtio-blk-user: the larger half of a split virtio-blk, for a process of its own: it owns the queue and registers the disk. Its
 * registers and interrupts come through virtio-blk-stub, which has acknowledged them already. */
#include "../virtioBlk.h"

DRV_NOTE("virtio-blk-user", "1.0.0");

static int32_t interrupt(void *cookie) { return diskInterrupted(cookie); }

static int32_t init(const DrvServices *s, void **instance) {
    DrvDeviceInfo info = { .size = sizeof info };
    int32_t result = s->deviceInfo(s->self, &info);
    if (result < 0) return result;
    /* The device is DISK-raw. */
    char *end = strrchr(info.name, '-');
    if (end) *end = 0;
    return diskInit(s, instance, interrupt, info.name);
}

static const DrvMatch match[] = { { "virtio-mmio-raw", 2 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "virtio-blk-user", "virtio disks, behind virtio-blk-stub",
                               match, 1, NULL, init, diskUnload, diskEvent };
