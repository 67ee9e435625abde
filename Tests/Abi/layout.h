/* layout.h: what compiles against it has proved that the public structures lie as they did in ABI 1.0. Sizes and
 * offsets stand here as numbers on purpose: objects built against 1.0 have them compiled in. */
#ifndef ABI_LAYOUT_H
#define ABI_LAYOUT_H
#include <stddef.h>

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type);
#define GROWS(type, bytes) _Static_assert(sizeof(type) >= (bytes), "size-prefixed " #type " never shrinks");
#define AT(type, member, offset) _Static_assert(offsetof(type, member) == (offset), #type "." #member);
#define IS(name, value) _Static_assert((name) == (value), #name);
#endif
