/* How all rows are measured, in the program and in actors. */
#define _GNU_SOURCE
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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

void bench_print(const char *name, double ns) {
    printf("%s %.1f\n", name, ns);
    fflush(stdout);
}

void bench_row(const char *name, bench_body body) {
    long count = 1;
    double best = 0;
    for (double taken = 0; taken < SAMPLE_NS; count = taken < SAMPLE_NS ? count * 2 : count) {
        double start = bench_now();
        if (body(count) != 0) bench_failed(name);
        taken = bench_now() - start;
    }
    for (int batch = 0; batch < BATCHES; batch++) {
        double samples[SAMPLES];
        for (int i = 0; i < SAMPLES; i++) {
            double start = bench_now();
            if (body(count) != 0) bench_failed(name);
            samples[i] = (bench_now() - start) / (double)count;
        }
        qsort(samples, SAMPLES, sizeof *samples, by_value);
        if (batch == 0 || samples[SAMPLES / 2] < best) best = samples[SAMPLES / 2];
    }
    bench_print(name, best);
}

void bench_timed(const char *name, double (*body)(long count)) {
    double best = 0;
    for (int batch = 0; batch < BATCHES; batch++) {
        double samples[SAMPLES];
        for (int i = 0; i < SAMPLES; i++)
            if ((samples[i] = body(256)) < 0) bench_failed(name);
        qsort(samples, SAMPLES, sizeof *samples, by_value);
        if (batch == 0 || samples[SAMPLES / 2] < best) best = samples[SAMPLES / 2];
    }
    bench_print(name, best);
}

void bench_lateness(const char *prefix, int (*until)(double)) {
    enum { TIMES = 1000 };
    static const struct { const char *name; int place; } ROWS[] = { { "min", 0 }, { "50", TIMES / 2 },
                                                                     { "99", TIMES * 99 / 100 }, { "max", TIMES - 1 } };
    static double late[TIMES];
    for (int i = 0; i < TIMES; i++) {
        double due = bench_now() + 500e3;
        if (until(due) != 0) bench_failed(prefix);
        late[i] = bench_now() - due;
    }
    qsort(late, TIMES, sizeof *late, by_value);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s-%s", prefix, ROWS[i].name);
        bench_print(name, late[ROWS[i].place]);
    }
}
