/* links.c: an unmodified program with the two ends of a cable, /dev/net0 and /dev/net1: frames by read(2) and write(2). */
#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define TYPE 0x88b5             /* IEEE 802, local experimental */
#define ROUNDS 300
#define BURST 2000
#define SIOCGIFFLAGS_ 0x8913    /* linux/sockios.h, which musl-gcc does not see */
#define SIOCGIFMTU_ 0x8921
#define SIOCGIFHWADDR_ 0x8927

struct request { char name[16]; union { struct { uint16_t family; uint8_t bytes[6]; } address; int32_t mtu; uint16_t flags; uint8_t all[24]; } u; };

static uint8_t mac[2][6];
static uint8_t frame[4096], got[4096];

/* A frame from one end to the other, its content made of its number. */
static int make(int from, uint32_t number, int size) {
    memcpy(frame, mac[1 - from], 6);
    memcpy(frame + 6, mac[from], 6);
    frame[12] = TYPE >> 8, frame[13] = TYPE & 255;
    memcpy(frame + 14, &number, 4);
    for (int i = 18; i < size; i++) frame[i] = (uint8_t)(number * 31 + i);
    return size;
}

static int same(const uint8_t *bytes, int count, int from, uint32_t number, int size) {
    make(from, number, size);
    return count == size && memcmp(bytes, frame, size) == 0;
}

static int sizeOf(uint32_t number) { return 60 + (int)(number * 37 % 1455); }

/* Sends what comes at `fd` back, `count` times, addresses exchanged. */
static void echo(int fd, int count) {
    uint8_t bytes[2048], other[6];
    while (count-- > 0) {
        ssize_t size = read(fd, bytes, sizeof bytes);
        if (size < 14) _exit(1);
        memcpy(other, bytes, 6);
        memcpy(bytes, bytes + 6, 6);
        memcpy(bytes + 6, other, 6);
        if (write(fd, bytes, size) != size) _exit(2);
    }
    _exit(0);
}

static int ready(int fd, int events, int ms) {
    struct pollfd p = { fd, (short)events, 0 };
    return poll(&p, 1, ms) > 0 ? p.revents : 0;
}

int main(void) {
    struct request r;
    int fd[2] = { open("/dev/net0", O_RDWR), open("/dev/net1", O_RDWR | O_NONBLOCK) };
    CHECK("two links", fd[0] >= 0 && fd[1] >= 0);
    ERROR("one opener at a time", open("/dev/net0", O_RDWR), EBUSY);
    for (int i = 0; i < 2; i++) {
        memset(&r, 0, sizeof r);
        int result = ioctl(fd[i], SIOCGIFHWADDR_, &r);
        memcpy(mac[i], r.u.address.bytes, 6);
        CHECK("an address", result == 0 && r.u.address.family == 1 && !(mac[i][0] & 1) && !strcmp(r.name, i ? "net1" : "net0"));
    }
    CHECK("of its own", memcmp(mac[0], mac[1], 6) != 0 && !memcmp(mac[1], "\x52\x54\x00\x00\x00\x01", 6));
    CHECK("an MTU", ioctl(fd[0], SIOCGIFMTU_, &r) == 0 && r.u.mtu == 1500);
    CHECK("a far end", ioctl(fd[0], SIOCGIFFLAGS_, &r) == 0 && r.u.flags & 0x40);
    ERROR("no terminal", ioctl(fd[0], 0x5413, &r), ENOTTY);

    ERROR("nothing to read", read(fd[1], got, sizeof got), EAGAIN);
    CHECK("poll knows", ready(fd[1], POLLIN | POLLOUT, 0) == POLLOUT && ready(fd[0], POLLIN, 20) == 0);
    ERROR("shorter than a header", write(fd[0], frame, 13), EINVAL);
    make(0, 0, 1514);
    ERROR("longer than the MTU", write(fd[0], frame, 1515), EMSGSIZE);
    ERROR("much longer", write(fd[0], frame, sizeof frame), EMSGSIZE);
    CHECK("the longest", write(fd[0], frame, 1514) == 1514 && ready(fd[1], POLLIN, 2000) == POLLIN);
    CHECK("comes as it is", same(got, (int)read(fd[1], got, sizeof got), 0, 0, 1514));
    CHECK("and is read once", ready(fd[1], POLLIN, 0) == 0);
    make(0, 1, 1518);
    frame[12] = 0x81, frame[13] = 0;
    CHECK("a tag comes on top", write(fd[0], frame, 1518) == 1518 && ready(fd[1], POLLIN, 2000) && read(fd[1], got, sizeof got) == 1518);

    CHECK("two frames", write(fd[0], frame, make(0, 2, 100)) == 100 && write(fd[0], frame, make(0, 3, 200)) == 200);
    CHECK("the first cut to the buffer", ready(fd[1], POLLIN, 2000) && read(fd[1], got, 20) == 20);
    CHECK("its rest is lost", ready(fd[1], POLLIN, 2000) && same(got, (int)read(fd[1], got, sizeof got), 0, 3, 200));
    make(0, 4, 300);
    struct iovec parts[3] = { { frame, 14 }, { frame + 14, 100 }, { frame + 114, 186 } };
    CHECK("a frame of three pieces", writev(fd[0], parts, 3) == 300 && ready(fd[1], POLLIN, 2000));
    struct iovec places[2] = { { got, 50 }, { got + 50, 1000 } };
    CHECK("into two", same(got, (int)readv(fd[1], places, 2), 0, 4, 300));

    /* One at a time, there and back. */
    fcntl(fd[1], F_SETFL, 0);
    pid_t child = fork();
    if (child == 0) echo(fd[1], ROUNDS);
    int good = 0;
    for (uint32_t n = 0; n < ROUNDS; n++) {
        int size = make(0, n, sizeOf(n));
        if (write(fd[0], frame, size) == size && same(got, (int)read(fd[0], got, sizeof got), 1, n, size)) good++;
    }
    CHECK("every frame comes back", good == ROUNDS && endOf(child) == 0);

    /* Many at a time, both ways: none is lost while fewer are under way than the rings have buffers. */
    child = fork();
    if (child == 0) echo(fd[1], ROUNDS);
    uint32_t sent = 0, back = 0;
    for (good = 1; good && back < ROUNDS;) {
        while (sent < ROUNDS && sent - back < 32) good &= write(fd[0], frame, make(0, sent, sizeOf(sent))) == sizeOf(sent), sent++;
        good &= same(got, (int)read(fd[0], got, sizeof got), 1, back, sizeOf(back)), back++;
    }
    CHECK("in order, when many are under way", good && endOf(child) == 0);

    /* More than rings and queues hold, and nobody reads: nobody waits, the oldest are there, the rest is lost. */
    for (good = 0, sent = 0; sent < BURST; sent++) good += write(fd[0], frame, make(0, sent, 64)) == 64;
    CHECK("a burst is sent", good == BURST);
    fcntl(fd[1], F_SETFL, O_NONBLOCK);
    int count = 0, wrong = 0;
    int64_t last = -1;
    while (ready(fd[1], POLLIN, 200)) {
        ssize_t size = read(fd[1], got, sizeof got);
        uint32_t number;
        memcpy(&number, got + 14, 4);
        if ((int64_t)number <= last || !same(got, (int)size, 0, number, 64)) wrong++;
        last = number;
        count++;
    }
    CHECK("what comes of it is whole and in order", wrong == 0 && count >= 128 && count < BURST);
    CHECK("and then there is peace", write(fd[0], frame, make(0, 9, 99)) == 99 && ready(fd[1], POLLIN, 2000) &&
                                        same(got, (int)read(fd[1], got, sizeof got), 0, 9, 99));
    close(fd[0]);
    CHECK("another opener", (fd[0] = open("/dev/net0", O_RDWR | O_NONBLOCK)) >= 0);
    CHECK("what nobody reads is gone", write(fd[1], frame, make(1, 1, 64)) == 64 && ready(fd[0], POLLIN, 2000) && close(fd[0]) == 0 &&
                                           (fd[0] = open("/dev/net0", O_RDWR | O_NONBLOCK)) >= 0 && ready(fd[0], POLLIN, 0) == 0);
    say("burst %d", count);
    return finish();
}
