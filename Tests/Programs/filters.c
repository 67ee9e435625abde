/* filters: seccomp(2): strict mode, filters and what they say, inheritance, what Linux refuses to load. */
#include "check.h"
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

struct instruction { uint16_t code; uint8_t yes, no; uint32_t k; };
struct program { uint16_t length; struct instruction *code; };
struct data { int number; uint32_t machine; uint64_t at, arguments[6]; };

enum { LD = 0x20, JEQ = 0x15, JGT = 0x25, RET = 0x06, AND = 0x54, ST = 0x02, LDM = 0x60, DIV = 0x34 };
enum { KILL = 0, KILL_PROCESS = 0x80000000, TRAP = 0x30000, ERRNO = 0x50000, TRACE = 0x7ff00000, LOG = 0x7ffc0000, ALLOW = 0x7fff0000 };

static long load(unsigned flags, struct instruction *code, int length) {
    struct program program = {length, code};
    return syscall(SYS_seccomp, 1, flags, &program);
}

/* One call gets an answer, all others go on. */
static long answer(int number, uint32_t says) {
    struct instruction code[] = {{LD, 0, 0, 0}, {JEQ, 0, 1, number}, {RET, 0, 0, says}, {RET, 0, 0, ALLOW}};
    return load(0, code, 4);
}

static volatile siginfo_t seen;
static void note(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    seen = *info;
}

static void loading(void) {
    struct instruction allow = {RET, 0, 0, ALLOW};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    CHECK("none at first", prctl(PR_GET_SECCOMP) == 0);
    CHECK("a filter", load(0, &allow, 1) == 0 && prctl(PR_GET_SECCOMP) == 2);
    ERROR("no instructions", load(0, &allow, 0), EINVAL);
    ERROR("unknown flags", load(1u << 30, &allow, 1), EINVAL);
    struct instruction noReturn[] = {{LD, 0, 0, 0}};
    ERROR("no return", load(0, noReturn, 1), EINVAL);
    struct instruction behind[] = {{LD, 0, 0, 64}, allow}, between[] = {{LD, 0, 0, 2}, allow}, packet[] = {{0x28, 0, 0, 0}, allow};
    ERROR("behind the data", load(0, behind, 2), EINVAL);
    ERROR("between its words", load(0, between, 2), EINVAL);
    ERROR("a half word", load(0, packet, 2), EINVAL);
    struct instruction out[] = {{JEQ, 5, 0, 0}, allow}, zero[] = {{DIV, 0, 0, 0}, allow}, unset[] = {{LDM, 0, 0, 3}, allow};
    ERROR("a jump out", load(0, out, 2), EINVAL);
    ERROR("a division by zero", load(0, zero, 2), EINVAL);
    ERROR("memory not written", load(0, unset, 2), EINVAL);
    struct instruction half[] = {{JEQ, 0, 1, 7}, {ST, 0, 0, 3}, {LDM, 0, 0, 3}, allow}, set[] = {{ST, 0, 0, 3}, {LDM, 0, 0, 3}, allow};
    ERROR("written on one way only", load(0, half, 4), EINVAL);
    CHECK("memory", load(0, set, 3) == 0);
    ERROR("then no strict mode", syscall(SYS_seccomp, 0, 0, NULL), EINVAL);
    uint32_t says = ERRNO, unknown = 0x12340000;
    CHECK("SECCOMP_GET_ACTION_AVAIL", syscall(SYS_seccomp, 2, 0, &says) == 0);
    ERROR("of an unknown one", syscall(SYS_seccomp, 2, 0, &unknown), EOPNOTSUPP);
    ERROR("an unknown operation", syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
}

static void unprivileged(void) {
    struct instruction allow = {RET, 0, 0, ALLOW};
    setresgid(99, 99, 99);
    setresuid(99, 99, 99);
    ERROR("not for everybody", load(0, &allow, 1), EACCES);
    CHECK("but without new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && load(0, &allow, 1) == 0);
}

static void answers(void) {
    struct utsname name;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    answer(SYS_uname, ERRNO | 77);
    ERROR("ERRNO", syscall(SYS_uname, &name), 77);
    CHECK("others go on", getppid() > 0);
    answer(SYS_uname, ERRNO | 5);
    ERROR("of two the newer", syscall(SYS_uname, &name), 5);
    answer(SYS_uname, LOG);
    ERROR("and the stricter", syscall(SYS_uname, &name), 5);
    answer(SYS_getppid, LOG);
    CHECK("LOG", getppid() > 0);
    answer(SYS_sysinfo, TRACE | 1);
    ERROR("TRACE without a tracer", syscall(SYS_sysinfo, NULL), ENOSYS);
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    answer(SYS_times, TRAP | 33);
    long result = syscall(SYS_times, 1, 2, 3);
    CHECK("TRAP", seen.si_signo == SIGSYS && seen.si_code == 1 && seen.si_errno == 33 && result == SYS_times);
    const uint32_t *words = (const uint32_t *)&seen;
    CHECK("says which call", words[6] == SYS_times && words[7] == 0xc000003e);
    /* By an argument: only personality(0xffffffff) may be asked. */
    struct instruction code[] = {{LD, 0, 0, 0}, {JEQ, 0, 3, SYS_personality}, {LD, 0, 0, offsetof(struct data, arguments)}, {JEQ, 1, 0, 0xffffffff},
                                 {RET, 0, 0, ERRNO | EPERM}, {RET, 0, 0, ALLOW}};
    CHECK("by an argument", load(0, code, 6) == 0 && syscall(SYS_personality, 0xffffffff) >= 0);
    ERROR("or another", syscall(SYS_personality, 8), EPERM);
    pid_t pid = fork();
    if (pid == 0) _exit(syscall(SYS_uname, &name) == -1 ? errno : 0);
    CHECK("inherited", endOf(pid) == 5);
}

static void *other(void *unused) {
    (void)unused;
    syscall(SYS_times, 0);
    return NULL;
}

static int ending(uint32_t says, int inThread) {
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        answer(SYS_times, says);
        pthread_t thread;
        if (inThread) {
            pthread_create(&thread, NULL, other, NULL);
            napMs(100);
            _exit(7);
        }
        syscall(SYS_times, 0);
        _exit(8);
    }
    return endOf(pid);
}

static void ends(void) {
    CHECK("KILL_PROCESS", ending(KILL_PROCESS, 0) == 1000 + SIGSYS);
    CHECK("of all threads", ending(KILL_PROCESS, 1) == 1000 + SIGSYS);
    CHECK("KILL_THREAD", ending(KILL, 0) == 1000 + SIGSYS);
    CHECK("and no other", ending(KILL, 1) == 7);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_SECCOMP, 1);
        write(1, "", 0);
        syscall(SYS_exit, 5);
    }
    CHECK("strict mode", endOf(pid) == 5);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_SECCOMP, 1);
        syscall(SYS_getpid);
        syscall(SYS_exit, 5);
    }
    CHECK("is strict", endOf(pid) == 1000 + SIGKILL);
}

static volatile int stage;
static long threadSays;
static void *asking(void *unused) {
    (void)unused;
    while (stage == 0) napMs(1);
    threadSays = syscall(SYS_times, 0) == -1 ? errno : 0;
    return NULL;
}

static void synchronized(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, asking, NULL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    struct instruction code[] = {{LD, 0, 0, 0}, {JEQ, 0, 1, SYS_times}, {RET, 0, 0, ERRNO | 44}, {RET, 0, 0, ALLOW}};
    CHECK("SECCOMP_FILTER_FLAG_TSYNC", load(1, code, 4) == 0);
    stage = 1;
    pthread_join(thread, NULL);
    CHECK("holds for all threads", threadSays == 44);
}

int main(void) {
    void (*const parts[])(void) = {loading, unprivileged, answers, ends, synchronized};
    runApart(parts, sizeof parts / sizeof *parts);
    return finish();
}
