/* A message handler called as the nucleus calls a supervisor's, and as an actor host calls a user actor's: by libffi,
 * prepared from the handler's signature. */
#define _GNU_SOURCE
#include <ffi.h>
#include "../bench.h"
#include "chorus.h"

static int32_t handler(void *cookie, const KnMsgHead *head, const void *annex, const void *body, uint32_t size,
                       void *replyAnnex, void *replyBody, uint32_t *replySize) {
    (void)head, (void)annex, (void)body, (void)size, (void)replyAnnex, (void)replyBody, (void)replySize;
    ++*(uint64_t *)cookie;
    return K_OK;
}

static KnMsgHdl volatile connected = handler;
static uint64_t calls;
static ffi_cif cif;
static ffi_type *types[K_SIG_ARGMAX];

static int row_direct(long count) {
    while (count-- > 0)
        if (connected(&calls, 0, 0, 0, 0, 0, 0, 0) != K_OK) return -1;
    return 0;
}

static int row_ffi(long count) {
    uint64_t slots[K_SIG_ARGMAX] = { (uint64_t)&calls };
    void *values[K_SIG_ARGMAX];
    for (uint32_t i = 0; i < K_SIG_ARGMAX; i++) values[i] = &slots[i];
    while (count-- > 0) {
        ffi_arg result;
        ffi_call(&cif, FFI_FN(connected), &result, values);
        if ((int32_t)result != K_OK) return -1;
    }
    return 0;
}

void bench_dispatch(void) {
    const KnSignature *signature = kn_handler_signature(K_HDL_MESSAGE);
    for (uint32_t i = 0; i < signature->count; i++)
        types[i] = signature->args[i].type == K_ARG_U32 ? &ffi_type_uint32 : &ffi_type_pointer;
    if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, signature->count, &ffi_type_sint32, types) != FFI_OK)
        bench_failed("handler-ffi");
    bench_row("handler-direct", row_direct);
    bench_row("handler-ffi", row_ffi);
}
