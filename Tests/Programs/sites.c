/* Call sites that a system may rewrite: whatever it makes of them, the program must not notice. */
#include "check.h"
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <ucontext.h>

#define HOT 200
#define ARCH_SET_GS 0x1001
#define ARCH_GET_GS 0x1004

/* A page of its own for each, so that one may be changed without the others. */
#define SITE(name, takes, body) \
    __asm__(".text\n.balign 4096\n nop\n" #name ":\n" body "\n ret\n .balign 4096"); \
    long name takes
SITE(plain, (void), "mov $110, %eax\n syscall");
SITE(changed, (void), "mov $110, %eax\n syscall");
SITE(moved, (void), "mov $110, %eax\n syscall");
SITE(stepped, (void), "mov $110, %eax\n syscall");
SITE(gs, (void), "mov $110, %eax\n syscall");
SITE(prefixed, (void), "mov $110, %eax\n .byte 0x41\n mov $110, %eax\n syscall"); /* the second one is mov $110,%r8d */
SITE(any, (long), "mov %edi, %eax\n syscall\n cmp $-4095, %rax\n jae 1f\n ret\n .balign 32\n1: neg %rax"); /* as libc's syscall() */
SITE(bytes, (int, void *, long), "xor %eax, %eax\n syscall\n ret\n .balign 16");                              /* as its read() */
SITE(steppedToo, (long), "mov %edi, %eax\n syscall\n ret\n .balign 16");
SITE(within, (void), "mov $39, %eax\n jmp plain + 5"); /* to the syscall instruction of the other */

static pid_t parent;

static int hot(long (*site)(void), long wanted) {
    for (int i = 0; i < HOT; i++)
        if (site() != wanted) return 0;
    return 1;
}

/* All that a syscall instruction leaves alone, and the two registers that it does not. */
__attribute__((noinline)) static int keeps(void) {
    uint64_t seen[7], pattern[2] = {0x0123456789abcdefull, 0xfedcba9876543210ull};
    memcpy(seen, pattern, 16);
    __asm__ volatile(
        "push %%rbx\n push %%rbp\n push %%r12\n push %%r13\n push %%r14\n push %%r15\n sub $512, %%rsp\n mov %%rax, 400(%%rsp)\n"
        "movdqu (%%rax), %%xmm7\n mov $77, %%edi\n mov $78, %%esi\n mov $79, %%edx\n mov $80, %%r10d\n mov $81, %%r8d\n mov $82, %%r9d\n"
        "mov $83, %%ebx\n mov $84, %%ebp\n mov $85, %%r12d\n mov $86, %%r13d\n mov $87, %%r14d\n mov $88, %%r15d\n"
        "movq $99, -136(%%rsp)\n mov $0x7fffffff, %%eax\n add $1, %%eax\n stc\n" /* the far end of the red zone; OF SF AF PF CF */
        "call plain\n"
        "pushf\n pop 408(%%rsp)\n mov 400(%%rsp), %%rax\n movdqu %%xmm7, (%%rax)\n mov %%rcx, 16(%%rax)\n mov %%r11, 24(%%rax)\n"
        "add %%rsi, %%rdi\n add %%rdx, %%rdi\n add %%r10, %%rdi\n add %%r8, %%rdi\n add %%r9, %%rdi\n add %%rbx, %%rdi\n"
        "add %%rbp, %%rdi\n add %%r12, %%rdi\n add %%r13, %%rdi\n add %%r14, %%rdi\n add %%r15, %%rdi\n mov %%rdi, 32(%%rax)\n"
        "mov 408(%%rsp), %%rcx\n mov %%rcx, 40(%%rax)\n mov -136(%%rsp), %%rcx\n mov %%rcx, 48(%%rax)\n"
        "add $512, %%rsp\n pop %%r15\n pop %%r14\n pop %%r13\n pop %%r12\n pop %%rbp\n pop %%rbx"
        : : "a"(seen) : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc", "xmm7");
    return memcmp(seen, pattern, 16) == 0 && seen[2] == (uint64_t)plain + 7 && (seen[3] & 0x8d5) == 0x895 &&
           seen[4] == 12 * 77 + 66 && (seen[5] & 0x8d5) == 0x895 && seen[6] == 99;
}

static int prefixKept(void) {
    uint64_t r8;
    long result;
    for (int i = 0; i < HOT; i++) {
        __asm__ volatile("call prefixed\n mov %%r8, %1" : "=a"(result), "=r"(r8) : : "rcx", "r8", "r11", "memory");
        if (result != parent || r8 != 110) return 0;
    }
    return 1;
}

/* read(2) by a site that loads its number by xor. */
static int reads(void) {
    int ends[2];
    pipe(ends);
    for (int i = 0; i < HOT; i++) {
        unsigned char byte = 0, sent = (unsigned char)i;
        write(ends[1], &sent, 1);
        if (bytes(ends[0], &byte, 1) != 1 || byte != sent) return 0;
    }
    close(ends[0]);
    close(ends[1]);
    return 1;
}

static int numbers(void) {
    for (int i = 0; i < HOT; i++)
        if (any(39) != getpid() || any(110) != parent || any(9999) != ENOSYS) return 0;
    return 1;
}

static int isOriginal(const unsigned char *code, uint32_t number) {
    unsigned char wanted[7] = {0xb8, number, number >> 8, number >> 16, number >> 24, 0x0f, 0x05};
    return memcmp(code, wanted, 7) == 0;
}

static void text(void) {
    unsigned char code[7];
    int self = open("/proc/self/exe", O_RDONLY);
    long offset;
    /* The file and memory differ by a constant within the text. */
    struct { uint64_t address, size, offset; } load = {0};
    unsigned char header[4096];
    pread(self, header, sizeof header, 0);
    uint64_t programs = *(uint64_t *)(header + 32);
    for (int i = 0; i < *(uint16_t *)(header + 56); i++) {
        unsigned char *p = header + programs + i * 56;
        if (*(uint32_t *)p != 1 || !(*(uint32_t *)(p + 4) & 1)) continue;
        load.offset = *(uint64_t *)(p + 8), load.address = *(uint64_t *)(p + 16), load.size = *(uint64_t *)(p + 32);
    }
    offset = (long)((uint64_t)plain - load.address + load.offset);
    CHECK("a file is what it was", pread(self, code, 7, offset) == 7 && isOriginal(code, 110));
    CHECK("text that becomes writable", hot(changed, parent) &&
          mprotect((void *)((uint64_t)changed & ~4095ull), 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
    CHECK("is the program's own", isOriginal((void *)changed, 110));
    *(unsigned char *)((uint64_t)changed + 1) = 39;
    CHECK("and runs as it is changed", hot(changed, getpid()));

    uint64_t page = ((uint64_t)moved & ~4095ull);
    unsigned char *copy = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, self, (long)(page - load.address + load.offset));
    long (*there)(void) = (long (*)(void))(copy + ((uint64_t)moved & 4095));
    CHECK("text mapped by hand", copy != MAP_FAILED && hot(there, parent));
    unsigned char *room = mmap(0, 1 << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *gone = mremap(copy, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, room + 8192);
    there = (long (*)(void))(gone + ((uint64_t)moved & 4095));
    CHECK("and moved", gone == room + 8192 && hot(there, parent));
    munmap(gone, 4096);
    unsigned char *again = mmap(gone, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    there = (long (*)(void))again;
    int good = 1;
    for (int i = 0; i < 40; i++) { /* made as it runs: getpid and getppid in turn */
        unsigned char jit[] = {0x90, 0xb8, i & 1 ? 39 : 110, 0, 0, 0, 0x0f, 0x05, 0xc3};
        memcpy(again, jit, sizeof jit);
        good &= hot(there, i & 1 ? getpid() : parent);
    }
    CHECK("code that is made as it runs", good);
    mprotect(again, 4096, PROT_READ | PROT_EXEC);
    CHECK("and is then protected", hot(there, getpid()));
    close(self);
}

/* Memory where a system might keep what the sites lead to. */
static void neighbours(void) {
    int good = 1;
    for (int i = 0; i < 8; i++) {
        uint64_t at = (((uint64_t)plain + (1ull << 30)) & ~0xffffull) + i * (16ull << 20) - (1 << 20);
        char *here = mmap((void *)at, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (here == MAP_FAILED) continue;
        for (int p = 0; p < 512; p++) good &= here[p << 12] == 0;
        memset(here, 0xcc, 2 << 20);
        good &= hot(plain, parent) && hot(moved, parent);
    }
    CHECK("memory mapped about them", good);
}

static volatile sig_atomic_t outside, seen;
static uint64_t vdso;

static void watching(int number, siginfo_t *info, void *context) {
    (void)number, (void)info;
    extern const char __executable_start[], etext[];
    uint64_t rip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    if (!(rip >= (uint64_t)__executable_start && rip < (uint64_t)etext) && !(rip >= vdso && rip < vdso + 8192)) outside++;
    seen++;
}

static volatile sig_atomic_t steps;
static void stepping(int number, siginfo_t *info, void *context) {
    (void)number, (void)info;
    uint64_t rip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP], start = (uint64_t)stepped & ~4095ull;
    if (++steps > 1000) _exit(98);
    if (rip == start + 6) seen++; /* between the two instructions */
}

static void signals(void) {
    struct sigaction action = {.sa_sigaction = watching, .sa_flags = SA_SIGINFO | SA_RESTART};
    vdso = getauxval(AT_SYSINFO_EHDR);
    sigaction(SIGALRM, &action, 0);
    struct itimerval often = {{0, 300}, {0, 300}}, off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &often, 0);
    int good = 1;
    for (int i = 0; seen < 300; i++) good &= plain() == parent;
    setitimer(ITIMER_REAL, &off, 0);
    CHECK("interrupted anywhere", good);
    CHECK("the program is where it thinks it is", outside == 0);
    action.sa_sigaction = stepping;
    sigaction(SIGTRAP, &action, 0);
    good = hot(stepped, parent);
    seen = 0;
    long result;
    __asm__ volatile("sub $128, %%rsp\n pushf\n orl $0x100, (%%rsp)\n popf\n call stepped\n pushf\n andl $~0x100, (%%rsp)\n popf\n add $128, %%rsp"
                     : "=a"(result) : : "rcx", "r11", "memory", "cc");
    CHECK("step by step", good && result == parent && seen == 1);
    for (int i = 0; i < HOT; i++) good &= steppedToo(110) == parent;
    steps = 0;
    __asm__ volatile("sub $128, %%rsp\n mov $110, %%edi\n pushf\n orl $0x100, (%%rsp)\n popf\n call steppedToo\n pushf\n andl $~0x100, (%%rsp)\n popf\n add $128, %%rsp"
                     : "=a"(result) : : "rdi", "rcx", "r11", "memory", "cc");
    CHECK("and from a register", good && result == parent);
    for (int i = 0; i < HOT; i++) good &= syscall(SYS_getppid) == parent;
    action.sa_sigaction = stepping;
    long (*library)(long, ...) = syscall;
    __asm__ volatile("sub $128, %%rsp\n mov $110, %%edi\n pushf\n orl $0x100, (%%rsp)\n popf\n call *%1\n pushf\n andl $~0x100, (%%rsp)\n popf\n add $128, %%rsp"
                     : "=a"(result) : "r"(library) : "rdi", "rsi", "rdx", "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
    CHECK("and in the library", good && result == parent);
    say("%d steps", steps);
}

static uint64_t before[512], mine[512];
static void segment(void) {
    if (!(getauxval(AT_HWCAP2) & 2)) { /* no wrgsbase for programs */
        say("ok a %%gs of its own\nok nothing is written there\nok arch_prctl\nok is kept too\nok by a child as well");
        return;
    }
    uint64_t base;
    for (int i = 0; i < 512; i++) before[i] = mine[i] = 0x1111 * (uint64_t)i;
    int good = hot(gs, parent);
    __asm__ volatile("wrgsbase %0" : : "r"((uint64_t)mine));
    good &= hot(gs, parent);
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    CHECK("a %gs of its own", good && base == (uint64_t)mine);
    CHECK("nothing is written there", memcmp(before, mine, sizeof mine) == 0);
    CHECK("arch_prctl", syscall(SYS_arch_prctl, ARCH_SET_GS, before) == 0 && syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0 &&
          base == (uint64_t)before);
    good = hot(gs, parent);
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    CHECK("is kept too", good && base == (uint64_t)before && memcmp(before, mine, sizeof mine) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        __asm__ volatile("rdgsbase %0" : "=r"(base));
        _exit(base == (uint64_t)before && hot(gs, getppid()) ? 0 : 1);
    }
    int status;
    CHECK("by a child as well", waitpid(pid, &status, 0) == pid && status == 0);
    syscall(SYS_arch_prctl, ARCH_SET_GS, 0);
}

/* Many sites, found hot by many threads at once. */
__asm__(".text\n.balign 16\nmany:\n.rept 256\n mov $110, %eax\n syscall\n ret\n .balign 16\n.endr\n");
extern char many[];
static void *running(void *from) {
    long bad = 0;
    for (int round = 0; round < 60; round++)
        for (int i = 0; i < 256; i++) bad += ((long (*)(void))(many + ((i + (long)from) % 256) * 16))() != parent;
    return (void *)bad;
}

static void threads(void) {
    pthread_t list[4];
    long bad = 0;
    for (long i = 0; i < 4; i++) pthread_create(&list[i], 0, running, (void *)(i * 37));
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(list[i], &result);
        bad += (long)result;
    }
    CHECK("many threads in many sites", bad == 0);
}

static void children(void) {
    int status;
    volatile int good = 1;
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        good = hot(plain, self);
        pid = fork();
        if (pid == 0) {
            mprotect((void *)((uint64_t)plain & ~4095ull), 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
            _exit(isOriginal((void *)plain, 110) && hot(plain, getppid()) ? 0 : 1);
        }
        good &= waitpid(pid, &status, 0) == pid && status == 0;
        _exit(good && hot(plain, self) ? 0 : 1);
    }
    CHECK("a child and its child", waitpid(pid, &status, 0) == pid && status == 0);
    for (int i = 0; i < 20; i++) {
        pid = vfork();
        if (pid == 0) _exit(hot(plain, self) && hot(stepped, self) ? 0 : 1);
        good &= waitpid(pid, &status, 0) == pid && status == 0;
    }
    CHECK("children that share the memory", good && hot(plain, parent) && hot(stepped, parent));
}

int main(int argc, char **argv) {
    parent = getppid();
    if (argc > 1 && strcmp(argv[1], "look") == 0) { /* not compared with a native run */
        say(hot(plain, parent) && isOriginal((void *)plain, 110) ? "as compiled" : "rewritten");
        say(numbers() && memcmp((char *)any + 2, "\x0f\x05", 2) == 0 ? "as compiled" : "rewritten");
        return 0;
    }
    CHECK("called often", hot(plain, parent));
    CHECK("registers, flags, red zone", keeps());
    CHECK("a jump to the syscall instruction", hot(within, getpid()) && hot(plain, parent));
    CHECK("a number from a register", numbers());
    CHECK("a number by xor", reads());
    CHECK("a prefix before the load", prefixKept());
    text();
    threads();
    signals();
    segment();
    children();
    neighbours();
    return finish();
}
