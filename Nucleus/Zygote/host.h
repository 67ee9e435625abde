/* host.h: raw host calls and constants of the freestanding stub (no libc here). */
#ifndef ZYGOTE_HOST_H
#define ZYGOTE_HOST_H
#include <stdint.h>
#include <stddef.h>
#include <asm/unistd.h>
#include <linux/audit.h>
#include "mailbox.h"

static inline long host6(long n, long a, long b, long c, long d, long e, long f) {
    long r;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return r;
}
#define host0(n) host6(n, 0, 0, 0, 0, 0, 0)
#define host1(n, a) host6(n, (long)(a), 0, 0, 0, 0, 0)
#define host2(n, a, b) host6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define host3(n, a, b, c) host6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define host4(n, a, b, c, d) host6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* x86-64 signal frame, as the kernel lays it out (arch/x86 uapi sigcontext). */
struct host_context {           /* gregs in the order of struct sigcontext */
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
    uint16_t cs, gs, fs, ss;
    uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
};
struct host_ucontext {
    uint64_t flags, link;
    struct { uint64_t sp; int32_t flags, pad; uint64_t size; } stack;
    struct host_context mc;
    uint64_t sigmask;
};
struct host_siginfo {
    int32_t signo, error, code, pad;
    union {
        struct { uint64_t addr; } fault;
        struct { uint64_t callAddr; int32_t syscall; uint32_t arch; } sys;
    };
};

#pragma GCC visibility push(hidden)
void stub_loop(struct mb_area *area, uint32_t kind) __attribute__((noreturn));
void stub_child(struct mb_area *area) __attribute__((noreturn));
void stub_resume_fast(struct host_ucontext *context) __attribute__((noreturn));
void stub_resume_full(struct host_ucontext *context) __attribute__((noreturn));
/* Copies with a fix-up: bytes left undone. */
uint64_t stub_copy(void *to, const void *from, uint64_t size);
/* Copies up to and with the NUL: length with NUL, 0 where none within size, -1 on a fault. */
int64_t stub_copy_string(char *to, const char *from, uint64_t size);
/* 0 swapped, 1 another word is there, -1 on a fault. */
int64_t stub_swap(uint32_t *word, uint32_t expected, uint32_t new);
long stub_clone(uint64_t flags, void *stack, struct mb_area *area);
void stub_trampoline(void);
void stub_signal(int signo, struct host_siginfo *info, struct host_ucontext *context);
void stub_restorer(void);
extern const char stub_gate[];
void stub_gate_trap(struct mb_area *area, struct host_ucontext *context) __attribute__((noreturn));
extern const char stub_copy_begin[], stub_copy_end[], stub_copy_fix[];
extern const char stub_string_begin[], stub_string_end[], stub_string_fix[];
extern const char stub_swap_begin[], stub_swap_end[], stub_swap_fix[];
long install_filter(void);
#pragma GCC visibility pop

/* entry.S has these as numbers. */
_Static_assert(MB_AREAS >> 32 == 0x7fe1 && (MB_AREAS + MB_SLOTS * MB_AREA_SIZE - 1) >> 32 == 0x7fe1, "gate");
_Static_assert(MB_GUEST_STACK == 336 && MB_GATE_FRAME == 0x3ec00, "gate");

static inline struct mb_area *area_of(const void *stack) {
    return (struct mb_area *)((uint64_t)stack & ~(MB_AREA_SIZE - 1));
}
#endif
