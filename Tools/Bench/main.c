/* The benchmark program: the same static file runs on the host and on a site. Usage: chorus-bench trap|process. */
#define _GNU_SOURCE
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 5, SAMPLES = 9 };
static const double SAMPLE_NS = 1e6; /* a sample lasts at least so long */

double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print_row(const char *name, double ns) {
    printf("%s %.1f\n", name, ns);
    fflush(stdout);
}

static void fail(const char *name) {
    fprintf(stderr, "chorus-bench: %s failed\n", name);
    exit(1);
}

void bench_row(const char *name, bench_body body) {
    long count = 1;
    double best = 0;
    for (double taken = 0; taken < SAMPLE_NS; count = taken < SAMPLE_NS ? count * 2 : count) {
        double start = bench_now();
        if (body(count) != 0) fail(name);
        taken = bench_now() - start;
    }
    for (int batch = 0; batch < BATCHES; batch++) {
        double samples[SAMPLES];
        for (int i = 0; i < SAMPLES; i++) {
            double start = bench_now();
            if (body(count) != 0) fail(name);
            samples[i] = (bench_now() - start) / (double)count;
        }
        qsort(samples, SAMPLES, sizeof *samples, by_value);
        if (batch == 0 || samples[SAMPLES / 2] < best) best = samples[SAMPLES / 2];
    }
    print_row(name, best);
}

void bench_timed(const char *name, double (*body)(long count)) {
    double best = 0;
    for (int batch = 0; batch < BATCHES; batch++) {
        double samples[SAMPLES];
        for (int i = 0; i < SAMPLES; i++)
            if ((samples[i] = body(256)) < 0) fail(name);
        qsort(samples, SAMPLES, sizeof *samples, by_value);
        if (batch == 0 || samples[SAMPLES / 2] < best) best = samples[SAMPLES / 2];
    }
    print_row(name, best);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "trap") == 0) return bench_trap();
    if (argc == 2 && strcmp(argv[1], "process") == 0) return bench_process(argv[0]);
    if (argc == 2 && strcmp(argv[1], "nothing") == 0) return 0; /* what the exec rows run */
    fprintf(stderr, "usage: chorus-bench trap|process\n");
    return 2;
}
