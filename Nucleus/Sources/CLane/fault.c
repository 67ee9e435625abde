/* Faults of an actor host's own code: a signal handler asks, on the thread that faulted, whether that goes on. */
#define _GNU_SOURCE
#include "CLane.h"
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ALTSTACK (128u * 1024u)

static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
/* Of the process, set before its first thread. */
static KnLaneFaultHdl asked;
static void *cookie;

/* In the order of KnThreadCtx, up to eflags. */
static const int registers[] = { REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RDI, REG_RSI,
                                 REG_RBP, REG_RBX, REG_RDX, REG_RAX, REG_RCX, REG_RSP, REG_RIP };
#define REGISTERS (sizeof registers / sizeof registers[0])
_Static_assert(offsetof(KnThreadCtx, eflags) == REGISTERS * 8, "registers come first");
#define EFLAGS_USER 0x244dd5ull /* what a program may set */

static void place(uint64_t rip, char *text, size_t size) {
    Dl_info info;
    if (dladdr((void *)(uintptr_t)rip, &info) == 0 || info.dli_fname == NULL) {
        snprintf(text, size, "0x%llx", (unsigned long long)rip);
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    const char *file = slash ? slash + 1 : info.dli_fname;
    const char *symbol = info.dli_sname ? info.dli_sname : "";
    uint64_t base = (uint64_t)(uintptr_t)(info.dli_sname ? info.dli_saddr : info.dli_fbase);
    snprintf(text, size, "%s%s%s+0x%llx", file, info.dli_sname ? "!" : "", symbol, (unsigned long long)(rip - base));
}

static void caught(int number, siginfo_t *info, void *context) {
    const int saved = errno;
    greg_t *now = ((ucontext_t *)context)->uc_mcontext.gregs;
    KnException e = { .service = KN_EXCEPTION, .number = number, .code = info->si_code,
                      .address = (uint64_t)(uintptr_t)info->si_addr };
    uint64_t *words = &e.context.r8;
    for (size_t i = 0; i < REGISTERS; i++) words[i] = (uint64_t)now[registers[i]];
    e.context.eflags = (uint64_t)now[REG_EFL];
    e.context.trapno = (uint64_t)now[REG_TRAPNO];
    e.context.err = (uint64_t)now[REG_ERR];
    e.context.cr2 = (uint64_t)now[REG_CR2];
    char where[KN_LANE_WHERE];
    place(e.context.rip, where, sizeof where);
    /* What somebody sent is no exception of the thread's. */
    if (info->si_code > 0 && asked(cookie, &e, where) == K_CONTEXT) {
        for (size_t i = 0; i < REGISTERS; i++) now[registers[i]] = (greg_t)words[i];
        now[REG_EFL] = (greg_t)((e.context.eflags & EFLAGS_USER) | ((uint64_t)now[REG_EFL] & ~EFLAGS_USER));
        errno = saved;
        return;
    }
    /* It dies of the signal that it is about. */
    signal(number, SIG_DFL);
    syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), number);
}

void kn_lane_catch_faults(KnLaneFaultHdl handler, void *own) {
    asked = handler;
    cookie = own;
    struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigdelset(&action.sa_mask, signals[i]);
    }
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) sigaction(signals[i], &action, NULL);
}

int32_t kn_lane_fault_stack(void) {
    /* A stack that has overflowed cannot be the one to say so. Never given back: threads live as long as the process. */
    char *memory = mmap(NULL, ALTSTACK + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return -errno;
    mprotect(memory, 4096, PROT_NONE);
    const stack_t stack = { .ss_sp = memory + 4096, .ss_size = ALTSTACK };
    return sigaltstack(&stack, NULL) == 0 ? 0 : -errno;
}

const KnSignature *kn_lane_fault_signature(void) {
    static const KnSignature fault = { "fault", K_ARG_I32, 2, 0, {
        { K_ARG_BUF, K_INOUT, K_LEN_FIXED, 0, sizeof(KnException) }, { K_ARG_STR, K_IN, 0, 0, KN_LANE_WHERE } } };
    return &fault;
}
