/* memory-limit.c: what a program sees of a subsystem that may hold 96 MiB (the scenario's manifest says so). */
#include "check.h"

#define MIB (1ul << 20)

static void *map(size_t size, int protection, int flags) { return mmap(0, size, protection, flags | MAP_ANONYMOUS, -1, 0); }

int main(void) {
    const int both = PROT_READ | PROT_WRITE;
    CHECK("more than there is", map(256 * MIB, both, MAP_PRIVATE) == MAP_FAILED && errno == ENOMEM);
    CHECK("nor shared", map(256 * MIB, both, MAP_SHARED) == MAP_FAILED && errno == ENOMEM);
    char *reserved = map(256 * MIB, PROT_NONE, MAP_PRIVATE);
    CHECK("addresses are free", reserved != MAP_FAILED);
    CHECK("what they come to hold is not", mprotect(reserved, 256 * MIB, both) == -1 && errno == ENOMEM);
    CHECK("a part of them", mprotect(reserved, 8 * MIB, both) == 0);
    memset(reserved, 1, 8 * MIB);
    char *room = map(40 * MIB, both, MAP_PRIVATE);
    CHECK("what there is", room != MAP_FAILED);
    memset(room, 2, 40 * MIB);
    CHECK("not twice", map(60 * MIB, both, MAP_PRIVATE) == MAP_FAILED && errno == ENOMEM);
    CHECK("nor for a child", fork() == -1 && errno == ENOMEM);
    CHECK("given back", munmap(room, 40 * MIB) == 0);
    pid_t child = fork();
    if (child == 0) _exit(map(20 * MIB, both, MAP_PRIVATE) == MAP_FAILED);
    int status;
    CHECK("it is a child's", child > 0 && waitpid(child, &status, 0) == child && status == 0);
    char *shared = map(60 * MIB, both, MAP_SHARED);
    CHECK("or shared", shared != MAP_FAILED);
    CHECK("which counts whole", map(60 * MIB, both, MAP_PRIVATE) == MAP_FAILED && errno == ENOMEM);
    CHECK("until it is gone", munmap(shared, 60 * MIB) == 0 && map(60 * MIB, both, MAP_PRIVATE) != MAP_FAILED);
    /* Files in memory are held too. */
    int fd = open("/dev/shm/large", O_CREAT | O_RDWR, 0600);
    long written = 0, n;
    int failed;
    while ((n = write(fd, reserved, MIB)) > 0 && written < 200 * (long)MIB) written += n;
    failed = errno;
    CHECK("files in memory end somewhere", n == -1 && failed == ENOSPC && written < 40 * (long)MIB);
    CHECK("and go", ftruncate(fd, 0) == 0 && write(fd, reserved, MIB) == MIB && unlink("/dev/shm/large") == 0);
    return finish();
}
