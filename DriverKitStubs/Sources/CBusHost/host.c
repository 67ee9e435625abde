#define _GNU_SOURCE
#include "CBusHost.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int32_t bus_punch(int32_t descriptor, int64_t offset, int64_t size) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}

int32_t bus_pipe(int32_t ends[2]) { return pipe2(ends, O_CLOEXEC | O_NONBLOCK); }
int32_t bus_accept(int32_t listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int32_t bus_memory(uint64_t size) {
    int descriptor = memfd_create("dma", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) return -1;
    if (ftruncate(descriptor, (off_t)size) == 0
        && fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) return descriptor;
    close(descriptor);
    return -1;
}
