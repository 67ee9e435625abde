#define _GNU_SOURCE
#include "CBusHost.h"
#include <fcntl.h>
#include <linux/falloc.h>

int32_t bus_punch(int32_t descriptor, int64_t offset, int64_t size) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}
