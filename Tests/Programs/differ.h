/* differ.h: what every part of `differ` needs: the seeded choice, the log, and the values that calls are made from.
 * Raw system calls throughout, so that no libc stands between the sequence and the kernel. */
#ifndef DIFFER_H
#define DIFFER_H
#include "check.h"
#include <dirent.h>
#include <sys/file.h>
#include <sys/uio.h>

extern int verbose;

/* xorshift64*: the same sequence everywhere for one seed. */
uint64_t draw(void);
static inline unsigned pick(unsigned count) { return (unsigned)(draw() % count); }
#define ONE_OF(...) ((const long[]){__VA_ARGS__}[pick(sizeof((const long[]){__VA_ARGS__}) / sizeof(long))])

/* One step's line: into the sequence's hash, and to standard error of a verbose run. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The result of a raw call: the value, or -errno. */
static inline long result(long r) { return r == -1 ? -(long)errno : r; }
#define CALL(number, ...) result(syscall(number, ##__VA_ARGS__))

/* A name out of a small set, so that sequences meet their own files again: files, folders, links, and what cannot be. */
const char *name(void);
/* A descriptor that may be open. */
int descriptor(void);
/* `size` bytes that depend on nothing but the sequence. */
const void *bytes(size_t size);
/* Sum of what a call left in memory. */
unsigned sum(const void *memory, size_t size);

/* Each makes one or a few calls of its field. */
void namesStep(void);
void filesStep(void);
void descriptorsStep(void);
void memoryStep(void);
void signalsStep(void);
void processesStep(void);
void ipcStep(void);
#endif
