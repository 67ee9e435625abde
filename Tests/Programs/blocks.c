/* blocks.c: a block device, through its cache and past it. blocks DEVICE: all checks; blocks DEVICE WORD: one thing, for a scenario that
 * does something to the device meanwhile. The device has 1 MiB and 1536 bytes, which it keeps. */
#include "check.h"
#include <sys/ioctl.h>

#ifndef BLKFLSBUF /* linux/fs.h, which musl-gcc does not see */
#define BLKFLSBUF 0x1261
#define BLKDISCARD 0x1277
#endif

enum { MOST = 1 << 20, PAGE = 4096, SIZE = MOST + 1536 };
static char *direct_page, all[SIZE];
static char *volatile const nowhere = (char *)8;

static int opened(const char *device, int flags) {
    int fd = open(device, flags);
    if (fd < 0) say("FAIL open %s errno %d", device, errno);
    return fd;
}

static int holds(const char *bytes, size_t count, int value) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != (char)value) return 0;
    return 1;
}

static int put(int fd, off_t at, size_t count, int value) {
    memset(all, value, count);
    return pwrite(fd, all, count, at) == (ssize_t)count;
}

static int has(int fd, off_t at, size_t count, int value) {
    memset(all, ~value, count);
    return pread(fd, all, count, at) == (ssize_t)count && holds(all, count, value);
}

/* What the device itself has. */
static int really(int fd, off_t at, int value) {
    memset(direct_page, ~value, PAGE);
    return pread(fd, direct_page, PAGE, at) == PAGE && holds(direct_page, PAGE, value);
}

static int change(int fd, off_t at, int value) {
    memset(direct_page, value, PAGE);
    return pwrite(fd, direct_page, PAGE, at) == PAGE;
}

/* As fsync's: once for the failure, and good again when the device is. */
static int one(const char *device, const char *what) {
    int fd = opened(device, O_RDWR);
    if (strcmp(what, "lost") == 0) {
        ERROR("a write that the device does not take is an error of fsync", put(fd, 0, PAGE, 'l') ? fsync(fd) : 0, EIO);
        return close(fd);
    }
    if (strcmp(what, "kept") == 0) {
        CHECK("a write", put(fd, 8 * PAGE, PAGE, 'k'));
        return close(fd);
    }
    if (strcmp(what, "held") == 0) {    /* the scenario pulls the device out */
        char byte;
        CHECK("a byte before", pread(fd, &byte, 1, 0) == 1);
        say("held");
        if (read(0, &byte, 1) != 1) return 1;
        ERROR("none afterwards", pread(fd, &byte, 1, 0), EIO);
        ERROR("nor where nobody has read", pread(fd, &byte, 1, MOST - PAGE), EIO);
        CHECK("and no write lasts", pwrite(fd, "x", 1, 0) != 1 || fsync(fd) == -1);
        return 0;
    }
    return 2;
}

int main(int argc, char **argv) {
    const char *device = argv[1];
    if (argc < 2 || posix_memalign((void **)&direct_page, PAGE, PAGE) != 0) return 2;
    if (argc == 3) return one(device, argv[2]);
    int fd = opened(device, O_RDWR), past = opened(device, O_RDWR | O_DIRECT), other = opened(device, O_RDONLY);

    CHECK("its size", lseek(fd, 0, SEEK_END) == SIZE && lseek(fd, 0, SEEK_SET) == 0);
    CHECK("a large write", put(fd, 0, MOST, 'a'));
    CHECK("another opener sees it", has(other, 0, MOST, 'a'));
    CHECK("one that goes past the cache too", really(past, 5 * PAGE, 'a'));
    CHECK("what goes past the cache", change(past, 5 * PAGE, 'b'));
    CHECK("is seen through it", has(other, 5 * PAGE, PAGE, 'b') && has(fd, 4 * PAGE, PAGE, 'a'));
    CHECK("a part of a page", put(fd, 7 * PAGE + 100, 1000, 'c') && has(other, 7 * PAGE + 100, 1000, 'c')
          && has(other, 7 * PAGE, 100, 'a') && has(other, 7 * PAGE + 1100, PAGE - 1100, 'a'));
    CHECK("across pages", put(fd, 9 * PAGE - 3, 6, 'd') && has(other, 9 * PAGE - 3, 6, 'd') && has(other, 9 * PAGE + 3, 5, 'a'));
    CHECK("fsync", fsync(fd) == 0 && fdatasync(fd) == 0);

    CHECK("short at the end", pread(fd, all, PAGE, SIZE - 10) == 10 && pread(fd, all, 1, SIZE) == 0 && pread(fd, all, 1, SIZE + 5) == 0);
    CHECK("a write that is short there", pwrite(fd, "0123456789abcdef", 16, SIZE - 10) == 10);
    CHECK("and is there", pread(other, all, 32, SIZE - 10) == 10 && memcmp(all, "0123456789", 10) == 0);
    ERROR("none behind it", pwrite(fd, "x", 1, SIZE), ENOSPC);
    ERROR("it does not grow", ftruncate(fd, 2 * SIZE), EINVAL);
    CHECK("nor has it", lseek(other, 0, SEEK_END) == SIZE);
    CHECK("a position that moves", lseek(fd, SIZE - 2, SEEK_SET) == SIZE - 2 && write(fd, "xyz", 3) == 2 && lseek(fd, 0, SEEK_CUR) == SIZE);

    char *memory = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 16 * PAGE);
    CHECK("mapped", memory != MAP_FAILED && holds(memory, 4 * PAGE, 'a'));
    if (memory != MAP_FAILED) {
        memset(memory + PAGE, 'm', PAGE);
        CHECK("a store is read", has(other, 17 * PAGE, PAGE, 'm'));
        CHECK("past the cache too", really(past, 17 * PAGE, 'm'));
        memset(memory + PAGE, 'n', PAGE);
        CHECK("again after it was written back", msync(memory, 4 * PAGE, MS_SYNC) == 0 && really(past, 17 * PAGE, 'n'));
        CHECK("what is written is mapped", put(fd, 18 * PAGE, PAGE, 'o') && holds(memory + 2 * PAGE, PAGE, 'o'));
        CHECK("past the cache too", change(past, 18 * PAGE, 'p') && holds(memory + 2 * PAGE, PAGE, 'p'));
        CHECK("read into what is mapped of it", pread(fd, memory, PAGE, 18 * PAGE) == PAGE && has(other, 16 * PAGE, PAGE, 'p'));
        CHECK("written from it", pwrite(fd, memory + PAGE, PAGE, 30 * PAGE) == PAGE && has(other, 30 * PAGE, PAGE, 'n'));
        munmap(memory, 4 * PAGE);
    }
    char *hole = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(hole + PAGE, PAGE);
    CHECK("memory that ends", pread(fd, hole, 2 * PAGE, 0) == PAGE || errno == EFAULT);
    ERROR("no memory", pread(fd, nowhere, PAGE, 0), EFAULT);
    ERROR("none to write from", pwrite(fd, nowhere, PAGE, 40 * PAGE), EFAULT);
    CHECK("which changes nothing", has(other, 40 * PAGE, PAGE, 'a'));

    int sync_fd = opened(device, O_RDWR | O_SYNC);
    CHECK("O_SYNC", put(sync_fd, 50 * PAGE, PAGE, 's') && close(sync_fd) == 0 && really(past, 50 * PAGE, 's'));
    CHECK("BLKFLSBUF", put(fd, 51 * PAGE, PAGE, 'f') && ioctl(fd, BLKFLSBUF, 0) == 0 && has(fd, 51 * PAGE, PAGE, 'f'));
    uint64_t range[2] = { 52 * PAGE, 2 * PAGE };
    CHECK("discarded sectors", put(fd, 52 * PAGE, PAGE, 'g') && ioctl(fd, BLKDISCARD, range) == 0 && has(other, 52 * PAGE, PAGE, 0));
    sync();
    CHECK("closed", close(fd) == 0 && close(past) == 0 && close(other) == 0);
    return finish();
}
