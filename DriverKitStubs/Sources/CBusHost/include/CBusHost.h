/* CBusHost.h: host calls that Swift's Glibc module does not show. */
#ifndef C_BUS_HOST_H
#define C_BUS_HOST_H
#include <stdint.h>
/* fallocate(2), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE. */
int32_t bus_punch(int32_t descriptor, int64_t offset, int64_t size);
/* pipe2(2) and accept4(2), closed at exec and never waiting. */
int32_t bus_pipe(int32_t ends[2]);
int32_t bus_accept(int32_t listener);
/* Memory of a fixed size to be shared: nobody can cut or lengthen it (fcntl(2), F_ADD_SEALS). Its descriptor, or -1. */
int32_t bus_memory(uint64_t size);
#endif
