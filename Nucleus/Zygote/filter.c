/* filter.c: the seccomp filter of every guest. It is interception, not trust: whatever runs at the stub's addresses
 * (a guest may jump there) gets only calls that cannot touch anything outside its own process; all other code gets
 * SIGSYS for every call of every architecture. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include "host.h"

#define NR 0
#define ARCH 4
#define IP_LO 8
#define IP_HI 12
#define ARG_LO(i) (16 + 8 * (i))
#define ARG_HI(i) (20 + 8 * (i))
#define LD(off) { BPF_LD | BPF_W | BPF_ABS, 0, 0, off }
#define JEQ(k, t, f) { BPF_JMP | BPF_JEQ | BPF_K, t, f, k }
#define JGE(k, t, f) { BPF_JMP | BPF_JGE | BPF_K, t, f, k }
#define JSET(k, t, f) { BPF_JMP | BPF_JSET | BPF_K, t, f, k }
#define RET(k) { BPF_RET | BPF_K, 0, 0, k }
#define ALLOW RET(SECCOMP_RET_ALLOW)
#define PERM RET(SECCOMP_RET_ERRNO | 1)
/* One allowed call: falls through to the next test. */
#define CALL(n) JEQ(n, 0, 1), ALLOW

/* A new process or thread that stays under the nucleus: never a namespace, a pidfd, ptrace or another parent. */
#define CLONE_OK (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT | 0xff)

long install_filter(void) {
    static const struct sock_filter code[] = {
        LD(ARCH), JEQ(AUDIT_ARCH_X86_64, 1, 0), RET(SECCOMP_RET_TRAP),
        LD(IP_HI), JEQ((uint32_t)(MB_STUB_BASE >> 32), 1, 0), RET(SECCOMP_RET_TRAP),
        LD(IP_LO), JGE((uint32_t)MB_STUB_BASE, 1, 0), RET(SECCOMP_RET_TRAP),
        JGE((uint32_t)(MB_STUB_BASE + MB_STUB_SPAN), 0, 1), RET(SECCOMP_RET_TRAP),
        LD(NR),
        CALL(__NR_futex), CALL(__NR_sched_yield), CALL(__NR_rt_sigreturn), CALL(__NR_mmap), CALL(__NR_munmap),
        CALL(__NR_mprotect), CALL(__NR_madvise), CALL(__NR_mremap), CALL(__NR_close), CALL(__NR_recvmsg),
        CALL(__NR_sigaltstack), CALL(__NR_exit), CALL(__NR_exit_group), CALL(__NR_arch_prctl), CALL(__NR_getppid),
        /* write: only the event descriptor, only 8 bytes */
        JEQ(__NR_write, 0, 6), LD(ARG_LO(0)), JEQ(MB_FD_EVENT, 0, 3), LD(ARG_LO(2)), JEQ(8, 0, 1), ALLOW, PERM,
        /* prctl: exactly PR_SET_PDEATHSIG, SIGKILL */
        JEQ(__NR_prctl, 0, 6), LD(ARG_LO(0)), JEQ(PR_SET_PDEATHSIG, 0, 3), LD(ARG_LO(1)), JEQ(9, 0, 1), ALLOW, PERM,
        /* clone: CLONE_PARENT or CLONE_THREAD, and nothing but CLONE_OK */
        JEQ(__NR_clone, 0, 6), LD(ARG_HI(0)), JEQ(0, 0, 4), LD(ARG_LO(0)), JSET(~(uint32_t)CLONE_OK, 2, 0),
        JSET(CLONE_PARENT | CLONE_THREAD, 0, 1), ALLOW,
        PERM,
    };
    struct { uint16_t len; const struct sock_filter *filter; } program = { sizeof code / sizeof code[0], code };
    long r = host6(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
    return r ? r : host3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
