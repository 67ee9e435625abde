/* A disk, as a file of the host or as a device of a site: in order, and at random places. */
#define _GNU_SOURCE
#include "bench.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 1 << 20, PAGE = 4096 };
static int fd;
static char *buffer;
static size_t size; /* of a transfer */
static off_t end;
static uint64_t draw = 1991;

/* As dd(1) does it: to the end, and again from the beginning. */
static int in_order(ssize_t (*move)(int, void *, size_t), long count) {
    while (count-- > 0) {
        ssize_t n = move(fd, buffer, size);
        if (n == (ssize_t)size) continue;
        if (n < 0 || lseek(fd, 0, SEEK_SET) != 0 || move(fd, buffer, size) != (ssize_t)size) return -1;
    }
    return 0;
}

/* At the end of a device write(2) fails with ENOSPC, and a file would grow. */
static ssize_t put(int to, void *bytes, size_t count) {
    static off_t at;
    if (at + (off_t)count > end) at = 0;
    ssize_t n = pwrite(to, bytes, count, at);
    at += n;
    return n;
}

static int row_read(long count) { return in_order(read, count); }
static int row_write(long count) { return in_order(put, count); }

static off_t somewhere(void) {
    draw = draw * 6364136223846793005u + 1442695040888963407u;
    return (off_t)((draw >> 33) % (uint64_t)(end / PAGE)) * PAGE;
}

static int row_random_read(long count) {
    while (count-- > 0)
        if (pread(fd, buffer, PAGE, somewhere()) != PAGE) return -1;
    return 0;
}

static int row_random_write(long count) {
    while (count-- > 0)
        if (pwrite(fd, buffer, PAGE, somewhere()) != PAGE) return -1;
    return 0;
}

static void row(const char *prefix, const char *name, size_t bytes, bench_body body) {
    char full[64];
    size = bytes;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    bench_row(full, body);
}

int bench_disk(const char *path, int direct) {
    const char *prefix = direct ? "direct-" : "";
    fd = open(path, O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0));
    if (fd < 0 && direct) return 0; /* not every file system can: these rows stay empty */
    if (fd < 0 || (end = lseek(fd, 0, SEEK_END)) < MOST || lseek(fd, 0, SEEK_SET) != 0) bench_failed(path);
    if (posix_memalign((void **)&buffer, PAGE, MOST) != 0) bench_failed("memory");
    memset(buffer, 0x5a, MOST);
    /* With O_DIRECT from the device, else from what is kept in memory: all of it, before anything is measured. */
    for (off_t at = 0; !direct && at < end; at += MOST)
        if (pread(fd, buffer, MOST, at) < 0) bench_failed(path);
    row(prefix, "read-1m", MOST, row_read);
    row(prefix, "read-64k", 65536, row_read);
    row(prefix, "random-read-4k", PAGE, row_random_read);
    row(prefix, "write-1m", MOST, row_write);
    row(prefix, "write-64k", 65536, row_write);
    row(prefix, "random-write-4k", PAGE, row_random_write);
    free(buffer);
    return close(fd) == 0 ? 0 : 1;
}
