/* handlers: every signal with every set of SA_ flags, and wide registers through nested handlers. Raw calls, so that libc
 * keeps none of the 64 for itself. */
#include "check.h"
#include <ucontext.h>

struct action {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};
#define RESTORER 0x04000000ul

__asm__(".text\n.type handlersReturn, @function\nhandlersReturn:\n\tmov $15, %eax\n\tsyscall\n"); /* rt_sigreturn */
void handlersReturn(void);

static long set(int number, void (*handler)(int, siginfo_t *, void *), unsigned long flags, uint64_t mask) {
    struct action act = {handler, flags | RESTORER, handlersReturn, mask};
    return syscall(SYS_rt_sigaction, number, &act, NULL, 8L);
}

static uint64_t blocked(void) {
    uint64_t mask = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8L);
    return mask;
}

static char alternate[65536];
static volatile int calls, seenNumber, seenOther, seenCode, wasReset;
static volatile uint64_t seenMask;
static volatile uintptr_t seenStack;

static void seen(int number, siginfo_t *info, void *context) {
    calls++;
    seenNumber = number;
    seenStack = (uintptr_t)__builtin_frame_address(0);
    seenMask = blocked();
    struct action now;
    syscall(SYS_rt_sigaction, number, NULL, &now, 8L);
    wasReset = now.handler == NULL;
    /* Without SA_SIGINFO nobody fills it, but it is there. */
    seenOther = info->si_signo;
    seenCode = info->si_code;
    (void)context;
}

/* Of one signal, what went wrong: a bit for each check. */
static unsigned deliver(int number, unsigned long flags) {
    uint64_t extra = 1ull << (number == 50 ? 51 - 1 : 50 - 1), own = 1ull << (number - 1);
    unsigned bad = 0;
    calls = 0;
    if (set(number, seen, flags, extra) != 0) return 1;
    struct action back;
    if (syscall(SYS_rt_sigaction, number, NULL, &back, 8L) != 0 || back.flags != (flags | RESTORER) || back.mask != extra) bad |= 2;
    if (syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), number) != 0) bad |= 4;
    if (calls != 1) bad |= 8;
    if (seenNumber != number) bad |= 16;
    if (flags & SA_SIGINFO && (seenOther != number || seenCode != SI_TKILL)) bad |= 16;
    int isAlternate = seenStack > (uintptr_t)alternate && seenStack < (uintptr_t)alternate + sizeof alternate;
    if (isAlternate != ((flags & SA_ONSTACK) != 0)) bad |= 32;
    if (!(seenMask & extra) || ((seenMask & own) != 0) != ((flags & SA_NODEFER) == 0)) bad |= 64;
    if (wasReset != ((flags & SA_RESETHAND) != 0)) bad |= 128;
    if (blocked() != 0) bad |= 256;
    return bad;
}

static void everySignal(void) {
    static const unsigned long choices[] = {SA_SIGINFO, SA_ONSTACK, SA_RESTART, SA_NODEFER, SA_RESETHAND, SA_NOCLDSTOP, SA_NOCLDWAIT};
    sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, NULL);
    for (int number = 1; number <= 64; number++) {
        if (number == SIGKILL || number == SIGSTOP) {
            ERROR("no handler", set(number, seen, 0, 0), EINVAL);
            continue;
        }
        unsigned bad = 0, first = 0;
        for (unsigned bits = 0; bits < 128; bits++) {
            unsigned long flags = 0;
            for (int i = 0; i < 7; i++)
                if (bits & 1u << i) flags |= choices[i];
            unsigned now = deliver(number, flags);
            if (now && !bad) first = bits;
            bad |= now;
        }
        say(bad ? "FAIL signal %d: %x, first with %x" : "ok signal %d", number, bad, first);
        failures += bad != 0;
        set(number, NULL, 0, 0);
    }
    ERROR("no signal 0", set(0, seen, 0, 0), EINVAL);
    ERROR("nor 65", set(65, seen, 0, 0), EINVAL);
    struct action back;
    CHECK("flags that no kernel knows are told back as none", set(SIGUSR1, seen, 0x400 | SA_SIGINFO | 0x100, 0) == 0 &&
          syscall(SYS_rt_sigaction, SIGUSR1, NULL, &back, 8L) == 0 && back.flags == (SA_SIGINFO | RESTORER));
    CHECK("nor the stack that a handler is on", sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL) == 0);
}

/* All 64 pending at once: the lowest first, those of real time in order with their values. */
static volatile int order[200], ordered;
static void inOrder(int number, siginfo_t *info, void *context) {
    (void)context;
    if (ordered < 200) order[ordered++] = number * 100 + (number >= 34 ? info->si_value.sival_int : 0);
}
static void allPending(void) {
    uint64_t all = ~0ull, none = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8L);
    int expected = 0, good = 1;
    for (int number = 64; number >= 1; number--) {
        if (number == SIGKILL || number == SIGSTOP || number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGTRAP || number == SIGFPE || number == SIGSYS) continue;
        if (number >= SIGCONT && number <= SIGTTOU) continue; /* these take each other away */
        set(number, inOrder, SA_SIGINFO, ~0ull);
        for (int value = 1; value <= (number >= 34 ? 2 : 1); value++) {
            siginfo_t info = {.si_signo = number, .si_code = SI_QUEUE};
            info.si_value.sival_int = value;
            good &= syscall(SYS_rt_sigqueueinfo, getpid(), number, &info) == 0;
            expected++;
        }
    }
    CHECK("all are queued", good);
    ordered = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8L);
    CHECK("all are delivered", ordered == expected);
    /* Frames are built from the lowest number up, so the handler that begins first is the last one's; each mask holds the
     * others back, so that they end one after the other. */
    int rising = 1;
    for (int i = 1; i < ordered; i++) rising &= order[i] > order[i - 1];
    CHECK("from the lowest on, values in order", rising);
}

/* The wide registers filled, a signal to this process, and what they hold then. */
#define EACH16(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define HIGH16(X) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#define LOAD_Y(n) "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n"
#define STORE_Y(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n"
#define LOAD_Z(n) "vmovdqu64 " #n "*64(%[in]), %%zmm" #n "\n"
#define STORE_Z(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%[out])\n"
#define MASKS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define LOAD_K(n) "kmovw 2048+" #n "*2(%[in]), %%k" #n "\n"
#define STORE_K(n) "kmovw %%k" #n ", 2048+" #n "*2(%[out])\n"
#define CLOBBERS "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

static int widest; /* bytes of a register */

static void aroundY(const void *in, void *out, long number) {
    long r = SYS_kill;
    __asm__ volatile(EACH16(LOAD_Y) "syscall\n" EACH16(STORE_Y) : "+a"(r) : [in] "r"(in), [out] "r"(out), "D"((long)getpid()), "S"(number) : CLOBBERS);
}
static void aroundZ(const void *in, void *out, long number) {
    long r = SYS_kill;
    __asm__ volatile(EACH16(LOAD_Z) HIGH16(LOAD_Z) MASKS(LOAD_K) "syscall\n" EACH16(STORE_Z) HIGH16(STORE_Z) MASKS(STORE_K)
                     : "+a"(r) : [in] "r"(in), [out] "r"(out), "D"((long)getpid()), "S"(number) : CLOBBERS);
}

static volatile int depth, kept;
static int keepsOver(int number, int salt) {
    unsigned char in[2064] __attribute__((aligned(64))), out[2064] __attribute__((aligned(64))) = {0};
    for (unsigned i = 0; i < sizeof in; i++) in[i] = (unsigned char)(i * 13 + salt * 71 + (i >> 8));
    if (widest == 64) aroundZ(in, out, number);
    else aroundY(in, out, number);
    /* k0 is not among them. */
    return memcmp(in, out, widest == 64 ? 2048 : 512) == 0 && (widest < 64 || memcmp(in + 2050, out + 2050, 14) == 0);
}
/* Each handler fills them anew, and sends the next signal. */
static void nest(int number, siginfo_t *info, void *context) {
    (void)info;
    int here = ++depth;
    /* The part that XSAVE wrote says what it is (FP_XSTATE_MAGIC1). */
    const uint32_t *legacy = (const void *)((ucontext_t *)context)->uc_mcontext.fpregs;
    kept += legacy && legacy[464 / 4] == 0x46505853;
    if (here < 20) kept += keepsOver(number == SIGUSR1 ? SIGUSR2 : SIGUSR1, here);
    else kept++;
}
static void wide(void) {
    widest = __builtin_cpu_supports("avx512f") ? 64 : __builtin_cpu_supports("avx") ? 32 : 0;
    if (!widest) return;
    set(SIGUSR1, nest, SA_SIGINFO | SA_NODEFER, 0);
    set(SIGUSR2, nest, SA_SIGINFO | SA_NODEFER, 0);
    CHECK("wide registers through twenty nested handlers", keepsOver(SIGUSR1, 77) && depth == 20 && kept == 40);
    sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, NULL);
    set(SIGUSR1, nest, SA_SIGINFO | SA_NODEFER | SA_ONSTACK, 0);
    depth = 16;
    kept = 0;
    CHECK("some of them on the other stack", keepsOver(SIGUSR1, 78) && depth == 20 && kept == 8);
}

int main(void) {
    everySignal();
    allPending();
    wide();
    return finish();
}
