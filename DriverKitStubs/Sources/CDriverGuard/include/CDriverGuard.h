/* CDriverGuard.h: calls into drivers, and drivers' calls back, with the fence between them. In C, because a fault of a driver
 * is unwound by siglongjmp, which must never jump over Swift: a call is armed while the driver's code runs and disarmed while
 * a service of ours does. */
#ifndef C_DRIVER_GUARD_H
#define C_DRIVER_GUARD_H
#define DRV_FRAMEWORK 1
#include "driver.h"

/* The services, as the framework gives them: the driver's structures are copied before and after, `owner` is told from the
 * call that is being made and never from what the driver says. */
typedef struct DrvCalls {
    void (*log)(void *owner, int32_t level, const char *text);
    void *(*memAlloc)(void *owner, size_t size);
    void (*memFree)(void *owner, void *memory);
    int32_t (*timeoutSet)(void *owner, DrvTimeoutFn fn, void *cookie, uint64_t nanoseconds, DrvHandle *timeout);
    int32_t (*timeoutCancel)(void *owner, DrvHandle timeout);
    int32_t (*deviceInfo)(void *owner, DrvDeviceInfo *info);
    uint64_t (*load)(void *owner, uint32_t offset, uint32_t width);
    void (*store)(void *owner, uint32_t offset, uint32_t width, uint64_t value);
    int32_t (*intrAttach)(void *owner, uint32_t index, int32_t priority, DrvIntrFn handler, void *cookie, DrvHandle *intr);
    int32_t (*intrDetach)(void *owner, DrvHandle intr);
    int32_t (*intrMask)(void *owner, DrvHandle intr, int32_t masked);
    int32_t (*dmaAlloc)(void *owner, size_t size, void **memory, uint64_t *bus, DrvHandle *dma);
    int32_t (*dmaFree)(void *owner, DrvHandle dma);
    int32_t (*deviceRegister)(void *owner, uint32_t class_, const char *name, const void *ops, DrvHandle *device);
    int32_t (*deviceUnregister)(void *owner, DrvHandle device);
    void (*blockDone)(void *owner, DrvHandle request, int32_t status);
    void (*ready)(void *owner, DrvHandle device);
    uint32_t (*ttyInput)(void *owner, DrvHandle device, const void *bytes, uint32_t count);
    void (*netInput)(void *owner, DrvHandle device, const void *frame, uint32_t count);
    void (*ttyMark)(void *owner, DrvHandle device, uint32_t kind, uint32_t value);
    void (*busInterrupt)(void *owner, DrvHandle device);
} DrvCalls;

/* An instance as the fence sees it. */
typedef struct DrvSelf {
    DrvServices services;       /* what the driver gets; services.self is this */
    const DrvCalls *calls;
    void *owner;
    uintptr_t textStart, textEnd;   /* the driver's code */
    uint64_t budget;            /* nanoseconds that one call may take */
    uintptr_t stack;            /* where the stack that its calls run on ends; 0: the caller's */
    int32_t isElsewhere;        /* the driver's code is in another process: what is called are messages to it */
} DrvSelf;

typedef struct DrvFault {
    int32_t signal;             /* 0: none; DRV_LATE: it took too long and was cut off */
    uintptr_t address, pc;
} DrvFault;
#define DRV_LATE (-1)

/* Fills in `self->services`. */
void drv_self_init(DrvSelf *self, const DrvCalls *calls, void *owner, uint64_t budget);

/* A stack of its own for all its calls. Not freed after a fault: it stays as it is. */
int32_t drv_stack_make(DrvSelf *self);
void drv_stack_free(DrvSelf *self);

/* Calls of a driver; DRV_EIO and a fault where it did not come back by itself. */
int32_t drv_call_probe(DrvSelf *self, int32_t (*fn)(const DrvServices *), DrvFault *fault);
int32_t drv_call_init(DrvSelf *self, int32_t (*fn)(const DrvServices *, void **), void **instance, DrvFault *fault);
int32_t drv_call_unload(DrvSelf *self, int32_t (*fn)(void *), void *instance, DrvFault *fault);
int32_t drv_call_event(DrvSelf *self, void (*fn)(void *, uint32_t), void *instance, uint32_t event, DrvFault *fault);
int32_t drv_call_interrupt(DrvSelf *self, DrvIntrFn fn, void *cookie, DrvFault *fault);
int32_t drv_call_timeout(DrvSelf *self, DrvTimeoutFn fn, void *cookie, DrvFault *fault);
int32_t drv_call_geometry(DrvSelf *self, const DrvBlockOps *ops, void *instance, DrvBlockGeometry *out, DrvFault *fault);
int32_t drv_call_submit(DrvSelf *self, const DrvBlockOps *ops, void *instance, const DrvBlockRequest *request, DrvFault *fault);
int32_t drv_call_read(DrvSelf *self, const DrvCharOps *ops, void *instance, void *bytes, uint32_t count, uint64_t offset, DrvFault *fault);
int32_t drv_call_write(DrvSelf *self, const DrvCharOps *ops, void *instance, const void *bytes, uint32_t count, uint64_t offset, DrvFault *fault);
int32_t drv_call_control(DrvSelf *self, const DrvCharOps *ops, void *instance, uint32_t command, void *data, uint32_t size, DrvFault *fault);
int32_t drv_call_output(DrvSelf *self, const DrvTtyOps *ops, void *instance, const void *bytes, uint32_t count, DrvFault *fault);
int32_t drv_call_settings(DrvSelf *self, const DrvTtyOps *ops, void *instance, uint32_t baud, uint32_t cflag, DrvFault *fault);
int32_t drv_call_window(DrvSelf *self, const DrvTtyOps *ops, void *instance, uint16_t *rows, uint16_t *columns, DrvFault *fault);
int32_t drv_call_pending(DrvSelf *self, const DrvTtyOps *ops, void *instance, DrvFault *fault);
int32_t drv_call_modem(DrvSelf *self, const DrvTtyOps *ops, void *instance, uint32_t set, uint32_t clear, DrvFault *fault);
int32_t drv_call_break(DrvSelf *self, const DrvTtyOps *ops, void *instance, uint32_t on, DrvFault *fault);
int32_t drv_call_net_info(DrvSelf *self, const DrvNetOps *ops, void *instance, DrvNetInfo *info, DrvFault *fault);
int32_t drv_call_send(DrvSelf *self, const DrvNetOps *ops, void *instance, const void *frame, uint32_t count, DrvFault *fault);
int32_t drv_call_clock_get(DrvSelf *self, const DrvClockOps *ops, void *instance, int64_t *seconds, DrvFault *fault);
int32_t drv_call_clock_set(DrvSelf *self, const DrvClockOps *ops, void *instance, int64_t seconds, DrvFault *fault);
int32_t drv_call_entropy(DrvSelf *self, const DrvEntropyOps *ops, void *instance, void *bytes, uint32_t count, DrvFault *fault);

int32_t drv_call_bus_info(DrvSelf *self, const DrvBusOps *ops, void *instance, DrvBusInfo *info, DrvFault *fault);
int32_t drv_call_bus_load(DrvSelf *self, const DrvBusOps *ops, void *instance, uint32_t offset, uint32_t width, uint64_t *value, DrvFault *fault);
int32_t drv_call_bus_store(DrvSelf *self, const DrvBusOps *ops, void *instance, uint32_t offset, uint32_t width, uint64_t value, DrvFault *fault);
int32_t drv_call_bus_reset(DrvSelf *self, const DrvBusOps *ops, void *instance, DrvFault *fault);

/* Size that an ops table claims, read so that a bad pointer is a fault of the driver. */
int32_t drv_ops_size(DrvSelf *self, const void *ops, uint32_t *size, DrvFault *fault);

/* Whose call the thread is in; NULL: nobody's. */
void *drv_owner(void);

/* Cuts off calls that are over their budget. The number of calls under way. */
uint32_t drv_guard_sweep(void);

/* dlopen, dlsym(DRV_ENTRY), its DRV_FLAGS or 0, and the text range; NULL and one line why. drv_close: nonzero where the object stays
 * mapped. */
void *drv_open(const char *path, const DrvDriver **driver, uint32_t *flags, uintptr_t *textStart, uintptr_t *textEnd, char *why,
               size_t whySize);
int32_t drv_close(void *handle, uintptr_t text);
/* The file that this very code is in. */
const char *drv_own_path(void);
/* The object's file name and the symbol at or before `pc`, as "file+offset (symbol+offset)". */
void drv_symbol(uintptr_t pc, char *text, size_t size);
#endif
