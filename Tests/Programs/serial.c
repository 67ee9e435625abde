/* serial: a 16550 with a loop plug, by its terminal: settings, modem lines, breaks and what termios(3) makes of them.
 * Its argument is the device. */
#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int line;
static volatile sig_atomic_t interrupts;
static void onInterrupt(int number) { (void)number; interrupts++; }

static void settings(tcflag_t inputFlags, tcflag_t localFlags) {
    struct termios t;
    tcgetattr(line, &t);
    cfmakeraw(&t);
    t.c_iflag = inputFlags;
    t.c_lflag = localFlags;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    tcsetattr(line, TCSANOW, &t);
}

/* Exactly these bytes come, and none behind them. */
static int gives(const char *wanted, int size) {
    char got[100];
    int have = 0;
    struct pollfd one = {line, POLLIN, 0};
    while (have < size && poll(&one, 1, 2000) == 1) {
        ssize_t count = read(line, got + have, size - have);
        if (count <= 0) break;
        have += count;
    }
    return have == size && !memcmp(got, wanted, size) && poll(&one, 1, 20) == 0;
}
#define GIVES(text) gives(text, sizeof text - 1)

static int modem(void) {
    int lines = -1;
    ioctl(line, TIOCMGET, &lines);
    return lines;
}

static void speeds(void) {
    struct termios t;
    CHECK("settings of a new one", tcgetattr(line, &t) == 0 && t.c_cflag == (B9600 | CS8 | CREAD | HUPCL | CLOCAL) && cfgetospeed(&t) == B9600);
    t.c_cflag = (t.c_cflag & ~CSIZE) | CS7 | PARENB | PARODD | CSTOPB;
    cfsetspeed(&t, B57600);
    CHECK("bits and parity are kept", tcsetattr(line, TCSADRAIN, &t) == 0 && tcgetattr(line, &t) == 0 && (t.c_cflag & (CSIZE | PARENB | PARODD | CSTOPB)) == (CS7 | PARENB | PARODD | CSTOPB) && cfgetospeed(&t) == B57600);
    t.c_cflag = (t.c_cflag & ~(CSIZE | PARENB | PARODD | CSTOPB)) | CS8;
    tcsetattr(line, TCSANOW, &t);
    CHECK("modem lines", (modem() & (TIOCM_DTR | TIOCM_RTS | TIOCM_CAR | TIOCM_CTS | TIOCM_DSR)) == (TIOCM_DTR | TIOCM_RTS | TIOCM_CAR | TIOCM_CTS | TIOCM_DSR));
    int bits = TIOCM_RTS;
    CHECK("TIOCMBIC", ioctl(line, TIOCMBIC, &bits) == 0 && (modem() & (TIOCM_DTR | TIOCM_RTS)) == TIOCM_DTR);
    CHECK("TIOCMBIS", ioctl(line, TIOCMBIS, &bits) == 0 && (modem() & (TIOCM_DTR | TIOCM_RTS)) == (TIOCM_DTR | TIOCM_RTS));
    bits = 0;
    CHECK("TIOCMSET", ioctl(line, TIOCMSET, &bits) == 0 && (modem() & (TIOCM_DTR | TIOCM_RTS)) == 0);
    bits = TIOCM_DTR | TIOCM_RTS;
    ioctl(line, TIOCMSET, &bits);
    struct termios zero = t;
    cfsetspeed(&zero, B0);
    CHECK("speed 0 hangs up", tcsetattr(line, TCSANOW, &zero) == 0 && (modem() & (TIOCM_DTR | TIOCM_RTS)) == 0);
    CHECK("another does not", tcsetattr(line, TCSANOW, &t) == 0 && (modem() & (TIOCM_DTR | TIOCM_RTS)) == (TIOCM_DTR | TIOCM_RTS));
}

static void bytes(void) {
    static char sent[20000], got[20000];
    int value;
    settings(0, 0);
    CHECK("around", write(line, "hello", 5) == 5 && GIVES("hello"));
    CHECK("all bytes", write(line, "\0\xff\xff\x01\xff", 5) == 5 && GIVES("\0\xff\xff\x01\xff"));
    CHECK("tcdrain", write(line, "drain", 5) == 5 && tcdrain(line) == 0 && ioctl(line, TIOCOUTQ, &value) == 0 && value == 0 && GIVES("drain"));
    for (int i = 0; i < (int)sizeof sent; i++) sent[i] = (char)(i * 7 + i / 256);
    pid_t pid = fork();
    if (pid == 0) {
        int done = 0, count;
        while (done < (int)sizeof sent && (count = write(line, sent + done, sizeof sent - done)) > 0) done += count;
        _exit(done == sizeof sent ? 0 : 1);
    }
    int have = 0;
    struct pollfd one = {line, POLLIN, 0};
    while (have < (int)sizeof got && poll(&one, 1, 5000) == 1) {
        int count = read(line, got + have, sizeof got - have);
        if (count <= 0) break;
        have += count;
    }
    CHECK("twenty thousand bytes", endOf(pid) == 0 && have == sizeof got && !memcmp(sent, got, sizeof got));
}

static void breaks(void) {
    settings(0, 0);
    CHECK("a break is a zero byte", write(line, "a", 1) == 1 && tcsendbreak(line, 0) == 0 && write(line, "b", 1) == 1 && GIVES("a\0b"));
    settings(PARMRK, 0);
    CHECK("marked with PARMRK", tcsendbreak(line, 0) == 0 && GIVES("\377\0\0"));
    CHECK("which doubles 0377", write(line, "\377", 1) == 1 && GIVES("\377\377"));
    settings(IGNBRK, 0);
    CHECK("nothing with IGNBRK", tcsendbreak(line, 0) == 0 && write(line, "c", 1) == 1 && GIVES("c"));
    CHECK("TIOCSBRK and TIOCCBRK", (settings(0, 0), ioctl(line, TIOCSBRK, 0)) == 0 && ioctl(line, TIOCCBRK, 0) == 0 && GIVES("\0"));
    settings(BRKINT, ISIG);
    signal(SIGINT, onInterrupt);
    CHECK("an interrupt with BRKINT", write(line, "lost", 4) == 4 && tcdrain(line) == 0 && tcsendbreak(line, 0) == 0);
    for (int round = 0; round < 1000 && interrupts == 0; round++) napMs(2);
    CHECK("to the foreground group", interrupts == 1);
    CHECK("which throws input away", write(line, "d", 1) == 1 && GIVES("d"));
}

int main(int argc, char **argv) {
    alarm(30);
    setsid();
    line = open(argc > 1 ? argv[1] : "/dev/ttyS0", O_RDWR);
    CHECK("it opens", line >= 0 && tcgetpgrp(line) == getpgrp());
    speeds();
    bytes();
    breaks();
    return finish();
}
