/* Preloaded into a site's process: counts what the calling thread allocates. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
static __thread unsigned long count __attribute__((tls_model("initial-exec")));

__attribute__((visibility("default"))) unsigned long bench_allocations(void) { return count; }

void *malloc(size_t size) { return count++, __libc_malloc(size); }
void *calloc(size_t number, size_t size) { return count++, __libc_calloc(number, size); }
void *realloc(void *old, size_t size) { return count++, __libc_realloc(old, size); }
void *memalign(size_t alignment, size_t size) { return count++, __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return count++, __libc_memalign(alignment, size); }
int posix_memalign(void **to, size_t alignment, size_t size) {
    count++;
    *to = __libc_memalign(alignment, size);
    return *to ? 0 : ENOMEM;
}
