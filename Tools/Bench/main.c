/* The benchmark program: the same static file runs on the host and on a site. Usage: chorus-bench trap|process|disk FILE, on the
 * host alone chorus-bench ipc, on a site alone chorus-bench driver, and chorus-bench on N COMMAND for a command on the first N
 * processors. */
#define _GNU_SOURCE
#include "bench.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void bench_failed(const char *name) {
    fprintf(stderr, "chorus-bench: %s failed\n", name);
    exit(1);
}

static int run_on(int count, char **command) {
    cpu_set_t all, some;
    CPU_ZERO(&some);
    if (sched_getaffinity(0, sizeof all, &all) != 0) return 1;
    for (int cpu = 0, left = count; cpu < CPU_SETSIZE && left > 0; cpu++)
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &some);
            left--;
        }
    if (sched_setaffinity(0, sizeof some, &some) != 0) return 1;
    execv(command[0], command);
    perror(command[0]);
    return 127;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "trap") == 0) return bench_trap();
    if (argc == 2 && strcmp(argv[1], "process") == 0) return bench_process(argv[0]);
    if (argc == 2 && strcmp(argv[1], "nothing") == 0) return 0; /* what the exec rows run */
    if (argc == 2 && strcmp(argv[1], "ipc") == 0) return bench_ipc();
    if (argc == 3 && strcmp(argv[1], "disk") == 0) return bench_disk(argv[2], 0) || bench_disk(argv[2], 1);
    if (argc == 2 && strcmp(argv[1], "driver") == 0) return bench_driver();
    if (argc >= 4 && strcmp(argv[1], "on") == 0) return run_on(atoi(argv[2]), argv + 3);
    fprintf(stderr, "usage: chorus-bench trap|process|disk FILE|ipc|driver|on N COMMAND...\n");
    return 2;
}
