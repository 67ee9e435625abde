/* device-faults.c SEED: devices that fail on purpose, under programs that check every byte. Four disk workers, each with a part of
 * /dev/disk0 and a copy of what must be in it, and one each for /dev/edu, /dev/hwrng and /dev/ttyS0. Each goes on until
 * /tmp/enough is there, when nothing fails any more. The only error there may be is EIO; then the same is asked again. */
#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

enum { DISKS = 4, REGION = 256 << 10, MOST = 16 << 10, RETRIES = 1000 };
#define EDU_COPY 0xd0004501u    /* _IOWR('E', 1, char[4096]) */
#define LATE 8000000000LL       /* nanoseconds that one request may take */

static struct { volatile long done, failed; } *counts;
static uint64_t state;
static char why[128];

static uint64_t chance(void) {  /* SplitMix64 */
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static int isOver(void) { return access("/tmp/enough", F_OK) == 0; }

static int wrong(const char *what) {
    snprintf(why, sizeof why, "%s, errno %d %s", what, errno, strerror(errno));
    return 0;
}

/* Whether the result of a request, begun at `began`, is one that a device may give. */
static int isFair(long result, int64_t began, const char *what) {
    __atomic_add_fetch(&counts->done, 1, __ATOMIC_RELAXED);
    if (nowNs() - began > LATE) return wrong("late");
    if (result >= 0) return 1;
    __atomic_add_fetch(&counts->failed, 1, __ATOMIC_RELAXED);
    return errno == EIO ? 1 : wrong(what);
}

/* All of it, asked for again where it fails. */
static int moveAll(int fd, char *bytes, size_t size, off_t at, int out, int mayFail) {
    size_t done = 0;
    for (int tries = 0; done < size; tries++) {
        int64_t began = nowNs();
        ssize_t n = out ? pwrite(fd, bytes + done, size - done, at + done) : pread(fd, bytes + done, size - done, at + done);
        if (!isFair(n, began, out ? "write" : "read")) return 0;
        if (n == 0 || tries == RETRIES || (n < 0 && !mayFail)) return wrong("no end");
        if (n > 0) done += n;
    }
    return 1;
}

static int disk(int number) {
    static char shadow[REGION], got[REGION];
    off_t base = (off_t)number * REGION;
    int fd = open("/dev/disk0", O_RDWR | O_DIRECT); /* past the site's cache: every request is the device's */
    if (fd < 0) return wrong("open");
    while (!isOver()) {
        size_t size = 1 + chance() % MOST, at = chance() % (REGION - size);
        if (chance() % 2) size = (size + 511) & ~511ul, at &= ~511ul;
        switch (chance() % 8) {
        case 0: {
            int64_t began = nowNs();
            if (!isFair(fsync(fd), began, "fsync")) return 0;
            break;
        }
        case 1: case 2: case 3: case 4:
            for (size_t i = 0; i < size; i++) shadow[at + i] = (char)chance();
            if (!moveAll(fd, shadow + at, size, base + at, 1, 1)) return 0;
            break;
        default:
            if (!moveAll(fd, got, size, base + at, 0, 1)) return 0;
            if (memcmp(got, shadow + at, size) != 0) return wrong("other bytes than were written");
        }
    }
    for (size_t at = 0; at < REGION; at += MOST) if (!moveAll(fd, got + at, MOST, base + at, 0, 0)) return 0;
    return memcmp(got, shadow, REGION) == 0 || wrong("other bytes at the end");
}

static int edu(int number) {
    int fd = open("/dev/edu", O_RDWR);
    (void)number;
    if (fd < 0) return wrong("open");
    while (!isOver()) {
        char text[32], bytes[4096], sent[4096];
        unsigned n = chance() % 13, value = 1;
        for (unsigned i = 2; i <= n; i++) value *= i;
        int size = snprintf(text, sizeof text, "%u\n", n);
        int64_t began = nowNs();
        long result = write(fd, text, size);
        if (!isFair(result, began, "write")) return 0;
        if (result < 0) continue;
        began = nowNs();
        result = read(fd, text, sizeof text - 1);
        if (!isFair(result, began, "read")) return 0;
        if (result < 0) continue;
        text[result] = 0;
        if (strtoul(text, NULL, 10) != value) return wrong("another factorial");
        for (size_t i = 0; i < sizeof bytes; i++) sent[i] = bytes[i] = (char)chance();
        began = nowNs();
        result = ioctl(fd, EDU_COPY, bytes);
        if (!isFair(result, began, "ioctl")) return 0;
        if (result >= 0 && memcmp(bytes, sent, sizeof bytes) != 0) return wrong("other bytes by DMA");
    }
    return 1;
}

static int rng(int number) {
    int fd = open("/dev/hwrng", O_RDONLY);
    (void)number;
    if (fd < 0) return wrong("open");
    while (!isOver()) {
        unsigned char bytes[512] = { 0 };
        int64_t began = nowNs();
        long n = read(fd, bytes, sizeof bytes), zeros = 0;
        if (!isFair(n, began, "read")) return 0;
        if (n == 0) return wrong("nothing");
        for (long i = 0; i < n; i++) zeros += bytes[i] == 0;
        if (n > 64 && zeros > n / 4) return wrong("bytes that the device did not give");
    }
    return 1;
}

static int uart(int number) {
    struct termios raw;
    int fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
    (void)number;
    if (fd < 0 || tcgetattr(fd, &raw) != 0) return wrong("open");
    raw.c_iflag = raw.c_oflag = 0;
    raw.c_lflag = 0;
    raw.c_cc[VMIN] = 1, raw.c_cc[VTIME] = 0;
    if (tcsetattr(fd, TCSANOW, &raw) != 0) return wrong("tcsetattr");
    while (!isOver()) {
        char sent[16], got[16];
        size_t size = 1 + chance() % sizeof sent, have = 0;
        for (size_t i = 0; i < size; i++) sent[i] = 'a' + chance() % 26;
        int64_t began = nowNs();
        if (!isFair(write(fd, sent, size) == (ssize_t)size ? 0 : -1, began, "write")) return 0;
        while (have < size) {
            struct pollfd p = { fd, POLLIN, 0 };
            if (poll(&p, 1, LATE / 1000000) != 1) return wrong("no echo");
            ssize_t n = read(fd, got + have, size - have);
            if (n <= 0) return wrong("read");
            have += n;
        }
        if (!isFair(0, began, "echo")) return 0;
        if (memcmp(sent, got, size) != 0) return wrong("another echo");
    }
    return 1;
}

int main(int argc, char **argv) {
    static const struct { const char *name; int (*run)(int); } workers[] = {
        { "disk 0", disk }, { "disk 1", disk }, { "disk 2", disk }, { "disk 3", disk }, { "edu", edu }, { "hwrng", rng }, { "serial line", uart },
    };
    enum { COUNT = sizeof workers / sizeof *workers };
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    pid_t pids[COUNT];
    counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED) return 2;
    for (int i = 0; i < COUNT; i++) {
        if ((pids[i] = fork()) != 0) continue;
        state = seed * 1000 + i;
        if (workers[i].run(i)) _exit(0);
        say("%s: %s", workers[i].name, why);
        _exit(1);
    }
    for (int i = 0; i < COUNT; i++) CHECK(workers[i].name, pids[i] > 0 && endOf(pids[i]) == 0);
    say("%ld requests, %ld EIO", counts->done, counts->failed);
    return finish();
}
