/* stub.c: what runs in a guest on the nucleus' behalf: signal entry, the dialogue over the mailbox, operations. */
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include "host.h"

#define SIGSYS 31
#define EFAULT 14
#define FLAG_TF 0x100
#define E2BIG 7
#define K_TA_STR 1
#define K_TA_IN 2
#define K_TA_IN_FIXED 4
#define PREFETCH_MAX 0x10000u
#define PATH_BYTES 4096u

static const struct mb_control *const control = (const struct mb_control *)MB_CONTROL;

static int in_stub(uint64_t ip) { return ip - MB_STUB_BASE < MB_STUB_SPAN; }

static void futex_wait(uint32_t *word, uint32_t value) { host4(__NR_futex, word, FUTEX_WAIT, value, 0); }

static uint32_t post(struct mb_area *area, uint32_t kind) {
    uint32_t n = area->guest.post + 1;
    area->guest.kind = kind;
    mb_store(&area->guest.post, n);
    mb_fence();
    if (mb_load(&area->nucleus.sleeping)) host3(__NR_futex, &area->guest.post, FUTEX_WAKE, 1);
    if (kind != KIND_DONE && mb_load(&control->poolSleeping)) {
        uint64_t one = 1;
        host3(__NR_write, MB_FD_EVENT, &one, 8);
    }
    return n;
}

static void await(struct mb_area *area, uint32_t n) {
    for (uint32_t i = area->nucleus.spinGuest; i && mb_load(&area->nucleus.park) != n; i--) {
        if (mb_load(&area->nucleus.reply) == n) return;
        mb_pause();
    }
    uint32_t yields = area->nucleus.yieldGuest;
    if (area->guest.contended) {
        area->guest.contended--;
        yields = 0;
    }
    for (; yields; yields--) {
        if (mb_load(&area->nucleus.reply) == n) return;
        uint64_t before = __builtin_ia32_rdtsc();
        host0(__NR_sched_yield);
        if (__builtin_ia32_rdtsc() - before > MB_YIELD_LONG) {
            area->guest.contended = MB_CONTENDED;
            break;
        }
    }
    mb_store(&area->guest.sleeping, 1);
    mb_fence();
    uint32_t seen;
    while ((seen = mb_load(&area->nucleus.reply)) != n) futex_wait(&area->nucleus.reply, seen);
    mb_store(&area->guest.sleeping, 0);
}

/* Takes the descriptors of one message; the last one is returned, the first one of two stays in the mailbox. */
static long receive_descriptors(struct mb_area *area, int32_t *second) {
    struct { uint64_t len; int32_t level, type, fd[2]; } cmsg;
    char byte;
    struct { void *base; uint64_t len; } vec = { &byte, 1 };
    struct { void *name; uint32_t namelen, pad; void *iov; uint64_t iovlen; void *control; uint64_t controllen; int32_t flags, pad2; }
        message = { 0, 0, 0, &vec, 1, &cmsg, sizeof cmsg, 0, 0 };
    long r;
    cmsg.len = 0;
    do r = host3(__NR_recvmsg, area->nucleus.socket, &message, 0);
    while (r == -4);
    if (r != 1 || cmsg.len < 20) return r < 0 ? r : -22;
    *second = cmsg.len >= 24 ? cmsg.fd[1] : -1;
    return cmsg.fd[0];
}

/* Makes of the context that the gate left one that rt_sigreturn takes: the FPU image, which is still in the registers, and
 * the words that a signal's frame has. */
static void save_fpu(struct mb_area *area) {
    struct host_ucontext *context = (struct host_ucontext *)((char *)area + MB_GATE_FRAME);
    uint64_t *image = (uint64_t *)((char *)area + MB_GATE_FPU);
    uint32_t size = control->fpuSize;
    for (int i = 0; i < 8; i++) image[64 + i] = 0; /* the header: xsave writes its first word only */
    __asm__ volatile("xsave64 (%0)" : : "r"(image), "a"((uint32_t)control->fpuFeatures), "d"((uint32_t)(control->fpuFeatures >> 32)) : "memory");
    image[58] = 0x46505853ull | (uint64_t)(size + 4) << 32; /* struct _fpx_sw_bytes: FP_XSTATE_MAGIC1, extended_size, */
    image[59] = control->fpuFeatures;                       /* xfeatures, */
    image[60] = size;                                       /* xstate_size */
    image[61] = image[62] = image[63] = 0;
    *(uint32_t *)((char *)image + size) = 0x46505845; /* FP_XSTATE_MAGIC2 */
    context->flags = 7;                               /* UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */
    context->link = 0;
    context->stack.sp = (uint64_t)area + MB_STACK;
    context->stack.flags = 0;
    context->stack.size = MB_AREA_SIZE - MB_STACK;
    context->mc.cs = 0x33;
    context->mc.gs = context->mc.fs = 0;
    context->mc.ss = 0x2b;
    context->mc.oldmask = context->sigmask = 0;
    context->mc.fpstate = (uint64_t)image;
}

static void run_operations(struct mb_area *area, int *failed) {
    uint32_t count = area->nucleus.opCount;
    int32_t fd = -1, second = -1;
    if (count > MB_OPCOUNT) count = MB_OPCOUNT;
    for (uint32_t i = 0; i < count; i++) {
        struct mb_op *op = &area->ops[i];
        uint64_t *a = op->args;
        long r = -22;
        switch (op->op) {
        case OP_SYSCALL:
            if (op->fd < 6) a[op->fd] = (uint64_t)(int64_t)fd;
            r = host6((long)op->number, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
            break;
        case OP_COPYIN: {
            uint64_t left = stub_copy((char *)area + MB_PAYLOAD + a[2], (const void *)a[0], a[1]);
            r = left && left == a[1] ? -EFAULT : (long)(a[1] - left); /* what could be read, as write(2) takes it */
            break;
        }
        case OP_COPYOUT: {
            uint64_t left = stub_copy((void *)a[0], (char *)area + MB_PAYLOAD + a[2], a[1]);
            r = left ? -EFAULT : 0;
            break;
        }
        case OP_COPYSTR:
            r = stub_copy_string((char *)area + MB_PAYLOAD + a[2], (const char *)a[0], a[1]);
            r = r > 0 ? r : r == 0 ? -E2BIG : -EFAULT;
            break;
        case OP_SWAP:
            r = stub_swap((uint32_t *)a[0], (uint32_t)a[1], (uint32_t)a[2]);
            if (r < 0) r = -EFAULT;
            break;
        case OP_SAVEFPU:
            save_fpu(area);
            r = 0;
            break;
        case OP_RECVFD:
            fd = (int32_t)(r = receive_descriptors(area, &second));
            break;
        case OP_CLONE: {
            struct mb_area *child = (struct mb_area *)a[1];
            int32_t own = second;
            if (own < 0) own = area->nucleus.socket; /* a thread shares its process's socket */
            child->nucleus.socket = own;
            child->nucleus.closeAtStart = second < 0 ? -1 : area->nucleus.socket;
            r = stub_clone(a[0], (void *)a[2], child);
            if (second >= 0) host1(__NR_close, second);
            second = -1;
            break;
        }
        }
        op->result = r;
        if (r < 0 && r > -4096) *failed = 1;
    }
}

void stub_loop(struct mb_area *area, uint32_t kind) {
    for (;;) {
        int failed = 0;
        await(area, post(area, kind));
        run_operations(area, &failed);
        struct host_ucontext *context = (struct host_ucontext *)((char *)area + (area->nucleus.frame & (MB_AREA_SIZE - 8)));
        switch (area->nucleus.action) {
        case ACT_RESUME:
            context->mc.rax = failed ? (uint64_t)-EFAULT : (uint64_t)area->nucleus.value;
            if (!(context->mc.eflags & FLAG_TF)) stub_resume_fast(context);
            /* Single steps begin behind the stub. */
            if (!context->mc.fpstate) save_fpu(area);
            stub_resume_full(context);
        case ACT_RESUME_FULL:
            stub_resume_full(context);
        case ACT_EXIT:
            host1(__NR_exit_group, area->nucleus.value);
        }
        kind = KIND_DONE;
    }
}

/* First code of a cloned process or thread, on its own area. */
void stub_child(struct mb_area *area) {
    struct { void *sp; int32_t flags, pad; uint64_t size; } stack = { (char *)area + MB_STACK, 0, 0, MB_AREA_SIZE - MB_STACK };
    host2(__NR_prctl, PR_SET_PDEATHSIG, 9);
    if ((uint32_t)host0(__NR_getppid) != control->nucleus) host1(__NR_exit_group, 0); /* it died before the line above */
    if (area->nucleus.closeAtStart >= 0) host1(__NR_close, area->nucleus.closeAtStart);
    host2(__NR_sigaltstack, &stack, 0);
    host3(__NR_madvise, area, MB_AREA_SIZE, MADV_DONTFORK);
    if (control->gates) __asm__ volatile("wrgsbase %0" : : "r"(area));
    stub_loop(area, KIND_READY);
}

/* Brings along what the call's signature names, so that small calls need no second round. */
static void prefetch(struct mb_area *area, uint64_t number, const uint64_t *args) {
    uint32_t got = 0, at = 0;
    area->guest.prefetched = 0;
    if (number >= MB_SIGS) return;
    const struct mb_sig *sig = &control->sigs[number];
    for (int i = 0; i < 6; i++) {
        uint64_t size;
        char *to = (char *)area + MB_PAYLOAD + at;
        switch (sig->kind[i]) {
        case K_TA_STR: {
            int64_t n = stub_copy_string(to, (const char *)args[i], PATH_BYTES);
            if (n <= 0) continue;
            size = (uint64_t)n;
            break;
        }
        case K_TA_IN:
        case K_TA_IN_FIXED:
            size = sig->kind[i] == K_TA_IN ? args[sig->lenArg[i] % 6] : sig->size[i];
            if (size == 0 || size > PREFETCH_MAX - at || stub_copy(to, (const void *)args[i], size)) continue;
            break;
        default:
            continue;
        }
        area->guest.prefetchOffset[i] = MB_PAYLOAD + at;
        area->guest.prefetchLength[i] = (uint32_t)size;
        got |= 1u << i;
        at += (uint32_t)((size + 63) & ~63ull);
        if (at > PREFETCH_MAX - PATH_BYTES) break;
    }
    area->guest.prefetched = got;
}

static void trap(struct mb_area *area, const struct host_context *mc) {
    uint64_t args[6] = { mc->rdi, mc->rsi, mc->rdx, mc->r10, mc->r8, mc->r9 };
    area->guest.number = mc->rax;
    for (int i = 0; i < 6; i++) area->guest.args[i] = args[i];
    if (area->guest.arch == AUDIT_ARCH_X86_64) prefetch(area, mc->rax, args);
    stub_loop(area, KIND_TRAP);
}

/* A call from a rewritten site. */
void stub_gate_trap(struct mb_area *area, struct host_ucontext *context) {
    struct host_context *mc = &context->mc;
    area->guest.frame = MB_GATE_FRAME;
    area->guest.rip = mc->rip;
    area->guest.rsp = mc->rsp;
    area->guest.prefetched = 0;
    area->guest.arch = AUDIT_ARCH_X86_64;
    mc->rax = (uint32_t)mc->rax;
    trap(area, mc);
    __builtin_unreachable();
}

void stub_signal(int signo, struct host_siginfo *info, struct host_ucontext *context) {
    struct mb_area *area = area_of(context);
    struct host_context *mc = &context->mc;
    if (in_stub(mc->rip)) {
        if (signo == MB_KICK) return; /* already talking to the nucleus, or about to leave: it kicks again */
        if (mc->rip >= (uint64_t)stub_copy_begin && mc->rip < (uint64_t)stub_copy_end) { mc->rip = (uint64_t)stub_copy_fix; return; }
        if (mc->rip >= (uint64_t)stub_string_begin && mc->rip < (uint64_t)stub_string_end) { mc->rip = (uint64_t)stub_string_fix; return; }
        if (mc->rip >= (uint64_t)stub_swap_begin && mc->rip < (uint64_t)stub_swap_end) { mc->rip = (uint64_t)stub_swap_fix; return; }
        host1(__NR_exit_group, 128 + signo); /* the guest jumped into the stub or broke it: it ends itself only */
    }
    area->guest.frame = (uint32_t)((char *)context - (char *)area);
    area->guest.rip = mc->rip;
    area->guest.rsp = mc->rsp;
    area->guest.signo = signo;
    area->guest.code = info->code;
    area->guest.address = info->fault.addr;
    area->guest.prefetched = 0;
    if (signo == MB_KICK) stub_loop(area, KIND_KICK);
    if (signo != SIGSYS) stub_loop(area, KIND_FAULT);
    area->guest.arch = info->sys.arch;
    trap(area, mc);
}
