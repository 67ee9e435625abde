/* benchDriver.h: what the driver of `chorus bench driver` and the program that asks it know of each other: ioctls with one
 * structure, in and out. A device "NAME" is /dev/bench-NAME; the end of NAME is its handler's priority. */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H
#include <stdint.h>

typedef struct BenchAnswer { uint64_t count, ns; } BenchAnswer;     /* in: how often; out: how often so far, nanoseconds of all */
#define BENCH_LOAD 0xc0104201u      /* _IOWR('B', 1, BenchAnswer): reads a register so often */
#define BENCH_STORE 0xc0104202u     /* writes one */
#define BENCH_ROUNDS 0xc0104203u    /* begins: its line is up until its handler has run so often */
#define BENCH_EDGE 0xc0104204u      /* begins: its line goes up once */
#define BENCH_RESULT 0xc0104205u    /* of what was begun */
#endif
