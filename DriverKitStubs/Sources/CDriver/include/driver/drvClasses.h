/* drvClasses.h: device classes. A driver registers a device with the table of its class (DrvServices.deviceRegister). Tables
 * begin with their size and only grow at the end; members may be NULL where the device cannot. `instance` is what
 * DrvDriver.init left. Calls of one instance never overlap, interrupt handlers and timeouts included. */
#ifndef DRV_CLASSES_H
#define DRV_CLASSES_H
#include "drvTypes.h"

#define DRV_CLASS_BLOCK 1u      /* DrvBlockOps */
#define DRV_CLASS_CHAR 2u       /* DrvCharOps: bytes without a terminal */
#define DRV_CLASS_TTY 3u        /* DrvTtyOps: a serial line; terminals are made of it */
#define DRV_CLASS_NET 4u        /* DrvNetOps */
#define DRV_CLASS_CLOCK 5u      /* DrvClockOps */
#define DRV_CLASS_ENTROPY 6u    /* DrvEntropyOps */
#define DRV_CLASS_BUS 7u        /* since 1.1: DrvBusOps. A device for another driver, which drives it through this one */

/* --- block: sectors of 512 bytes --- */
#define DRV_BLOCK_READ 0u
#define DRV_BLOCK_WRITE 1u
#define DRV_BLOCK_FLUSH 2u
#define DRV_BLOCK_DISCARD 3u

typedef struct DrvBlockRequest {
    uint32_t op;                /* DRV_BLOCK_* */
    uint32_t count;             /* sectors; 0 for a flush */
    uint64_t sector;
    void *data;                 /* count * 512 bytes, 16-byte aligned; valid until blockDone. NULL: flush, discard */
    DrvHandle request;          /* for blockDone */
} DrvBlockRequest;

typedef struct DrvBlockGeometry {
    uint32_t size;
    uint32_t flags;             /* DRV_BLOCK_READONLY */
    uint64_t sectors;
    uint32_t maxSectors;        /* of one request; 0: any number */
    uint32_t depth;             /* requests at a time; 0: one */
} DrvBlockGeometry;
#define DRV_BLOCK_READONLY 1u

typedef struct DrvBlockOps {
    uint32_t size;
    int32_t (*geometry)(void *instance, DrvBlockGeometry *geometry);
    /* DRV_OK: blockDone follows, now or later, once. Less: it was not taken. */
    int32_t (*submit)(void *instance, const DrvBlockRequest *request);
} DrvBlockOps;

/* --- char --- */
typedef struct DrvCharOps {
    uint32_t size;
    /* Bytes moved, DRV_EAGAIN (then charReady when it is worth asking again), or an error. */
    int32_t (*read)(void *instance, void *bytes, uint32_t count, uint64_t offset);
    int32_t (*write)(void *instance, const void *bytes, uint32_t count, uint64_t offset);
    /* `data`: size bytes in and out (the size that _IOC_SIZE of the command says). */
    int32_t (*control)(void *instance, uint32_t command, void *data, uint32_t size);
} DrvCharOps;

/* --- tty: input arrives by DrvServices.ttyInput --- */
typedef struct DrvTtyOps {
    uint32_t size;
    /* How many bytes the line took: fewer, and ttyReady when there is room again. */
    int32_t (*output)(void *instance, const void *bytes, uint32_t count);
    int32_t (*settings)(void *instance, uint32_t baud, uint32_t cflag); /* termios(3) c_cflag */
    int32_t (*window)(void *instance, uint16_t *rows, uint16_t *columns); /* its size, where the line has a window */
    int32_t (*pending)(void *instance);                     /* bytes taken that are not on the line yet; then ttyReady when all are */
    int32_t (*modem)(void *instance, uint32_t set, uint32_t clear); /* TIOCM_* of ioctl_tty(2): changes them; all, as they are now */
    int32_t (*sendBreak)(void *instance, uint32_t on);
} DrvTtyOps;

/* What comes among the input without being a byte of it (DrvServices.ttyMark); DRV_MARK_* of mix/mixDriver.h. */
#define DRV_TTY_BREAK 1u        /* value 0 */
#define DRV_TTY_ERROR 2u        /* value: a byte with a wrong parity or frame */
#define DRV_TTY_MODEM 3u        /* value: TIOCM_CTS, _CAR, _RNG, _DSR as they are now */

/* --- net: Ethernet frames without FCS; input arrives by DrvServices.netInput --- */
typedef struct DrvNetInfo {
    uint32_t size;
    uint8_t address[6];
    uint16_t mtu;
    uint32_t flags;             /* DRV_NET_UP. Behind the 12 bytes that were first: look at `size` before writing it */
} DrvNetInfo;
#define DRV_NET_UP 1u           /* there is a far end; charReady when that changes */
typedef struct DrvNetOps {
    uint32_t size;
    int32_t (*info)(void *instance, DrvNetInfo *info);
    /* DRV_OK, or DRV_EAGAIN while the ring is full: then charReady when it is worth asking again. */
    int32_t (*send)(void *instance, const void *frame, uint32_t count);
} DrvNetOps;

/* --- clock --- */
typedef struct DrvClockOps {
    uint32_t size;
    int32_t (*get)(void *instance, int64_t *seconds);   /* since 1970-01-01 00:00 UTC */
    int32_t (*set)(void *instance, int64_t seconds);
} DrvClockOps;

/* --- entropy --- */
typedef struct DrvEntropyOps {
    uint32_t size;
    int32_t (*read)(void *instance, void *bytes, uint32_t count);   /* bytes put, or DRV_EAGAIN and charReady later */
} DrvEntropyOps;

/* --- bus, since ABI 1.1: raw access to a device by another driver, the other half of a split one. That driver matches the
 * model and the id, may live in a process of its own, and has the usual services: registers go through `load` and `store`, its
 * DMA memory is the device's, its interrupt handlers run when DrvBusServices.interrupt says so. This driver is not in its way
 * otherwise, and stays in order when it dies. Not for drivers in processes of their own. --- */
typedef struct DrvBusInfo { uint32_t size; uint32_t id; char model[32]; uint32_t registerSize; } DrvBusInfo;
typedef struct DrvBusOps {
    uint32_t size;
    int32_t (*info)(void *instance, DrvBusInfo *info);
    /* width: 1, 2, 4 or 8 bytes, at a multiple of it inside registerSize. */
    int32_t (*load)(void *instance, uint32_t offset, uint32_t width, uint64_t *value);
    int32_t (*store)(void *instance, uint32_t offset, uint32_t width, uint64_t value);
    int32_t (*reset)(void *instance);   /* the other half is gone: the device must not reach its memory any more */
} DrvBusOps;

/* DrvServices.query("bus", 1): the other half's interrupt handlers are called, some time after the driver has returned. Several
 * may become one. They are told by message where they live in another process: nobody waits for them. */
typedef struct DrvBusServices {
    uint32_t size;
    void (*interrupt)(void *self, DrvHandle device);
} DrvBusServices;
#endif
