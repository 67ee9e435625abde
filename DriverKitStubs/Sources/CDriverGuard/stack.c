/* stack.c: stacks that belong to an instance (DRV_OWN_STACK). After a fault nothing of such a stack is unwound or used again: what
 * lies there may be pointed at, and ends with no thread. */
#define _GNU_SOURCE
#include "guard.h"
#include <sys/mman.h>

#define SIZE (256u << 10)
#define HOLE 4096u              /* below it: using it up is a fault */

int32_t drv_stack_make(DrvSelf *self) {
    char *memory = mmap(NULL, SIZE + HOLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return DRV_ENOMEM;
    mprotect(memory, HOLE, PROT_NONE);
    self->stack = (uintptr_t)memory + HOLE + SIZE;
    return DRV_OK;
}

void drv_stack_free(DrvSelf *self) {
    if (self->stack) munmap((char *)self->stack - SIZE - HOLE, SIZE + HOLE);
    self->stack = 0;
}

/* System V ABI, x86-64, 3.2: the arguments stay in rdi, rsi, rdx, rcx; r8 is called with the stack of r9. */
__asm__(
    ".text\n.globl drv_on_stack\n.hidden drv_on_stack\n.type drv_on_stack, @function\n"
    "drv_on_stack:\n\t.cfi_startproc\n\t"
    "pushq %rbp\n\t.cfi_def_cfa_offset 16\n\t.cfi_offset %rbp, -16\n\t"
    "movq %rsp, %rbp\n\t.cfi_def_cfa_register %rbp\n\t"
    "movq %r9, %rsp\n\t"
    "callq *%r8\n\t"
    "leave\n\t.cfi_def_cfa %rsp, 8\n\t"
    "retq\n\t.cfi_endproc\n.size drv_on_stack, . - drv_on_stack\n");
