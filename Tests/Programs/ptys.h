/* ptys.h: a pseudo-terminal in two hands, and waiting for what has been sent through it. Included once, by ptys.c. */
#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <termios.h>

/* Spelled here: the C libraries' headers have not all of them, and glibc's names a structure that it does not define. */
#undef TCGETS2
#undef TCSETS2
enum {
    TCGETA_ = 0x5405, TCSETA_ = 0x5406, TCSETAW_ = 0x5407, TCSETAF_ = 0x5408, TCGETS2 = (int)0x802c542a, TCSETS2 = 0x402c542b,
    GETPKT = (int)0x80045438, GETPTLCK = (int)0x80045439, GETEXCL = (int)0x80045440, GETDEV = (int)0x80045432,
    GETPEER = 0x5441, VHANGUP = 0x5437, SIG = 0x40045436,
};
#ifndef EXTPROC
#define EXTPROC 0200000
#endif

/* What the kernel calls struct termios, termios2 and termio (asm-generic/termbits.h). */
struct Kernel { unsigned iflag, oflag, cflag, lflag; unsigned char line, cc[19]; };
struct Kernel2 { struct Kernel k; unsigned ispeed, ospeed; };
struct Old { unsigned short iflag, oflag, cflag, lflag; unsigned char line, cc[8]; };

static int master = -1, slave = -1;
static char slaveName[64];

static int openMaster(void) {
    int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlocked = 0;
    unsigned number = 0;
    if (fd < 0 || ioctl(fd, TIOCSPTLCK, &unlocked) != 0 || ioctl(fd, TIOCGPTN, &number) != 0) return -1;
    snprintf(slaveName, sizeof slaveName, "/dev/pts/%u", number);
    return fd;
}

static void openPair(void) {
    master = openMaster();
    slave = open(slaveName, O_RDWR | O_NOCTTY);
    if (master < 0 || slave < 0) {
        say("FAIL no pseudo-terminal (errno %d)", errno);
        _exit(2);
    }
}

static void closePair(void) {
    if (slave >= 0) close(slave);
    if (master >= 0) close(master);
    slave = master = -1;
}

/* What poll says now. Looking at the slave first lets the kernel finish what is under way between the two. */
static short events(int fd, short wanted) {
    struct pollfd one = {fd, wanted, 0};
    for (int round = 0; round < 2; round++) {
        struct pollfd both[2] = {{slave, POLLIN, 0}, {master, POLLIN, 0}};
        poll(both, 2, 0);
    }
    poll(&one, 1, 0);
    return one.revents;
}

/* Waits, two seconds at most, for one of `wanted`. */
static int comes(int fd, short wanted) {
    for (int64_t end = nowNs() + 2000000000LL; nowNs() < end; napMs(1))
        if (events(fd, wanted) & wanted) return 1;
    return 0;
}

static int quiet(int fd) { return !(events(fd, POLLIN) & POLLIN); }

/* FIONREAD comes to be this. */
static int counts(int fd, int wanted) {
    int value = -1;
    for (int64_t end = nowNs() + 2000000000LL; value != wanted && nowNs() < end; napMs(1))
        if (events(fd, POLLIN), ioctl(fd, FIONREAD, &value) != 0) return 0;
    return value == wanted;
}

/* Reads until `size` bytes have come. How many. */
static int take(int fd, char *buffer, int size) {
    int have = 0;
    while (have < size && comes(fd, POLLIN)) {
        ssize_t got = read(fd, buffer + have, size - have);
        if (got <= 0) break;
        have += got;
    }
    return have;
}

/* Exactly this comes, and no more. */
static int gives(int fd, const char *wanted, int size) {
    char got[9000];
    int have = take(fd, got, size);
    int good = have == size && !memcmp(got, wanted, size) && quiet(fd);
    if (!good) fprintf(stderr, "wanted \"%.*s\", got \"%.*s\"\n", size, wanted, have, got);
    return good;
}
#define GIVES(fd, text) gives(fd, text, sizeof text - 1)

/* One read gives exactly this. */
static int readsOnce(int fd, const char *wanted, int size, int room) {
    char got[9000];
    if (!comes(fd, POLLIN)) return 0;
    int have = read(fd, got, room);
    return have == size && !memcmp(got, wanted, size);
}
#define READS(fd, text, room) readsOnce(fd, text, sizeof text - 1, room)

static int types(const char *text) { return write(master, text, strlen(text)) == (ssize_t)strlen(text); }
static int prints(const char *text) { return write(slave, text, strlen(text)) == (ssize_t)strlen(text); }

/* Changes the slave's settings: bits off, bits on, in input, output, local flags. */
static void change(tcflag_t *(*which)(struct termios *), tcflag_t off, tcflag_t on) {
    struct termios t;
    tcgetattr(slave, &t);
    *which(&t) = (*which(&t) & ~off) | on;
    tcsetattr(slave, TCSANOW, &t);
}
static tcflag_t *input(struct termios *t) { return &t->c_iflag; }
static tcflag_t *output(struct termios *t) { return &t->c_oflag; }
static tcflag_t *local(struct termios *t) { return &t->c_lflag; }

static void character(int index, int value) {
    struct termios t;
    tcgetattr(slave, &t);
    t.c_cc[index] = value;
    tcsetattr(slave, TCSANOW, &t);
}

static void raw(int minimum, int tenths) {
    struct termios t;
    tcgetattr(slave, &t);
    cfmakeraw(&t);
    t.c_cc[VMIN] = minimum;
    t.c_cc[VTIME] = tenths;
    tcsetattr(slave, TCSANOW, &t);
}

/* Runs the body in a child; its failures are ours. */
static void inChild(void (*body)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        failures = 0;
        body();
        _exit(failures);
    }
    int status = endOf(pid);
    if (status < 0 || status >= 1000) say("FAIL a child ended with %d", status);
    failures += status;
}
