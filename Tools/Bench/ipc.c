/* What the host offers for what the nucleus does: round trips between two processes, and a thread that sleeps. */
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1 << 20 };
static char *body;
static size_t size;
static int to, from; /* ends of this process */

static int all(ssize_t (*move)(int, void *, size_t), int fd, size_t count) {
    for (size_t done = 0; done < count;) {
        ssize_t n = move(fd, body + done, count - done);
        if (n <= 0) return -1;
        done += (size_t)n;
    }
    return 0;
}

static ssize_t put(int fd, void *bytes, size_t count) { return write(fd, bytes, count); }

/* `size` bytes there, one back. */
static int row_bytes(long count) {
    char answer;
    while (count-- > 0)
        if (all(put, to, size) != 0 || read(from, &answer, 1) != 1) return -1;
    return 0;
}

static void serve(int in, int out) {
    char answer = 0;
    while (all(read, in, size) == 0)
        if (write(out, &answer, 1) != 1) break;
    _exit(0);
}

static void row(const char *name, size_t bytes, int sockets) {
    int there[2], back[2];
    if (sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, there) != 0 : pipe(there) != 0 || pipe(back) != 0)
        bench_failed(name);
    size = bytes;
    int in = there[0], out = sockets ? there[0] : back[1];
    to = there[1];
    from = sockets ? there[1] : back[0];
    pid_t pid = fork();
    if (pid < 0) bench_failed(name);
    if (pid == 0) {
        close(to);
        if (from != to) close(from);
        serve(in, out);
    }
    close(in);
    if (out != in) close(out);
    bench_row(name, row_bytes);
    close(to);
    if (from != to) close(from);
    waitpid(pid, 0, 0);
}

static _Atomic unsigned *turn;

static void hand_over(unsigned mine, unsigned other) {
    *turn = other;
    syscall(SYS_futex, turn, FUTEX_WAKE, 1, 0, 0, 0);
    for (unsigned now; (now = *turn) != mine && now != 2;) syscall(SYS_futex, turn, FUTEX_WAIT, now, 0, 0, 0);
}

static int row_futex(long count) {
    while (count-- > 0) hand_over(0, 1);
    return 0;
}

static void futex_row(void) {
    turn = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (turn == MAP_FAILED) bench_failed("futex-null");
    pid_t pid = fork();
    if (pid < 0) bench_failed("futex-null");
    if (pid == 0) {
        for (unsigned now; (now = *turn) == 0;) syscall(SYS_futex, turn, FUTEX_WAIT, now, 0, 0, 0);
        while (*turn != 2) hand_over(1, 0);
        _exit(0);
    }
    bench_row("futex-null", row_futex);
    *turn = 2;
    syscall(SYS_futex, turn, FUTEX_WAKE, 1, 0, 0, 0);
    waitpid(pid, 0, 0);
}

static int sleep_until(double due) {
    const struct timespec t = { (time_t)(due / 1e9), (long)(due - (double)(time_t)(due / 1e9) * 1e9) };
    int error;
    do error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0); while (error == EINTR);
    return error;
}

int bench_ipc(void) {
    body = malloc(MOST);
    if (body == 0) return 1;
    memset(body, 1, MOST);
    row("unix-null", 1, 1);
    row("unix-64", 64, 1);
    row("unix-4k", 4096, 1);
    row("unix-64k", 65536, 1);
    row("unix-1m", MOST, 1);
    row("pipe-null", 1, 0);
    futex_row();
    prctl(PR_SET_TIMERSLACK, 1); /* as a nucleus thread that sleeps by the nanosecond */
    bench_lateness("timer", sleep_until);
    free(body);
    return 0;
}
