/* knSignature.h: what a call or handler takes, as constant data. From one signature come the ffi_cif, the
 * marshalling over a user actor's lane and the closures of its nucleus table. */
#ifndef CHORUS_KNSIGNATURE_H
#define CHORUS_KNSIGNATURE_H
#include <stdint.h>

/* KnArg.type */
#define K_ARG_I32 1u
#define K_ARG_U32 2u
#define K_ARG_I64 3u
#define K_ARG_U64 4u
#define K_ARG_PTR 5u      /* opaque pointer-sized value (cookie): carried, never followed */
#define K_ARG_BUF 6u      /* pointer to bytes; may be NULL, which travels as NULL */
#define K_ARG_STR 7u      /* NUL-terminated string, at most size bytes with the NUL */
#define K_ARG_HANDLER 8u  /* function of the calling actor; size = K_HDL_* number of its signature */
#define K_ARG_FD 9u       /* host file descriptor, moved (the receiver owns a copy, the caller keeps its own) */
/* KnArg.dir */
#define K_IN 1u
#define K_OUT 2u
#define K_INOUT 3u
/* KnArg.len: how long a K_ARG_BUF is */
#define K_LEN_FIXED 0u    /* size bytes */
#define K_LEN_ARG 1u      /* value of argument lenArg times size bytes */
#define K_LEN_REF 2u      /* *(uint32_t *)argument lenArg times size: capacity on entry, count filled on return */

#define K_SIG_ARGMAX 12u

typedef struct KnArg { uint8_t type, dir, len, lenArg; uint32_t size; } KnArg;
typedef struct KnSignature {
    const char *name;
    uint8_t ret;          /* K_ARG_I32 or K_ARG_I64, 0 for none */
    uint8_t count;
    uint16_t flags;       /* K_SIG_* */
    KnArg args[K_SIG_ARGMAX]; /* without the leading `self` of nucleus calls */
} KnSignature;
#define K_SIG_LOCAL 1u    /* answered inside the actor host, never marshalled */

static inline const KnArg *kn_arg(const KnSignature *signature, uint32_t i) {
    return i < signature->count ? &signature->args[i] : (const KnArg *)0;
}

/* Handler signatures (K_ARG_HANDLER.size). */
#define K_HDL_TRAP 0u
#define K_HDL_EXCEPTION 1u
#define K_HDL_ABORT 2u
#define K_HDL_MESSAGE 3u
#define K_HDL_EVENT 4u
#define K_HDL_THREAD 5u
#define K_HDL_INTERRUPT 6u
#define K_HDL_FAULT 7u
#define K_HDL_COUNT 8u

/* Arguments of a trap's specific handlers (KnTrapEntry.args): numbers, strings of at most n bytes with the NUL, a T, n bytes,
 * as many Ts as argument a (a K_A_U32) says, as many as the uint32_t of argument a (a K_A_INOUT) has room for. */
#define K_A_I32 { K_ARG_I32, K_IN, 0, 0, 0 }
#define K_A_U32 { K_ARG_U32, K_IN, 0, 0, 0 }
#define K_A_I64 { K_ARG_I64, K_IN, 0, 0, 0 }
#define K_A_U64 { K_ARG_U64, K_IN, 0, 0, 0 }
#define K_A_STR(n) { K_ARG_STR, K_IN, 0, 0, n }
#define K_A_IN(T) { K_ARG_BUF, K_IN, K_LEN_FIXED, 0, sizeof(T) }
#define K_A_OUT(T) { K_ARG_BUF, K_OUT, K_LEN_FIXED, 0, sizeof(T) }
#define K_A_INOUT(T) { K_ARG_BUF, K_INOUT, K_LEN_FIXED, 0, sizeof(T) }
#define K_A_INS(a, T) { K_ARG_BUF, K_IN, K_LEN_ARG, a, sizeof(T) }
#define K_A_OUTS(a, T) { K_ARG_BUF, K_OUT, K_LEN_REF, a, sizeof(T) }
#endif
