/* guard.h: between guard.c, entries.c and services.c. */
#ifndef GUARD_H
#define GUARD_H
#include "CDriverGuard.h"
#include <setjmp.h>

typedef struct DrvGuard {       /* one call into a driver, on the stack of who makes it */
    sigjmp_buf at;
    DrvSelf *self;
    struct DrvGuard *outer;
    DrvFault fault;
    uint64_t until;
    volatile int armed;
} DrvGuard;

extern __thread DrvGuard *drv_current __attribute__((tls_model("initial-exec")));
void drv_enter(DrvGuard *g, DrvSelf *self);
void drv_leave(DrvGuard *g, DrvFault *fault);

/* `call` with the fence up; the mask of signals is not saved: the handlers block none. */
#define GUARDED(self_, fault_, call_) \
    DrvGuard g; \
    volatile int32_t result = DRV_EIO; \
    drv_enter(&g, self_); \
    if (sigsetjmp(g.at, 0) == 0) { g.armed = 1; result = (call_); g.armed = 0; } \
    drv_leave(&g, fault_); \
    return result
#endif
