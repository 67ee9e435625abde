/* What the Process Manager asks of its own host process and Swift cannot spell. */
#ifndef CPROCESSHOST_H
#define CPROCESSHOST_H
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/sysinfo.h>

static inline uint64_t pm_auxval(uint64_t type) { return getauxval(type); }

/* Bytes of memory: total, free, buffers. */
static inline void pm_memory(uint64_t *total, uint64_t *unused, uint64_t *buffers) {
    struct sysinfo info;
    if (sysinfo(&info) != 0) info = (struct sysinfo){ .mem_unit = 1 };
    uint64_t unit = info.mem_unit ? info.mem_unit : 1;
    *total = info.totalram * unit;
    *unused = info.freeram * unit;
    *buffers = info.bufferram * unit;
}
#endif
