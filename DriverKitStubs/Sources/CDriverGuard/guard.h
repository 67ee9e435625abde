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
    uint64_t call;              /* its number among those of the thread */
    volatile int armed;
} DrvGuard;

extern __thread DrvGuard *drv_current __attribute__((tls_model("initial-exec")));
void drv_enter(DrvGuard *g, DrvSelf *self);
void drv_leave(DrvGuard *g, DrvFault *fault);

/* A call of up to four words, on the instance's own stack where it has one. */
#define W(word_) ((uintptr_t)(word_))
#define RUN1(self_, fn_, a_) ((self_)->stack ? drv_on_stack(W(a_), 0, 0, 0, W(fn_), (self_)->stack) : (fn_)(a_))
#define RUN2(self_, fn_, a_, b_) ((self_)->stack ? drv_on_stack(W(a_), W(b_), 0, 0, W(fn_), (self_)->stack) : (fn_)(a_, b_))
#define RUN3(self_, fn_, a_, b_, c_) \
    ((self_)->stack ? drv_on_stack(W(a_), W(b_), W(c_), 0, W(fn_), (self_)->stack) : (fn_)(a_, b_, c_))
#define RUN4(self_, fn_, a_, b_, c_, d_) \
    ((self_)->stack ? drv_on_stack(W(a_), W(b_), W(c_), W(d_), W(fn_), (self_)->stack) : (fn_)(a_, b_, c_, d_))
/* stack.c: calls `fn` with the stack that ends at `top`. */
int32_t drv_on_stack(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t fn, uintptr_t top);

/* `call` with the fence up; the mask of signals is not saved: the handlers block none. Without one where it is our own code that
 * is called: it asks a driver that lives elsewhere. */
#define GUARDED(self_, fault_, call_) \
    DrvGuard g; \
    if ((self_)->isElsewhere) { *(fault_) = (DrvFault){ 0, 0, 0 }; return (call_); } \
    volatile int32_t result = DRV_EIO; \
    drv_enter(&g, self_); \
    if (sigsetjmp(g.at, 0) == 0) { g.armed = 1; result = (call_); g.armed = 0; } \
    drv_leave(&g, fault_); \
    return result
#endif
