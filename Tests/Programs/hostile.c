/* hostile: does to its host whatever a program can try. It may die of it itself; it must not reach anything else.
 * `hostile` runs every stage; the runner watches the host. Never run it on a bare host: `hostile rehearse` puts it
 * under a filter first that refuses everything but what its own frame needs, to test the program itself. */
#include "check.h"
#include <setjmp.h>
#include <stddef.h>
#include <sys/prctl.h>

#define STUB 0x7fe000000000ull    /* where the machine layer keeps its part of a guest's process */
#define CONTROL 0x7fe000100000ull /* its read-only pages */
#define AREAS 0x7fe100000000ull   /* its mailboxes */
#define PARALLEL 8
#define PATIENCE 150000000LL /* ns for one attempt */

static char buffer[8192];
static char canary[400];
static volatile uint64_t *witness; /* shared with the bystander: its heartbeat and what it saw */

/* A garbage clone may make us the parent (CLONE_PARENT) and name any signal for its end: that is allowed, and shrugged off. */
static void shrug(int number) { (void)number; }
static void onSignals(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    for (int number = 1; number <= 64; number++)
        if (number != SIGCHLD) sigaction(number, &action, 0);
}

typedef void Attempt(long first, long second);

/* Attempts run in children, some at once; who blocks is killed. */
static struct { pid_t pid; int64_t since; } running[PARALLEL];
static long attempts;

static void collect(int all) {
    for (;;) {
        int busy = 0, idle = 0;
        for (int i = 0; i < PARALLEL; i++) {
            if (running[i].pid == 0) { idle++; continue; }
            pid_t got = waitpid(running[i].pid, 0, WNOHANG);
            if (got == 0 && nowNs() - running[i].since > PATIENCE) {
                kill(-running[i].pid, SIGKILL); /* the group: forks of the attempt too */
                kill(running[i].pid, SIGKILL);
                running[i].since = nowNs();
            } else if (got != 0) {
                kill(-running[i].pid, SIGKILL);
                running[i].pid = 0;
                idle++;
                continue;
            }
            busy++;
        }
        if (busy == 0 || (!all && idle > 0)) return;
        napMs(1);
    }
}

static void attempt(Attempt *body, long first, long second) {
    collect(0);
    int free_ = 0;
    while (running[free_].pid != 0) free_++;
    pid_t pid = fork();
    if (pid == 0) {
        onSignals(SIG_DFL);
        setpgid(0, 0);
        int null = open("/dev/null", O_RDWR);
        for (int i = 0; i < 3; i++) dup2(null, i);
        alarm(3);
        body(first, second);
        _exit(0);
    }
    if (pid < 0) {
        say("FAIL fork: %s", strerror(errno));
        failures++;
        return;
    }
    running[free_].pid = pid;
    running[free_].since = nowNs();
    attempts++;
}

static long raw(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return number;
}

static long garbage(int pattern) {
    switch (pattern) {
    case 0: return 0;
    case 1: return -1;
    case 2: return (long)buffer;
    case 3: return (long)STUB;
    default: return 0x5555555555555555;
    }
}

static void anyCall(long number, long pattern) {
    long value = garbage((int)pattern);
    raw(number, value, value, value, value, value, value);
    _exit(0);
}

/* A path of the canary first, then numbers that mean much to many calls. */
static void pathCall(long number, long pattern) {
    static const long flags[] = {0, O_RDWR | O_CREAT | O_TRUNC, 0777, 2};
    raw(number, pattern < 4 ? (long)canary : AT_FDCWD, pattern < 4 ? flags[pattern] : (long)canary, flags[pattern % 4], 0777, 0, 0);
    _exit(0);
}

static void oldCall(long number, long pattern) {
    long value = garbage((int)pattern);
    __asm__ volatile("int $0x80" : "+a"(number) : "b"(value), "c"(value), "d"(value), "S"(value), "D"(value) : "memory");
    _exit(0);
}

/* 32-bit code: a far return into the compatibility segment, there int 0x80 with `number`. */
static void compatibility(long number, long way) {
    unsigned char *code = mmap(0, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | 0x40, -1, 0);
    unsigned char text[] = {0xb8, 0, 0, 0, 0, 0x31, 0xdb, 0x31, 0xc9, 0xcd, 0x80, 0xf4};
    memcpy(text + 1, &(int){(int)number}, 4);
    if (way) text[9] = 0x0f, text[10] = 0x34; /* sysenter */
    memcpy(code, text, sizeof text);
    __asm__ volatile("lea 8000(%0), %%rsp\n push $0x23\n push %0\n lretq" : : "r"(code) : "memory");
}

static void everyCall(void) {
    for (long number = 0; number <= 500; number++) {
        for (long pattern = 0; pattern < 5; pattern++) attempt(anyCall, number, pattern);
        for (long pattern = 0; pattern < 8; pattern++) attempt(pathCall, number, pattern);
        attempt(oldCall, number, number % 5);
        attempt(anyCall, number | 0x40000000, number % 5);
    }
    for (long number = 0; number <= 500; number += 7) attempt(compatibility, number, number & 1);
    static const long odd[] = {-1, -2, 512, 547, 1023, 4096, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000027, 1l << 62};
    for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) attempt(anyCall, odd[i], i % 5);
    collect(1);
}

/* What the stub must not do for anyone who jumps to it: numbers and arguments as the stub's own `syscall` would pass them. */
static const struct { long number, a, b, c; } wishes[] = {
    {SYS_open, (long)canary, O_RDWR | O_TRUNC, 0},     {SYS_openat, AT_FDCWD, (long)canary, O_RDWR | O_TRUNC},
    {SYS_unlink, (long)canary, 0, 0},                  {SYS_rename, (long)canary, (long)buffer, 0},
    {SYS_chmod, (long)canary, 0777, 0},                {SYS_socket, 2, 1, 0},
    {SYS_socket, 16, 3, 0},                            {SYS_kill, 1, SIGTERM, 0},
    {SYS_ptrace, 16, 1, 0},                            {SYS_execve, (long)canary, 0, 0},
    {SYS_fork, 0, 0, 0},                               {SYS_clone, 0x10000000 | SIGCHLD, 0, 0},
    {SYS_prctl, PR_SET_PDEATHSIG, 0, 0},               {SYS_prctl, PR_SET_DUMPABLE, 1, 0},
    {SYS_mount, (long)canary, (long)canary, 0},        {SYS_symlink, (long)canary, (long)buffer, 0},
    {SYS_process_vm_writev, 1, (long)buffer, 1},       {SYS_bpf, 0, (long)buffer, 64},
    {SYS_mkdir, (long)buffer, 0777, 0},                {SYS_setsid, 0, 0, 0},
    {425, 8, (long)buffer, 0} /* io_uring_setup */,    {323, 0, 0, 0} /* userfaultfd */,
};
#define WISHES (long)(sizeof wishes / sizeof *wishes)

static void jumpWith(long target, long wish) {
    static char stack[65536] __attribute__((aligned(4096)));
    long number = wishes[wish].number, a = wishes[wish].a, b = wishes[wish].b, c = wishes[wish].c;
    /* A stack of our own full of an address that ends: whatever `ret` or `pop` the stub does, it comes back here. */
    long *top = (long *)(stack + sizeof stack) - 512;
    for (int i = 0; i < 512; i++) top[i] = (long)(uintptr_t)_exit;
    __asm__ volatile(
        "mov %1, %%rdi\n mov %2, %%rsi\n mov %3, %%rdx\n mov %0, %%rax\n mov %4, %%rcx\n mov %5, %%rsp\n"
        "xor %%r10d, %%r10d\n xor %%r8d, %%r8d\n xor %%r9d, %%r9d\n mov %%rsp, %%rbx\n mov %%rsp, %%rbp\n mov %%rcx, %%r11\n"
        "mov %%rsp, %%r12\n mov %%rdi, %%r13\n mov %%rsi, %%r14\n mov %%rdx, %%r15\n jmp *%%rcx"
        : : "m"(number), "m"(a), "m"(b), "m"(c), "m"(target), "r"(top) : "memory");
    __builtin_unreachable();
}

static sigjmp_buf back;
static void faulted(int number) { siglongjmp(back, number); }

/* Finds `syscall` instructions in the stub, if its text can be read; in a child, since looking may be deadly. */
static long *found; /* shared: count, then addresses */
static void look(long from, long size) {
    signal(SIGSEGV, faulted);
    signal(SIGBUS, faulted);
    for (volatile long page = from; page < from + size; page += 4096) {
        if (sigsetjmp(back, 1) != 0) continue;
        const volatile unsigned char *text = (const volatile unsigned char *)page;
        for (long i = 0; i < 4095; i++)
            if (text[i] == 0x0f && text[i + 1] == 0x05 && found[0] < 400) found[1 + found[0]++] = page + i;
    }
}

static void intoStub(void) {
    found = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    attempt(look, STUB, 1 << 20);
    collect(1);
    for (long i = 0; i < found[0]; i++)
        for (long wish = 0; wish < WISHES; wish++) attempt(jumpWith, found[1 + i], wish);
    for (long offset = 0; offset < 0x4000; offset += 13) attempt(jumpWith, STUB + offset, offset % WISHES);
    for (long page = 0; page < 32; page++) {
        attempt(jumpWith, CONTROL + page * 4096, page % WISHES);
        attempt(jumpWith, AREAS + page * 4096, page % WISHES);
    }
    for (long gate = 0; gate < 3; gate++) attempt(jumpWith, (long)(0xffffffffff600000ull + gate * 1024), 0); /* [vsyscall] */
    collect(1);
}

/* Memory calls, by the ordinary way, on places of the machine layer. */
static void unmap(long where, long size) { raw(SYS_munmap, where, size, 0, 0, 0, 0), raw(SYS_getuid, 0, 0, 0, 0, 0, 0); }
static void open_(long where, long size) { raw(SYS_mprotect, where, size, 7, 0, 0, 0), raw(SYS_getuid, 0, 0, 0, 0, 0, 0); }
static void over(long where, long size) { raw(SYS_mmap, where, size, 7, 0x32, -1, 0), raw(SYS_getuid, 0, 0, 0, 0, 0, 0); }
static void away(long where, long size) { raw(SYS_mremap, where, size, size, 3, 0x10000000, 0), raw(SYS_getuid, 0, 0, 0, 0, 0, 0); }
static void onto(long where, long size) { raw(SYS_mremap, (long)buffer & ~4095l, 4096, size, 3, where, 0), raw(SYS_getuid, 0, 0, 0, 0, 0, 0); }
static void forget(long where, long size) { raw(SYS_madvise, where, size, 4, 0, 0, 0), raw(SYS_getuid, 0, 0, 0, 0, 0, 0); }
static void writeInto(long where, long size) {
    for (long i = 0; i < size; i += 8) *(volatile long *)(where + i) = 0x4141414141414141;
    raw(SYS_getuid, 0, 0, 0, 0, 0, 0);
}
static void readInto(long where, long size) { /* the nucleus as a tool: let it write there for us */
    raw(SYS_read, raw(SYS_open, (long)"/dev/zero", 0, 0, 0, 0, 0), where, size, 0, 0, 0);
    raw(SYS_getuid, 0, 0, 0, 0, 0, 0);
}
static void structInto(long where, long size) { raw(SYS_stat, (long)"/", where + size - 16, 0, 0, 0, 0), raw(SYS_getuid, 0, 0, 0, 0, 0, 0); }

/* The stub's own mailbox, rubbish in every word, while another thread of ours is in a call. */
static void scribble(long where, long seed) {
    pid_t pid = fork();
    unsigned state = (unsigned)seed * 2654435761u;
    for (int round = 0; round < 200; round++) {
        for (long i = 0; i < 64; i++) {
            state = state * 1103515245u + 12345u;
            ((volatile unsigned *)where)[i] = state;
        }
        raw(pid == 0 ? SYS_getppid : SYS_getuid, 0, 0, 0, 0, 0, 0);
    }
}

static void onStub(void) {
    static Attempt *const all[] = {unmap, open_, over, away, onto, forget, writeInto, readInto, structInto};
    static const long places[] = {STUB, STUB + 4096, CONTROL, AREAS, AREAS + 4096, AREAS + 65536, 0x7f0000000000, 0x7fdffffff000,
                                  0x7ffffffff000, (long)0x8000000000000000ull, (long)0xffffffff80000000ull};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++)
        for (unsigned j = 0; j < sizeof all / sizeof *all; j++) {
            attempt(all[j], places[i], 4096);
            attempt(all[j], places[i], 1 << 21);
        }
    attempt(unmap, 0, (long)1 << 47);
    attempt(unmap, 4096, (long)AREAS + (1l << 32));
    attempt(open_, 4096, (long)AREAS + (1l << 32));
    for (long page = 0; page < 32; page++)
        for (long seed = 0; seed < 4; seed++) attempt(scribble, (long)AREAS + page * 4096, seed);
    collect(1);
}

static void visible(void) {
    static char text[65536];
    int fd = open("/proc/self/maps", O_RDONLY), lines = 0, shown = 0;
    size_t size = 0;
    for (ssize_t got; (got = read(fd, text + size, sizeof text - 1 - size)) > 0;) size += got;
    close(fd);
    text[size] = 0;
    for (char *line = text; *line; lines++) {
        unsigned long long from = strtoull(line, &line, 16), to = strtoull(line + 1, &line, 16);
        if (to > STUB && from < AREAS + (1ull << 36)) shown++;
        line = strchr(line, '\n');
        if (!line) break;
        line++;
    }
    CHECK("/proc/self/maps has lines", lines > 3);
    CHECK("and none of the machine layer", shown == 0);
    ERROR("MAP_FIXED there", mmap((void *)STUB, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0,
          ENOMEM);
}

/* A process that did nothing to anybody: it must not notice. */
static pid_t bystander(void) {
    witness = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid != 0) return pid;
    static unsigned char own[1 << 20];
    memset(own, 0x77, sizeof own);
    for (;;) {
        for (size_t i = 0; i < sizeof own; i += 61)
            if (own[i] != 0x77) witness[1]++;
        witness[0]++;
        napMs(5);
    }
}

static void unharmed(const char *stage, pid_t pid) {
    char name[80];
    uint64_t before = witness[0];
    for (int i = 0; i < 400 && witness[0] == before; i++) napMs(5);
    snprintf(name, sizeof name, "after %s the bystander lives", stage);
    CHECK(name, witness[0] != before && kill(pid, 0) == 0);
    snprintf(name, sizeof name, "after %s its memory is whole", stage);
    CHECK(name, witness[1] == 0);
}

#include "hostile-rehearse.h"

int main(int count, char **arguments) {
    int rehearsal = count > 1 && strcmp(arguments[1], "rehearse") == 0;
    const char *folder = getenv("CANARY");
    if (!folder) {
        say("CANARY is not set");
        return 2;
    }
    snprintf(canary, sizeof canary, "%s/plain", folder);
    snprintf(buffer, sizeof buffer, "%s/made", folder);
    onSignals(shrug);
    pid_t pid = bystander();
    if (rehearsal) {
        if (!rehearse()) return 3;
    } else {
        visible();
    }
    everyCall();
    unharmed("every call", pid);
    intoStub();
    unharmed("jumps", pid);
    onStub();
    unharmed("attacks on memory", pid);
    CHECK("attempts were made", attempts > 8000);
    kill(pid, SIGKILL);
    CHECK("the bystander ends when told", endOf(pid) == 1000 + SIGKILL);
    return finish();
}
