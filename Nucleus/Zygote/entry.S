/* entry.S: what C cannot say: entry, leaving the stub, copying with fix-ups, clone. */
#define MB_AREAS_HIGH 0x7fe1        /* mailbox.h: the areas fill the 4 GiB from MB_AREAS */
#define MB_GUEST_STACK 336
#define MB_GATE_FRAME 0x3ec00
#define TRAMPOLINE_CALL 18          /* Rewrite/Trampoline.swift */
#define TRAMPOLINE_RETURN 32
    .text
    .globl _start
_start:
    mov %rsp, %rdi
    and $-16, %rsp
    call zygote_main
    ud2

/* Leaves a trap without rt_sigreturn: vector state from the signal frame, then registers. rdi = ucontext.
 * Legal because `syscall` clobbers rcx and r11: rcx carries the address, r11 the flags. */
    .globl stub_resume_fast
stub_resume_fast:
    mov 224(%rdi), %r8              /* mc.fpstate; none after the gate: nothing has touched it */
    test %r8, %r8
    jz 1f
    mov 472(%r8), %eax              /* sw_reserved.xfeatures */
    mov 476(%r8), %edx
    xrstor64 (%r8)
1:
    mov 40(%rdi), %r8
    mov 48(%rdi), %r9
    mov 56(%rdi), %r10
    mov 72(%rdi), %r12
    mov 80(%rdi), %r13
    mov 88(%rdi), %r14
    mov 96(%rdi), %r15
    mov 112(%rdi), %rsi
    mov 120(%rdi), %rbp
    mov 128(%rdi), %rbx
    mov 136(%rdi), %rdx
    mov 144(%rdi), %rax
    mov 168(%rdi), %rcx             /* rip */
    mov 176(%rdi), %r11             /* eflags */
    lea -256(%rdi), %rsp            /* below the frame: popf must not touch it */
    push %r11
    popf
    mov (256 + 104)(%rsp), %rdi
    mov (256 + 160)(%rsp), %rsp     /* last: a kick from here on overwrites the frame */
    jmp *%rcx

/* Where rewritten call sites come in: eax = number, r11 = the trampoline; rcx and r11 are what a syscall instruction may
 * destroy. Flags, red zone and all else are still the guest's, so %gs is checked without a comparison: if the guest has put
 * something of its own there, the trampoline's own syscall instruction traps as ever. */
    .globl stub_gate
stub_gate:
    rdgsbase %rcx
    rorx $32, %rcx, %rcx
    mov %ecx, %ecx
    lea -(MB_AREAS_HIGH)(%rcx), %rcx
    jrcxz 1f
    lea TRAMPOLINE_CALL(%r11), %rcx
    jmp *%rcx
1:  mov TRAMPOLINE_RETURN(%r11), %r11
    mov %rsp, %gs:MB_GUEST_STACK
    rdgsbase %rsp
    lea MB_GATE_FRAME(%rsp), %rsp   /* struct host_ucontext */
    mov %r8, 40(%rsp)
    mov %r9, 48(%rsp)
    mov %r10, 56(%rsp)
    mov %r12, 72(%rsp)
    mov %r13, 80(%rsp)
    mov %r14, 88(%rsp)
    mov %r15, 96(%rsp)
    mov %rdi, 104(%rsp)
    mov %rsi, 112(%rsp)
    mov %rbp, 120(%rsp)
    mov %rbx, 128(%rsp)
    mov %rdx, 136(%rsp)
    mov %rax, 144(%rsp)
    mov %r11, 152(%rsp)             /* rcx and rip, as syscall leaves them */
    mov %r11, 168(%rsp)
    pushf
    pop %rcx
    cld
    mov %rcx, 64(%rsp)              /* r11 and the flags */
    mov %rcx, 176(%rsp)
    mov %gs:MB_GUEST_STACK, %rcx
    mov %rcx, 160(%rsp)
    xor %ecx, %ecx
    mov %rcx, 192(%rsp)             /* err, trapno, cr2, fpstate */
    mov %rcx, 200(%rsp)
    mov %rcx, 216(%rsp)
    mov %rcx, 224(%rsp)
    rdgsbase %rdi
    mov %rsp, %rsi
    call stub_gate_trap
    ud2

/* Leaves through rt_sigreturn: the whole context, as the nucleus may have changed it. */
    .globl stub_resume_full
stub_resume_full:
    mov %rdi, %rsp
    mov $15, %eax
    syscall
    ud2

    .globl stub_restorer
stub_restorer:
    mov $15, %eax
    syscall
    ud2

/* uint64_t stub_copy(to, from, size): bytes not copied. */
    .globl stub_copy, stub_copy_begin, stub_copy_end, stub_copy_fix
stub_copy:
    mov %rdx, %rcx
stub_copy_begin:
    rep movsb
stub_copy_end:
stub_copy_fix:
    mov %rcx, %rax
    ret

/* int64_t stub_copy_string(to, from, size) */
    .globl stub_copy_string, stub_string_begin, stub_string_end, stub_string_fix
stub_copy_string:
    xor %ecx, %ecx
    test %rdx, %rdx
    jz 2f
1:
stub_string_begin:
    movb (%rsi,%rcx), %al
stub_string_end:
    movb %al, (%rdi,%rcx)
    inc %rcx
    test %al, %al
    jz 3f
    cmp %rdx, %rcx
    jb 1b
2:  xor %eax, %eax
    ret
3:  mov %rcx, %rax
    ret
stub_string_fix:
    mov $-1, %rax
    ret

/* int64_t stub_swap(word, expected, new): 0 swapped, 1 another word is there, -1 no memory that can be written. */
    .globl stub_swap, stub_swap_begin, stub_swap_end, stub_swap_fix
stub_swap:
    mov %esi, %eax
stub_swap_begin:
    lock cmpxchgl %edx, (%rdi)
stub_swap_end:
    setne %al
    movzbl %al, %eax
    ret
stub_swap_fix:
    mov $-1, %rax
    ret

/* long stub_clone(flags, stack, area): the child starts in stub_child(area) on `stack`. */
    .globl stub_clone
stub_clone:
    mov %rdx, %r9                   /* the kernel keeps r9 for both sides */
    xor %edx, %edx
    xor %r10d, %r10d
    xor %r8d, %r8d
    mov $56, %eax
    syscall
    test %rax, %rax
    jz 1f
    ret
1:  mov %r9, %rdi
    xor %ebp, %ebp
    call stub_child
    ud2
    .section .note.GNU-stack,"",@progbits
