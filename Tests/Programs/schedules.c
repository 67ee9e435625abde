/* schedules: nice values, policies, processors, I/O priorities (sched(7)), as a program without capabilities. */
#include "check.h"
#include <sys/resource.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t least, most;
};

static int niceOf(pid_t pid) { return 20 - syscall(SYS_getpriority, PRIO_PROCESS, pid); }

static void nices(void) {
    CHECK("nice 0", niceOf(0) == 0 && niceOf(getpid()) == 0);
    CHECK("setpriority", setpriority(PRIO_PROCESS, 0, 5) == 0 && niceOf(0) == 5);
    ERROR("not back", setpriority(PRIO_PROCESS, 0, 4), EACCES);
    CHECK("cut at 19", setpriority(PRIO_PROCESS, 0, 100) == 0 && niceOf(0) == 19);
    ERROR("of whom", setpriority(7, 0, 0), EINVAL);
    ERROR("of nobody", setpriority(PRIO_PROCESS, 1 << 22, 0), ESRCH);
    ERROR("of nobody's", syscall(SYS_getpriority, PRIO_PGRP, 1 << 22), ESRCH);
    pid_t pid = fork();
    if (pid == 0) _exit(niceOf(0));
    CHECK("inherited", endOf(pid) == 19);
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        if (fork() == 0) {
            pause();
            _exit(0);
        }
        int nice = setpriority(PRIO_PGRP, 0, 19) == 0 ? 20 - syscall(SYS_getpriority, PRIO_PGRP, 0) : -1;
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
        _exit(nice);
    }
    CHECK("of a group", endOf(pid) == 19);
    struct rlimit limit = {.rlim_cur = 0, .rlim_max = 0};
    getrlimit(RLIMIT_NICE, &limit);
    CHECK("RLIMIT_NICE", limit.rlim_cur == 0);
}

static void policies(void) {
    struct sched_param none = {0}, ten = {.sched_priority = 10};
    CHECK("SCHED_OTHER", syscall(SYS_sched_getscheduler, 0) == SCHED_OTHER);
    CHECK("SCHED_BATCH", syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none) == 0 && syscall(SYS_sched_getscheduler, 0) == SCHED_BATCH);
    ERROR("which has no priorities", syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &ten), EINVAL);
    ERROR("SCHED_FIFO has", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &none), EINVAL);
    ERROR("and is not for everybody", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &ten), EPERM);
    ERROR("an unknown policy", syscall(SYS_sched_setscheduler, 0, 77, &none), EINVAL);
    ERROR("a negative one", syscall(SYS_sched_setscheduler, 0, -1, &none), EINVAL);
    ERROR("of nobody", syscall(SYS_sched_setscheduler, 1 << 22, SCHED_OTHER, &none), ESRCH);
    ERROR("no parameters", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL), EINVAL);
    CHECK("sched_setparam", syscall(SYS_sched_setparam, 0, &none) == 0);
    ERROR("of a priority it has not", syscall(SYS_sched_setparam, 0, &ten), EINVAL);
    CHECK("sched_getparam", syscall(SYS_sched_getparam, 0, &ten) == 0 && ten.sched_priority == 0);
    CHECK("reset on fork", syscall(SYS_sched_setscheduler, 0, SCHED_BATCH | 0x40000000, &none) == 0 &&
          syscall(SYS_sched_getscheduler, 0) == (SCHED_BATCH | 0x40000000));
    pid_t pid = fork();
    if (pid == 0) _exit(syscall(SYS_sched_getscheduler, 0));
    CHECK("which keeps this one", endOf(pid) == SCHED_BATCH);
    ERROR("and not to be taken back", syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none), EPERM);
    CHECK("bounds", sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_RR) == 1 &&
          sched_get_priority_max(SCHED_OTHER) == 0 && sched_get_priority_max(SCHED_IDLE) == 0);
    ERROR("of an unknown policy", sched_get_priority_max(4), EINVAL);
    struct timespec slice;
    CHECK("sched_rr_get_interval", syscall(SYS_sched_rr_get_interval, 0, &slice) == 0 && slice.tv_sec == 0);
}

static void attributed(void) {
    struct attributes now = {0}, wanted = {.size = sizeof now, .policy = SCHED_OTHER, .nice = 7};
    CHECK("sched_setattr", syscall(SYS_sched_setattr, 0, &wanted, 0) == 0 && niceOf(0) == 7);
    CHECK("sched_getattr", syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) == 0 && now.size >= 48 && now.policy == SCHED_OTHER &&
          now.nice == 7 && now.priority == 0);
    ERROR("too small", syscall(SYS_sched_getattr, 0, &now, 47, 0), EINVAL);
    ERROR("with flags", syscall(SYS_sched_getattr, 0, &now, sizeof now, 1), EINVAL);
    wanted.nice = 3;
    ERROR("not back", syscall(SYS_sched_setattr, 0, &wanted, 0), EPERM);
    wanted.size = 47;
    ERROR("of a size that never was", syscall(SYS_sched_setattr, 0, &wanted, 0), E2BIG);
    CHECK("which is", wanted.size >= 48);
    wanted = (struct attributes){.size = 48, .policy = SCHED_IDLE};
    CHECK("SCHED_IDLE", syscall(SYS_sched_setattr, 0, &wanted, 0) == 0 && syscall(SYS_sched_getscheduler, 0) == SCHED_IDLE);
    wanted.policy = SCHED_OTHER;
    wanted.nice = 19;
    ERROR("from where no way leads back", syscall(SYS_sched_setattr, 0, &wanted, 0), EPERM);
}

static void processors(void) {
    unsigned long all[16] = {0}, now[16] = {0};
    long size = syscall(SYS_sched_getaffinity, 0, sizeof all, all);
    CHECK("sched_getaffinity", size >= 8 && size % 8 == 0 && all[0] & 1);
    unsigned long first = 1, none = 0;
    CHECK("sched_setaffinity", syscall(SYS_sched_setaffinity, 0, 8, &first) == 0 && syscall(SYS_sched_getaffinity, 0, sizeof now, now) == size &&
          now[0] == 1);
    pid_t pid = fork();
    if (pid == 0) _exit(syscall(SYS_sched_getaffinity, 0, sizeof now, now) == size ? (int)now[0] : 99);
    CHECK("inherited", endOf(pid) == 1);
    ERROR("nowhere", syscall(SYS_sched_setaffinity, 0, 8, &none), EINVAL);
    ERROR("of nobody", syscall(SYS_sched_setaffinity, 1 << 22, 8, &first), ESRCH);
    ERROR("too little room", syscall(SYS_sched_getaffinity, 0, 4, now), EINVAL);
    unsigned processor = 99, node = 99;
    CHECK("getcpu", syscall(SYS_getcpu, &processor, &node, NULL) == 0 && processor < 1024 && node < 64);
}

static void disks(void) {
    enum { best = 2 << 13, idle = 3 << 13 };
    CHECK("ioprio_set", syscall(SYS_ioprio_set, 1, 0, best | 6) == 0 && syscall(SYS_ioprio_get, 1, 0) == (best | 6));
    CHECK("idle", syscall(SYS_ioprio_set, 1, 0, idle) == 0 && syscall(SYS_ioprio_get, 1, 0) == idle);
    ERROR("real-time is not for everybody", syscall(SYS_ioprio_set, 1, 0, 1 << 13 | 4), EPERM);
    ERROR("an unknown class", syscall(SYS_ioprio_set, 1, 0, 4 << 13), EINVAL);
    ERROR("no class has no levels", syscall(SYS_ioprio_set, 1, 0, 1), EINVAL);
    ERROR("of whom", syscall(SYS_ioprio_set, 5, 0, best), EINVAL);
    ERROR("of nobody", syscall(SYS_ioprio_get, 1, 1 << 22), ESRCH);
}

int main(void) {
    syscall(SYS_setresgid, 99, 99, 99);
    syscall(SYS_setresuid, 99, 99, 99);
    void (*const parts[])(void) = {nices, policies, attributed, processors, disks};
    runApart(parts, sizeof parts / sizeof *parts);
    return finish();
}
