/* aio: io_setup and its kin, as libaio uses them; memory policies of a machine with one node. */
#include "check.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

struct request {
    uint64_t data;
    uint32_t key, rwFlags;
    uint16_t operation;
    int16_t priority;
    uint32_t fd;
    uint64_t buffer, size;
    int64_t offset;
    uint64_t reserved;
    uint32_t flags, event;
};
struct event { uint64_t data, request; int64_t result, more; };
enum { PREAD, PWRITE, FSYNC, FDSYNC, PREADV = 7, PWRITEV };

static uint64_t context;
static struct event events[16];

static struct request make(int operation, int fd, void *buffer, size_t size, off_t offset) {
    return (struct request){.data = 7, .operation = operation, .fd = fd, .buffer = (uintptr_t)buffer, .size = size, .offset = offset};
}
static long submit(struct request *one) { return syscall(SYS_io_submit, context, 1, &one); }
static long get(long least, long most) {
    struct timespec soon = {2, 0};
    return syscall(SYS_io_getevents, context, least, most, events, &soon);
}
static int64_t result(struct request *one) {
    if (submit(one) != 1 || get(1, 16) != 1 || events[0].request != (uintptr_t)one || events[0].data != 7) return -9999;
    return events[0].result;
}

static void requests(void) {
    uint64_t wrong = 5;
    ERROR("io_setup over something", syscall(SYS_io_setup, 10, &wrong), EINVAL);
    ERROR("of nothing", syscall(SYS_io_setup, 0, &context), EINVAL);
    CHECK("io_setup", syscall(SYS_io_setup, 10, &context) == 0 && context != 0);
    int fd = open("aio-data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char text[] = "asynchronous", back[100] = {0};
    struct request one = make(PWRITE, fd, text, 12, 4);
    CHECK("a write", result(&one) == 12);
    one = make(PREAD, fd, back, 100, 0);
    CHECK("a read", result(&one) == 16 && memcmp(back, "\0\0\0\0asynchronous", 16) == 0 && lseek(fd, 0, SEEK_CUR) == 0);
    struct iovec parts[2] = {{back, 3}, {back + 50, 3}};
    one = make(PREADV, fd, parts, 2, 4);
    CHECK("in parts", result(&one) == 6 && memcmp(back, "asy", 3) == 0 && memcmp(back + 50, "nch", 3) == 0);
    one = make(PWRITEV, fd, parts, 2, 100);
    CHECK("out of parts", result(&one) == 6);
    one = make(FSYNC, fd, NULL, 0, 0);
    CHECK("fsync", result(&one) == 0);
    one = make(PREAD, fd, back, 10, 1000);
    CHECK("at the end", result(&one) == 0);
    int event = eventfd(0, EFD_NONBLOCK);
    one = make(PREAD, fd, back, 10, 0);
    one.flags = 1;
    one.event = event;
    uint64_t count = 0;
    CHECK("an eventfd is told", result(&one) == 10 && read(event, &count, 8) == 8 && count == 1);
    one = make(PREAD, 99, back, 10, 0);
    ERROR("no descriptor", submit(&one), EBADF);
    one = make(77, fd, back, 10, 0);
    ERROR("no operation", submit(&one), EINVAL);
    one = make(PREAD, fd, back, 10, 0);
    one.reserved = 1;
    ERROR("reserved", submit(&one), EINVAL);
    struct request good = make(PREAD, fd, back, 10, 0), *both[2] = {&good, &one};
    CHECK("up to the wrong one", syscall(SYS_io_submit, context, 2, both) == 1 && get(1, 16) == 1);
    struct request many[3];
    struct request *all[3];
    for (int i = 0; i < 3; i++) {
        many[i] = make(PREAD, fd, back + i, 1, 4 + i);
        many[i].data = i;
        all[i] = &many[i];
    }
    CHECK("several", syscall(SYS_io_submit, context, 3, all) == 3 && get(3, 16) == 3 && memcmp(back, "asy", 3) == 0);
    struct timespec none = {0, 0};
    CHECK("nothing more", syscall(SYS_io_getevents, context, 0, 16, events, &none) == 0);
    none.tv_nsec = 20000000;
    CHECK("in time either", syscall(SYS_io_getevents, context, 1, 16, events, &none) == 0);
    CHECK("io_pgetevents", syscall(SYS_io_pgetevents, context, 1, 16, events, &none, NULL) == 0);
    ERROR("less than least", syscall(SYS_io_getevents, context, 3, 2, events, &none), EINVAL);
    ERROR("nothing to cancel", syscall(SYS_io_cancel, context, &good, events), EINVAL);
    ERROR("no context", syscall(SYS_io_submit, context + 4096, 1, all), EINVAL);
    CHECK("io_destroy", syscall(SYS_io_destroy, context) == 0);
    ERROR("twice", syscall(SYS_io_destroy, context), EINVAL);
    unlink("aio-data");
}

static void policies(void) {
    int mode = 99;
    unsigned long nodes[16] = {0}, first = 1, none = 0;
    CHECK("the usual policy", syscall(SYS_get_mempolicy, &mode, nodes, 1024, 0, 0) == 0 && mode == 0 && nodes[0] == 0);
    CHECK("what is allowed", syscall(SYS_get_mempolicy, NULL, nodes, 1024, 0, 4) == 0 && nodes[0] == 1);
    CHECK("MPOL_BIND", syscall(SYS_set_mempolicy, 2, &first, 64) == 0 && syscall(SYS_get_mempolicy, &mode, nodes, 1024, 0, 0) == 0 && mode == 2 &&
          nodes[0] == 1);
    pid_t pid = fork();
    if (pid == 0) _exit(syscall(SYS_get_mempolicy, &mode, NULL, 0, 0, 0) == 0 ? mode : 99);
    CHECK("inherited", endOf(pid) == 2);
    ERROR("to no node", syscall(SYS_set_mempolicy, 2, &none, 64), EINVAL);
    ERROR("an unknown one", syscall(SYS_set_mempolicy, 77, NULL, 0), EINVAL);
    ERROR("the usual one has no nodes", syscall(SYS_set_mempolicy, 0, &first, 64), EINVAL);
    CHECK("MPOL_DEFAULT", syscall(SYS_set_mempolicy, 0, NULL, 0) == 0);
    char *block = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(block + 3 * 4096, 4096);
    CHECK("mbind", syscall(SYS_mbind, block + 4096, 4096, 3, &first, 64, 0) == 0 &&
          syscall(SYS_get_mempolicy, &mode, nodes, 1024, block + 4096, 2) == 0 && mode == 3 && nodes[0] == 1);
    CHECK("no further", syscall(SYS_get_mempolicy, &mode, NULL, 0, block, 2) == 0 && mode == 0);
    ERROR("over a hole", syscall(SYS_mbind, block, 4 * 4096, 3, &first, 64, 0), EFAULT);
    ERROR("at an odd address", syscall(SYS_mbind, block + 1, 4096, 3, &first, 64, 0), EINVAL);
    ERROR("of a hole", syscall(SYS_get_mempolicy, &mode, NULL, 0, block + 3 * 4096, 2), EFAULT);
    block[0] = 1;
    void *pages[2] = {block, block + 3 * 4096};
    int status[2] = {99, 99};
    CHECK("move_pages tells where they are", syscall(SYS_move_pages, 0, 2, pages, NULL, status, 0) == 0 && status[0] == 0 && status[1] == -EFAULT);
    CHECK("migrate_pages", syscall(SYS_migrate_pages, 0, 64, &first, &first) == 0);
}

int main(void) {
    requests();
    policies();
    return finish();
}
