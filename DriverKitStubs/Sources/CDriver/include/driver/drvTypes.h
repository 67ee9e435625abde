/* drvTypes.h: numbers and names of the driver ABI. */
#ifndef DRV_TYPES_H
#define DRV_TYPES_H
#include <stddef.h>
#include <stdint.h>

#define DRV_ABI_MAJOR 1u
#define DRV_ABI_MINOR 1u

/* Results: DRV_OK or more, or one of these. */
#define DRV_OK 0
#define DRV_EINVAL (-1)     /* bad argument */
#define DRV_ENOMEM (-2)     /* no memory, or over a limit of the instance */
#define DRV_EBUSY (-3)      /* in use */
#define DRV_EIO (-4)        /* the device failed */
#define DRV_ENODEV (-5)     /* no such device, or it is gone; probe: not mine */
#define DRV_ENOTSUP (-6)    /* not provided */
#define DRV_ERANGE (-7)     /* outside the device, or the buffer is too small */
#define DRV_ETIMEOUT (-8)   /* the device did not answer in time */
#define DRV_EROFS (-9)      /* the device cannot be written */
#define DRV_EAGAIN (-10)    /* nothing now */

typedef uint64_t DrvHandle; /* names something of this instance (interrupt, DMA memory, timeout, device); 0 names nothing */

/* What an interrupt handler returns: claimed only if its device really needed service. */
#define BUS_INTR_UNCLAIMED 0
#define BUS_INTR_CLAIMED 1
typedef int32_t (*DrvIntrFn)(void *cookie);
typedef void (*DrvTimeoutFn)(void *cookie);

/* Events (DrvDriver.event). */
#define DRV_EVENT_SHUTDOWN 1u   /* the site ends: quiesce the device, nothing more is asked of it */
#define DRV_EVENT_REMOVAL 2u    /* the device is gone; its registers read as ones, stores are lost */
#define DRV_EVENT_DEFECTIVE 3u  /* its interrupt line was masked: nobody claimed what it raised */

typedef struct DrvDeviceInfo {
    uint32_t size;              /* in: sizeof *info; out: bytes filled in */
    uint32_t id;                /* model's own: the virtio device id; 0 */
    char name[32];              /* the manifest's, such as "disk0" */
    char model[32];             /* what DrvMatch names, such as "virtio-mmio" */
    uint32_t registerSize;      /* bytes of register space */
    uint32_t interrupts;        /* interrupts the device has */
} DrvDeviceInfo;
#endif
