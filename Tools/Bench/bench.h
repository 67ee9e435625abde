/* bench.h: what every row of the benchmark program shares. */
#ifndef BENCH_H
#define BENCH_H
#include <stdint.h>

/* One operation of a row, done `count` times; -1 when it fails. */
typedef int (*bench_body)(long count);

/* Prints "name ns": the least of several batches' medians, each sample long enough to be measured. */
void bench_row(const char *name, bench_body body);
/* The same for something that measures itself: `body` returns nanoseconds of one operation, or a negative number. */
void bench_timed(const char *name, double (*body)(long count));

/* Prints "prefix-min ns" and likewise for 50, 99 (per cent) and max: how late `until` returns from a wait for a time,
 * in nanoseconds as `bench_now` has it. */
void bench_lateness(const char *prefix, int (*until)(double due));
void bench_print(const char *name, double ns);
/* Does not return. */
void bench_failed(const char *name);

double bench_now(void);

int bench_trap(void);
int bench_process(const char *self);
int bench_ipc(void);
int bench_disk(const char *path, int direct);
int bench_driver(void);
void bench_dispatch(void);
#endif
