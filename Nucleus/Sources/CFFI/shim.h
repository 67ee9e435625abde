/* libffi for Swift: its type descriptions are mutable C globals, which Swift 6 refuses to touch; hence the getters. */
#ifndef CFFI_SHIM_H
#define CFFI_SHIM_H
#include <ffi.h>
#include <stdint.h>

static inline ffi_type *kn_ffi_void(void) { return &ffi_type_void; }
static inline ffi_type *kn_ffi_sint32(void) { return &ffi_type_sint32; }
static inline ffi_type *kn_ffi_uint32(void) { return &ffi_type_uint32; }
static inline ffi_type *kn_ffi_sint64(void) { return &ffi_type_sint64; }
static inline ffi_type *kn_ffi_uint64(void) { return &ffi_type_uint64; }
static inline ffi_type *kn_ffi_pointer(void) { return &ffi_type_pointer; }

static inline int32_t kn_ffi_prepare(ffi_cif *cif, uint32_t count, ffi_type *result, ffi_type **types) {
    return ffi_prep_cif(cif, FFI_DEFAULT_ABI, count, result, types) == FFI_OK ? 0 : -1;
}
static inline void kn_ffi_call(ffi_cif *cif, const void *function, uint64_t *result, void **values) {
    ffi_call(cif, (void (*)(void))function, result, values); /* the result buffer is at least an ffi_arg */
}
static inline int32_t kn_ffi_closure(void *closure, ffi_cif *cif,
                                     void (*body)(ffi_cif *cif, void *result, void **values, void *user), void *user,
                                     void *code) {
    return ffi_prep_closure_loc((ffi_closure *)closure, cif, body, user, code) == FFI_OK ? 0 : -1;
}
static inline void *kn_ffi_closure_alloc(void **code) { return ffi_closure_alloc(sizeof(ffi_closure), code); }
#endif
