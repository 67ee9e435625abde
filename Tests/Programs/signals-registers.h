/* signals-registers.h: the part of `signals` about faults, and registers over traps, handlers and fork. */
#include <immintrin.h>

static void faulting(int number, siginfo_t *info, void *context) {
    (void)context;
    lastCode = info->si_code;
    lastAddress = (uintptr_t)info->si_addr;
    siglongjmp(back, number);
}

static int faultOf(void (*body)(void)) {
    int number = sigsetjmp(back, 1);
    if (number == 0) body();
    return number;
}

static char *guarded;
static void readNothing(void) { *(volatile char *)0x10; }
static void writeReadOnly(void) { *(volatile char *)guarded = 1; }
static void divide(void) { volatile int zero = 0; zero = 7 / zero; }
static void illegal(void) { __asm__ volatile("ud2"); }
static void breakpoint(void) { __asm__ volatile("int3"); }
static void runData(void) { ((void (*)(void))(uintptr_t)guarded)(); }
static void nonCanonical(void) { *(volatile char *)0x8000000000000000ull; }
static void privileged(void) { __asm__ volatile("hlt"); }

static void skipping(int number, siginfo_t *info, void *context) {
    (void)number, (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2; /* over ud2 */
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RBX] = 0x1234;
}

static void faults(void) {
    install(SIGSEGV, faulting, 0);
    install(SIGFPE, faulting, 0);
    install(SIGILL, faulting, 0);
    install(SIGTRAP, faulting, 0);
    guarded = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK("no map: SEGV_MAPERR", faultOf(readNothing) == SIGSEGV && lastCode == SEGV_MAPERR && lastAddress == 0x10);
    CHECK("no right: SEGV_ACCERR", faultOf(writeReadOnly) == SIGSEGV && lastCode == SEGV_ACCERR && lastAddress == (uintptr_t)guarded);
    CHECK("no execution", faultOf(runData) == SIGSEGV && lastCode == SEGV_ACCERR && lastAddress == (uintptr_t)guarded);
    CHECK("no canonical address: SI_KERNEL", faultOf(nonCanonical) == SIGSEGV && lastCode == SI_KERNEL && lastAddress == 0);
    CHECK("privileged instruction", faultOf(privileged) == SIGSEGV && lastCode == SI_KERNEL);
    CHECK("division: FPE_INTDIV", faultOf(divide) == SIGFPE && lastCode == FPE_INTDIV);
    CHECK("ud2: ILL_ILLOPN", faultOf(illegal) == SIGILL && lastCode == ILL_ILLOPN);
    CHECK("int3: SIGTRAP", faultOf(breakpoint) == SIGTRAP && lastCode == SI_KERNEL);
    install(SIGILL, skipping, 0);
    uint64_t seen = 1;
    __asm__ volatile("mov $1, %%rbx\n ud2\n mov %%rbx, %0" : "=r"(seen) : : "rbx");
    CHECK("a handler may change rip and registers", seen == 0x1234);
    plain(SIGILL, SIG_DFL, 0);
    plain(SIGSEGV, SIG_DFL, 0);
    pid_t pid = fork();
    if (pid == 0) readNothing();
    CHECK("a fault kills by default", endOf(pid) == 1000 + SIGSEGV);
    if ((pid = fork()) == 0) {
        plain(SIGSEGV, SIG_IGN, 0);
        readNothing();
    }
    CHECK("even when ignored", endOf(pid) == 1000 + SIGSEGV);
    if ((pid = fork()) == 0) {
        sigset_t block = setOf(SIGSEGV);
        install(SIGSEGV, faulting, 0);
        sigprocmask(SIG_BLOCK, &block, 0);
        readNothing();
    }
    CHECK("and when blocked", endOf(pid) == 1000 + SIGSEGV);
    if ((pid = fork()) == 0) {
        install(SIGSEGV, faulting, 0);
        __asm__ volatile("mov $0x10, %rsp\n push %rax");
    }
    CHECK("without a stack for the handler", endOf(pid) == 1000 + SIGSEGV);
}

/* Everything the ABI lets live across a system call or a signal, set to a pattern and compared after `what`. */
typedef struct {
    uint64_t general[5], redZone[16];
    uint8_t vector[16][16], x87[80];
    uint32_t mxcsr;
    uint16_t control;
} Registers;

/* What happens between loading and storing: 0 nothing, else a raw system call of that number with two arguments. */
static long callNumber, callFirst, callSecond, callResult;

__attribute__((noinline, no_stack_protector)) static void across(const Registers *before, Registers *after) {
    __asm__ volatile(
        "push %%rbx\n push %%rbp\n push %%r12\n push %%r13\n push %%r14\n push %%r15\n"
        "sub $256, %%rsp\n"
        "mov %[after], 128(%%rsp)\n"
        "mov %[before], %%rax\n"
        "movdqu 168(%%rax), %%xmm0\n movdqu 184(%%rax), %%xmm1\n movdqu 200(%%rax), %%xmm2\n movdqu 216(%%rax), %%xmm3\n"
        "movdqu 232(%%rax), %%xmm4\n movdqu 248(%%rax), %%xmm5\n movdqu 264(%%rax), %%xmm6\n movdqu 280(%%rax), %%xmm7\n"
        "movdqu 296(%%rax), %%xmm8\n movdqu 312(%%rax), %%xmm9\n movdqu 328(%%rax), %%xmm10\n movdqu 344(%%rax), %%xmm11\n"
        "movdqu 360(%%rax), %%xmm12\n movdqu 376(%%rax), %%xmm13\n movdqu 392(%%rax), %%xmm14\n movdqu 408(%%rax), %%xmm15\n"
        "ldmxcsr 504(%%rax)\n fldcw 508(%%rax)\n fld1\n fchs\n fld1\n"
        /* the red zone: 128 bytes below rsp */
        "mov 40(%%rax), %%rcx\n mov %%rcx, -8(%%rsp)\n mov %%rcx, -64(%%rsp)\n mov %%rcx, -128(%%rsp)\n"
        "mov 0(%%rax), %%rbx\n mov 8(%%rax), %%r12\n mov 16(%%rax), %%r13\n mov 24(%%rax), %%r14\n mov 32(%%rax), %%r15\n"
        "mov %[first], %%rdi\n mov %[second], %%rsi\n mov %[number], %%rax\n"
        "xor %%edx, %%edx\n xor %%r10d, %%r10d\n xor %%r8d, %%r8d\n xor %%r9d, %%r9d\n"
        "test %%rax, %%rax\n js 1f\n syscall\n jmp 2f\n1: ud2\n2:\n"
        "mov %%rax, %[result]\n"
        "mov 128(%%rsp), %%rax\n"
        "mov %%rbx, 0(%%rax)\n mov %%r12, 8(%%rax)\n mov %%r13, 16(%%rax)\n mov %%r14, 24(%%rax)\n mov %%r15, 32(%%rax)\n"
        "mov -8(%%rsp), %%rcx\n mov %%rcx, 40(%%rax)\n mov -64(%%rsp), %%rcx\n mov %%rcx, 48(%%rax)\n"
        "mov -128(%%rsp), %%rcx\n mov %%rcx, 56(%%rax)\n"
        "movdqu %%xmm0, 168(%%rax)\n movdqu %%xmm1, 184(%%rax)\n movdqu %%xmm2, 200(%%rax)\n movdqu %%xmm3, 216(%%rax)\n"
        "movdqu %%xmm4, 232(%%rax)\n movdqu %%xmm5, 248(%%rax)\n movdqu %%xmm6, 264(%%rax)\n movdqu %%xmm7, 280(%%rax)\n"
        "movdqu %%xmm8, 296(%%rax)\n movdqu %%xmm9, 312(%%rax)\n movdqu %%xmm10, 328(%%rax)\n movdqu %%xmm11, 344(%%rax)\n"
        "movdqu %%xmm12, 360(%%rax)\n movdqu %%xmm13, 376(%%rax)\n movdqu %%xmm14, 392(%%rax)\n movdqu %%xmm15, 408(%%rax)\n"
        "stmxcsr 504(%%rax)\n fnstcw 508(%%rax)\n fstpt 424(%%rax)\n fstpt 440(%%rax)\n"
        "add $256, %%rsp\n"
        "pop %%r15\n pop %%r14\n pop %%r13\n pop %%r12\n pop %%rbp\n pop %%rbx\n"
        : [result] "=m"(callResult)
        : [before] "D"(before), [after] "S"(after), [first] "m"(callFirst), [second] "m"(callSecond), [number] "m"(callNumber)
        : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
          "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    uint32_t usual = 0x1f80;
    uint16_t control = 0x37f;
    __asm__ volatile("ldmxcsr %0\n fninit\n fldcw %1" : : "m"(usual), "m"(control));
}

static Registers pattern(void) {
    Registers set;
    memset(&set, 0, sizeof set);
    for (int i = 0; i < 5; i++) set.general[i] = 0x1111111111111111ull * (i + 1);
    for (int i = 0; i < 3; i++) set.redZone[i] = 0xfeedfacecafebeefull;
    for (int i = 0; i < 256; i++) set.vector[i / 16][i % 16] = (uint8_t)(i * 7 + 1);
    set.mxcsr = 0x1f80 | 0x6000; /* round to zero */
    set.control = 0x77f;         /* round down */
    long double one = 1, less = -1;
    memcpy(set.x87, &one, 10);
    memcpy(set.x87 + 16, &less, 10);
    return set;
}

static int keeps(long number, long first, long second) {
    _Static_assert(__builtin_offsetof(Registers, vector) == 168 && __builtin_offsetof(Registers, x87) == 424 &&
                   __builtin_offsetof(Registers, mxcsr) == 504 && __builtin_offsetof(Registers, control) == 508, "layout");
    Registers before = pattern(), after;
    memset(&after, 0, sizeof after);
    callNumber = number, callFirst = first, callSecond = second;
    across(&before, &after);
    return memcmp(&before, &after, sizeof before) == 0;
}

/* A handler that destroys what it may. */
static void wrecking(int number, siginfo_t *info, void *context) {
    (void)info;
    count++;
    char wide[2048];
    memset((void *)wide, 0xa5, sizeof wide);
    __asm__ volatile("" : : "r"(wide) : "memory");
    uint32_t other = 0x1f80;
    __asm__ volatile(
        "fninit\n fldz\n ldmxcsr %0\n pxor %%xmm0, %%xmm0\n pxor %%xmm5, %%xmm5\n pxor %%xmm15, %%xmm15\n"
        "xor %%ebx, %%ebx\n xor %%r12d, %%r12d\n xor %%r13d, %%r13d\n xor %%r14d, %%r14d\n xor %%r15d, %%r15d"
        : : "m"(other) : "rbx", "r12", "r13", "r14", "r15", "xmm0", "xmm5", "xmm15", "memory");
    if (number == SIGILL) ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

__attribute__((target("avx"))) static int wideKeeps(long number, long first, long second) {
    __m256i set[4], got[4];
    for (int i = 0; i < 4; i++) memset(&set[i], 0x30 + i, 32);
    long result = number;
    __asm__ volatile(
        "vmovdqu 0(%1), %%ymm0\n vmovdqu 32(%1), %%ymm6\n vmovdqu 64(%1), %%ymm9\n vmovdqu 96(%1), %%ymm15\n"
        "syscall\n"
        "vmovdqu %%ymm0, 0(%2)\n vmovdqu %%ymm6, 32(%2)\n vmovdqu %%ymm9, 64(%2)\n vmovdqu %%ymm15, 96(%2)\n vzeroupper\n"
        : "+a"(result)
        : "r"(set), "r"(got), "D"(first), "S"(second)
        : "rcx", "r11", "memory", "xmm0", "xmm6", "xmm9", "xmm15");
    return memcmp(set, got, sizeof set) == 0;
}

static void registers(void) {
    int good = 1;
    for (int i = 0; i < 100; i++) good &= keeps(SYS_getpid, 0, 0);
    CHECK("registers over a trap", good && callResult == getpid());
    CHECK("over an unknown system call", keeps(444444, 0, 0) && callResult == -ENOSYS);
    CHECK("over a call that waits", keeps(SYS_nanosleep, (long)&(struct timespec){0, 2000000}, 0) && callResult == 0);
    install(SIGUSR1, wrecking, 0);
    count = 0;
    CHECK("over a handler", keeps(SYS_kill, getpid(), SIGUSR1) && count == 1 && callResult == 0);
    install(SIGUSR1, wrecking, SA_ONSTACK);
    sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, 0);
    CHECK("over a handler on the other stack", keeps(SYS_kill, getpid(), SIGUSR1) && count == 2);
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, 0);
    install(SIGILL, wrecking, 0);
    CHECK("over a fault's handler", keeps(-1, 0, 0) && count == 3);
    pid_t parent = getpid();
    int kept = keeps(SYS_fork, 0, 0);
    if (getpid() != parent) _exit(kept && callResult == 0 ? 0 : 1);
    CHECK("over fork, in the parent", kept && callResult > 0);
    CHECK("over fork, in the child", endOf((pid_t)callResult) == 0);
    if (__builtin_cpu_supports("avx")) {
        CHECK("AVX over a trap", wideKeeps(SYS_getpid, 0, 0));
        CHECK("AVX over a handler", wideKeeps(SYS_kill, getpid(), SIGUSR1) && count == 4);
        pid_t maker = getpid();
        kept = wideKeeps(SYS_fork, 0, 0);
        if (getpid() != maker) _exit(kept ? 0 : 1);
        CHECK("AVX over fork, in the parent", kept);
        int status;
        CHECK("AVX over fork, in the child", wait(&status) > 0 && status == 0);
    } else {
        say("ok AVX over a trap\nok AVX over a handler\nok AVX over fork, in the parent\nok AVX over fork, in the child");
    }
    uint64_t flags, rcx = 1, r11 = 1, next;
    __asm__ volatile("pushf\n pop %0\n lea 1f(%%rip), %3\n mov %4, %%eax\n syscall\n1: mov %%rcx, %1\n mov %%r11, %2"
                     : "=&r"(flags), "=&r"(rcx), "=&r"(r11), "=&r"(next)
                     : "i"(SYS_getuid)
                     : "rax", "rcx", "r11", "memory");
    CHECK("rcx is the next instruction", rcx == next);
    CHECK("r11 is the flags", (r11 & 0xcd5) == (flags & 0xcd5));
}
