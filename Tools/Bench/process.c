/* Making and ending processes. */
#define _GNU_SOURCE
#include "bench.h"
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;

static int ended(pid_t pid) {
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int row_fork(long count) {
    while (count-- > 0) {
        pid_t pid = fork();
        if (pid == 0) _exit(0);
        if (ended(pid) != 0) return -1;
    }
    return 0;
}

static int row_fork_exec(long count) {
    while (count-- > 0) {
        pid_t pid = fork();
        if (pid == 0) {
            execl(program, program, "nothing", (char *)NULL);
            _exit(127);
        }
        if (ended(pid) != 0) return -1;
    }
    return 0;
}

static int row_vfork_exec(long count) {
    while (count-- > 0) {
        pid_t pid = vfork();
        if (pid == 0) {
            execl(program, program, "nothing", (char *)NULL);
            _exit(127);
        }
        if (ended(pid) != 0) return -1;
    }
    return 0;
}

int bench_process(const char *self) {
    program = self;
    bench_row("fork-exit-wait", row_fork);
    bench_row("fork-exec-wait", row_fork_exec);
    bench_row("vfork-exec-wait", row_vfork_exec);
    return 0;
}
