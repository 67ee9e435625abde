/* Asks the driver of `chorus bench driver` (Driver/benchDriver.h) for its figures. */
#define _GNU_SOURCE
#include "bench.h"
#include "Driver/benchDriver.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int fd;

static double ask(unsigned command, long count) {
    BenchAnswer answer = { (uint64_t)count, 0 };
    if (ioctl(fd, command, &answer) != 0) return -1;
    return (double)answer.ns / (double)count;
}

static double load(long count) { return ask(BENCH_LOAD, count * 64); }
static double store(long count) { return ask(BENCH_STORE, count * 64); }

/* Until what was begun is over. */
static double result(uint64_t count, useconds_t pause) {
    for (int i = 0; i < 20000; i++) {
        BenchAnswer answer = { 0, 0 };
        if (ioctl(fd, BENCH_RESULT, &answer) != 0) return -1;
        if (answer.count == count && answer.ns != 0) return (double)answer.ns;
        if (pause) usleep(pause);
    }
    return -1;
}

static double rounds(long count) {
    uint64_t all = (uint64_t)count * 16;
    if (ask(BENCH_ROUNDS, (long)all) < 0) return -1;
    double ns = result(all, 500); /* looking for it must not be what is measured */
    return ns < 0 ? ns : ns / (double)(all - 1);
}

static double edge(long count) {
    double sum = 0;
    for (long i = 0; i < count; i++) {
        double ns = ask(BENCH_EDGE, 1) < 0 ? -1 : result(1, 0);
        if (ns < 0) return -1;
        sum += ns;
    }
    return sum / (double)count;
}

static void use(const char *device) {
    if (fd > 0) close(fd);
    if ((fd = open(device, O_RDWR | O_CLOEXEC)) < 0) bench_failed(device);
}

int bench_driver(void) {
    use("/dev/bench-one9");
    bench_timed("load32", load);
    bench_timed("store32", store);
    bench_timed("interrupt-1", rounds);
    bench_timed("interrupt-edge", edge);
    use("/dev/bench-four9"); /* the last of four that is asked */
    bench_timed("interrupt-4", rounds);
    return 0;
}
