/* hostile-rehearse.h: a seccomp filter that refuses all but what the frame of `hostile` itself uses. */

static int rehearse(void) {
    struct { uint16_t code; uint8_t yes, no; uint32_t value; } program[64];
    static const unsigned allowed[] = {SYS_write, SYS_dup2, SYS_fork, SYS_clone, SYS_wait4, SYS_exit, SYS_exit_group,
        SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_nanosleep, SYS_clock_nanosleep, SYS_clock_gettime,
        SYS_alarm, SYS_kill, SYS_setpgid, SYS_gettid, SYS_getpid, SYS_set_robust_list};
    unsigned length = 0, count = sizeof allowed / sizeof *allowed;
    const uint32_t refuse = 0x00050000 | EPERM, allow = 0x7fff0000;
    program[length++] = (typeof(*program)){0x20, 0, 0, 4};                /* the architecture */
    program[length++] = (typeof(*program)){0x15, 1, 0, 0xc000003e};       /* x86-64, or */
    program[length++] = (typeof(*program)){0x06, 0, 0, refuse};           /* refused */
    program[length++] = (typeof(*program)){0x20, 0, 0, 0};                /* the number */
    /* clone and mmap only in the shapes the frame uses: a fork, anonymous memory */
    program[length++] = (typeof(*program)){0x15, 0, 3, SYS_mmap};
    program[length++] = (typeof(*program)){0x20, 0, 0, 16 + 8 * 3};
    program[length++] = (typeof(*program)){0x15, 0, (uint8_t)(1), 0x21};
    program[length++] = (typeof(*program)){0x06, 0, 0, allow};
    program[length++] = (typeof(*program)){0x20, 0, 0, 0};
    for (unsigned i = 0; i < count; i++)
        program[length + i] = (typeof(*program)){0x15, (uint8_t)(count - i), 0, allowed[i]};
    length += count;
    program[length++] = (typeof(*program)){0x06, 0, 0, refuse};
    program[length++] = (typeof(*program)){0x06, 0, 0, allow};
    struct { uint16_t length; void *program; } filter = {(uint16_t)length, program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, 2, &filter, 0, 0) == 0;
}
