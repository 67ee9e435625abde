/* What the Process Manager asks of its own host process and Swift cannot spell. */
#ifndef CPROCESSHOST_H
#define CPROCESSHOST_H
#include <cpuid.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

/* As the kernel gave it: glibc's getauxval(AT_HWCAP) says something of its own on x86. */
static inline uint64_t pm_auxval(uint64_t type) {
    uint64_t pairs[64][2] = {{0}};
    long size = prctl(0x41555856 /* PR_GET_AUXV, Linux 6.4 */, pairs, sizeof pairs, 0, 0);
    for (long i = 0; i < 64 && (i + 1) * 16 <= size && pairs[i][0] != 0; i++)
        if (pairs[i][0] == type) return pairs[i][1];
    unsigned a, b, c, d;
    if (type == 16 && __get_cpuid(1, &a, &b, &c, &d)) return d;
    return getauxval(type);
}

/* Bytes of memory: total, free, buffers. */
static inline void pm_memory(uint64_t *total, uint64_t *unused, uint64_t *buffers) {
    struct sysinfo info;
    if (sysinfo(&info) != 0) info = (struct sysinfo){ .mem_unit = 1 };
    uint64_t unit = info.mem_unit ? info.mem_unit : 1;
    *total = info.totalram * unit;
    *unused = info.freeram * unit;
    *buffers = info.bufferram * unit;
}
/* Fills a struct timex; the state of the clock. */
static inline int pm_adjtimex(void *timex, uint32_t modes) {
    struct timex *t = timex;
    t->modes = modes;
    return adjtimex(t);
}

/* The processor the caller runs on. */
static inline uint32_t pm_processor(void) {
    unsigned processor = 0;
    syscall(SYS_getcpu, &processor, (void *)0, (void *)0);
    return processor;
}

/* A barrier on every processor of the host (membarrier(2), MEMBARRIER_CMD_GLOBAL). */
static inline int pm_has_membarrier(void) { long all = syscall(SYS_membarrier, 0, 0, 0); return all > 0 && all & 1; }
static inline void pm_membarrier(void) { syscall(SYS_membarrier, 1, 0, 0); }

/* CPU time of a thread of the host in nanoseconds; 0 where the host does not say (proc(5), CONFIG_SCHED_INFO). */
static inline uint64_t pm_thread_time(int32_t tid) {
    char text[64];
    snprintf(text, sizeof text, "/proc/%d/schedstat", (int)tid);
    int fd = open(text, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) return 0;
    text[size] = 0;
    return strtoull(text, 0, 10);
}
#endif
