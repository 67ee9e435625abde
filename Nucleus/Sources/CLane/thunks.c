/* Entry points made from the nucleus table's numbering, for hosts where no writable-executable page may exist.
 * In the System V x86-64 convention every integer or pointer argument takes one 8-byte register or stack slot, so a
 * function of thirteen such arguments can stand for any shorter one: the surplus slots are read and never used. */
#include "CLane.h"

_Static_assert(K_NUCLEUS_CALLS <= KN_THUNKS, "a thunk for every nucleus call");

#define THUNK(n) \
    static int64_t thunk##n(KnThunkSelf *self, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f, \
                            uint64_t g, uint64_t h, uint64_t i, uint64_t j, uint64_t k, uint64_t l) { \
        uint64_t slots[K_SIG_ARGMAX] = { a, b, c, d, e, f, g, h, i, j, k, l }; \
        return self->dispatch(self, n, slots); \
    }
#define TEN(M, t) M(t##0) M(t##1) M(t##2) M(t##3) M(t##4) M(t##5) M(t##6) M(t##7) M(t##8) M(t##9)
#define ALL(M) TEN(M, ) TEN(M, 1) TEN(M, 2) TEN(M, 3) TEN(M, 4) TEN(M, 5) TEN(M, 6) TEN(M, 7) TEN(M, 8) TEN(M, 9) \
    TEN(M, 10) TEN(M, 11) TEN(M, 12) TEN(M, 13) TEN(M, 14) TEN(M, 15)

ALL(THUNK)

#define NAME(n) (const void *)thunk##n,
const void *kn_lane_thunk(uint32_t op) {
    static const void *const table[KN_THUNKS] = { ALL(NAME) };
    return op < KN_THUNKS ? table[op] : (const void *)0;
}
