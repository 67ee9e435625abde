/* drvServices.h: what a driver may call. A table that its instance receives; it only grows at the end, so a driver that wants a
 * newer member asks DRV_HAS first. `self` goes first into every call. Callable from every entry of the driver. */
#ifndef DRV_SERVICES_H
#define DRV_SERVICES_H
#include "drvTypes.h"

typedef struct DrvServices {
    uint32_t size;
    uint16_t abiMajor, abiMinor;
    void *self;
    void (*log)(void *self, int32_t level, const char *text);   /* 0 error, 1 warning, 2 notice, 3 detail */

    /* Memory, zeroed, 16-byte aligned; NULL over the instance's limit. What is left at unload is freed and reported. */
    void *(*memAlloc)(void *self, size_t size);
    void (*memFree)(void *self, void *memory);

    uint64_t (*now)(void *self);                                /* nanoseconds, monotonic */
    void (*busyWait)(void *self, uint32_t nanoseconds);         /* at most 1,000,000 */
    int32_t (*timeoutSet)(void *self, DrvTimeoutFn fn, void *cookie, uint64_t nanoseconds, DrvHandle *timeout);
    int32_t (*timeoutCancel)(void *self, DrvHandle timeout);    /* DRV_EINVAL: it has run, or is about to */

    /* The device of the instance; DRV_ENODEV for drivers without one. */
    int32_t (*deviceInfo)(void *self, DrvDeviceInfo *info);
    /* Registers, by load and store of their width at an offset; all ones where there is none. */
    uint8_t (*load8)(void *self, uint32_t offset);
    uint16_t (*load16)(void *self, uint32_t offset);
    uint32_t (*load32)(void *self, uint32_t offset);
    uint64_t (*load64)(void *self, uint32_t offset);
    void (*store8)(void *self, uint32_t offset, uint8_t value);
    void (*store16)(void *self, uint32_t offset, uint16_t value);
    void (*store32)(void *self, uint32_t offset, uint32_t value);
    void (*store64)(void *self, uint32_t offset, uint64_t value);

    /* Handlers of a shared line are asked by priority, best (0) first, until one claims. */
    int32_t (*intrAttach)(void *self, uint32_t index, int32_t priority, DrvIntrFn handler, void *cookie, DrvHandle *intr);
    int32_t (*intrDetach)(void *self, DrvHandle intr);
    int32_t (*intrMask)(void *self, DrvHandle intr);            /* counts; of this handler alone */
    int32_t (*intrUnmask)(void *self, DrvHandle intr);

    /* Memory that the device sees at `bus`, zeroed, page-aligned. The device reaches nothing else of this process. */
    int32_t (*dmaAlloc)(void *self, size_t size, void **memory, uint64_t *bus, DrvHandle *dma);
    int32_t (*dmaFree)(void *self, DrvHandle dma);

    /* A device for others to use, under /dev where a Device Manager runs. `ops`: the table of `class_` (drvClasses.h); it and
     * the instance must stay until unload. name: up to 31 of letters, digits and '-'. */
    int32_t (*deviceRegister)(void *self, uint32_t class_, const char *name, const void *ops, DrvHandle *device);
    /* DRV_EBUSY while it is open. */
    int32_t (*deviceUnregister)(void *self, DrvHandle device);

    void (*blockDone)(void *self, DrvHandle request, int32_t status);       /* DRV_OK or an error; once a request */
    void (*charReady)(void *self, DrvHandle device);                        /* worth asking again */
    uint32_t (*ttyInput)(void *self, DrvHandle device, const void *bytes, uint32_t count);  /* how many were taken */
    void (*ttyReady)(void *self, DrvHandle device);                         /* room for output */
    void (*netInput)(void *self, DrvHandle device, const void *frame, uint32_t count);

    /* A table by name and version that came after this header; NULL where there is none. */
    const void *(*query)(void *self, const char *name, uint32_t version);

    void (*ttyMark)(void *self, DrvHandle device, uint32_t kind, uint32_t value);   /* DRV_TTY_*, where it stands in the input */
} DrvServices;

#define DRV_HAS(table, member) ((table)->size >= offsetof(DrvServices, member) + sizeof (table)->member)
#endif
