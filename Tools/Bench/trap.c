/* Single system calls. */
#define _GNU_SOURCE
#include "bench.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int zero_fd, null_fd, file_fd;
static char file_name[] = "/tmp/chorus-bench.XXXXXX";

static int row_getpid(long count) {
    while (count-- > 0)
        if (syscall(SYS_getpid) <= 0) return -1;
    return 0;
}

static int row_read(long count) {
    char byte;
    while (count-- > 0)
        if (read(zero_fd, &byte, 1) != 1) return -1;
    return 0;
}

static int row_write(long count) {
    char byte = 0;
    while (count-- > 0)
        if (write(null_fd, &byte, 1) != 1) return -1;
    return 0;
}

static int row_open(long count) {
    while (count-- > 0) {
        int fd = open(file_name, O_RDONLY);
        if (fd < 0 || close(fd) != 0) return -1;
    }
    return 0;
}

static int row_stat(long count) {
    struct stat status;
    while (count-- > 0)
        if (stat(file_name, &status) != 0) return -1;
    return 0;
}

static int row_pread(long count) {
    static char page[4096];
    while (count-- > 0)
        if (pread(file_fd, page, sizeof page, 0) != (ssize_t)sizeof page) return -1;
    return 0;
}

static int to_child[2], to_parent[2];

static int row_pipe(long count) {
    char byte = 0;
    while (count-- > 0)
        if (write(to_child[1], &byte, 1) != 1 || read(to_parent[0], &byte, 1) != 1) return -1;
    return 0;
}

/* A child that sends every byte back. */
static void pipe_row(void) {
    if (pipe(to_child) != 0 || pipe(to_parent) != 0) exit(1);
    pid_t pid = fork();
    if (pid < 0) exit(1);
    if (pid == 0) {
        char byte;
        close(to_child[1]);
        close(to_parent[0]);
        while (read(to_child[0], &byte, 1) == 1)
            if (write(to_parent[1], &byte, 1) != 1) break;
        _exit(0);
    }
    close(to_child[0]);
    close(to_parent[1]);
    bench_row("pipe-round-trip", row_pipe);
    close(to_child[1]);
    close(to_parent[0]);
    waitpid(pid, NULL, 0);
}

static volatile sig_atomic_t caught;

static void on_signal(int number) {
    (void)number;
    caught++;
}

static int row_signal(long count) {
    pid_t self = getpid();
    sig_atomic_t before = caught;
    for (long i = 0; i < count; i++)
        if (kill(self, SIGUSR1) != 0) return -1;
    return caught - before == count ? 0 : -1;
}

static int row_mmap(long count) {
    while (count-- > 0) {
        char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) return -1;
        *(volatile char *)page = 1;
        if (munmap(page, 4096) != 0) return -1;
    }
    return 0;
}

/* First touches alone: the mapping is made and undone outside the time. */
static double row_touch(long count) {
    char *pages = mmap(NULL, (size_t)count * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return -1;
    double start = bench_now();
    for (long i = 0; i < count; i++) *(volatile char *)(pages + i * 4096) = 1;
    double taken = bench_now() - start;
    munmap(pages, (size_t)count * 4096);
    return taken / (double)count;
}

int bench_trap(void) {
    static char page[4096];
    zero_fd = open("/dev/zero", O_RDONLY);
    null_fd = open("/dev/null", O_WRONLY);
    file_fd = mkstemp(file_name);
    if (zero_fd < 0 || null_fd < 0 || file_fd < 0 || write(file_fd, page, sizeof page) != (ssize_t)sizeof page) {
        perror("chorus-bench: trap");
        return 1;
    }
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    bench_row("getpid", row_getpid);
    bench_row("read-1", row_read);
    bench_row("write-1", row_write);
    bench_row("open-close", row_open);
    bench_row("stat", row_stat);
    bench_row("pread-4k", row_pread);
    pipe_row();
    bench_row("signal-self", row_signal);
    bench_row("mmap-touch-munmap", row_mmap);
    bench_timed("first-touch", row_touch);
    unlink(file_name);
    return 0;
}
