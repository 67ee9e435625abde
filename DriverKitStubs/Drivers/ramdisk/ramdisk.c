/* ramdisk: a disk of 16 MiB in the driver's own memory. Requests are done before submit returns. */
#include "driver.h"
#include <string.h>

DRV_NOTE("ramdisk", "1.0.0");

#define SECTORS (32u << 10)

typedef struct Ramdisk { const DrvServices *s; DrvHandle device; unsigned char *data; } Ramdisk;

static int32_t geometry(void *instance, DrvBlockGeometry *g) {
    (void)instance;
    g->sectors = SECTORS;
    return DRV_OK;
}

static int32_t submit(void *instance, const DrvBlockRequest *r) {
    Ramdisk *d = instance;
    if (r->sector > SECTORS || r->count > SECTORS - r->sector) return DRV_ERANGE;
    unsigned char *at = d->data + r->sector * 512;
    size_t size = (size_t)r->count * 512;
    switch (r->op) {
    case DRV_BLOCK_READ: memcpy(r->data, at, size); break;
    case DRV_BLOCK_WRITE: memcpy(at, r->data, size); break;
    case DRV_BLOCK_FLUSH: break;
    case DRV_BLOCK_DISCARD: memset(at, 0, size); break;
    default: return DRV_ENOTSUP;
    }
    d->s->blockDone(d->s->self, r->request, DRV_OK);
    return DRV_OK;
}

static const DrvBlockOps ops = { sizeof ops, geometry, submit };

static int32_t init(const DrvServices *s, void **instance) {
    Ramdisk *d = s->memAlloc(s->self, sizeof *d);
    if (!d) return DRV_ENOMEM;
    d->s = s;
    d->data = s->memAlloc(s->self, SECTORS * 512u);
    int32_t result = d->data ? s->deviceRegister(s->self, DRV_CLASS_BLOCK, "ram0", &ops, &d->device) : DRV_ENOMEM;
    if (result < 0) {
        s->memFree(s->self, d->data);
        s->memFree(s->self, d);
    }
    *instance = d;
    return result;
}

static int32_t unload(void *instance) {
    Ramdisk *d = instance;
    const DrvServices *s = d->s;
    int32_t result = s->deviceUnregister(s->self, d->device);
    if (result < 0) return result;
    s->memFree(s->self, d->data);
    s->memFree(s->self, d);
    return DRV_OK;
}

const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "ramdisk", "16 MiB of memory as /dev/ram0",
                               NULL, 0, NULL, init, unload, NULL };
