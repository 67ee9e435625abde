/* Packet mode (TIOCPKT), and EXTPROC, which needs it. */

static int packet(int wanted) {
    unsigned char byte = 255;
    if (!comes(master, POLLIN | POLLPRI)) return 0;
    int got = read(master, &byte, 1);
    if (got != 1 || byte != wanted) fprintf(stderr, "a packet %d (%d), wanted %d\n", byte, got, wanted);
    return got == 1 && byte == wanted;
}

static void packets(void) {
    int value = -1, on = 1, off = 0;
    char buffer[100];
    openPair();
    ERROR("TIOCPKT of a slave", ioctl(slave, TIOCPKT, &on), ENOTTY);
    CHECK("no packet mode", ioctl(master, GETPKT, &value) == 0 && value == 0);
    CHECK("TIOCPKT", ioctl(master, TIOCPKT, &on) == 0 && ioctl(master, GETPKT, &value) == 0 && value == 1);
    ERROR("without an address", ioctl(master, TIOCPKT, 8), EFAULT);
    CHECK("data has a byte 0 in front", prints("data") && READS(master, "\0data", 100));
    CHECK("each read has one", prints("abcd") && READS(master, "\0ab", 3) && READS(master, "\0cd", 100));
    CHECK("no POLLPRI for data", prints("e") && comes(master, POLLIN) && !(events(master, POLLPRI | POLLIN) & POLLPRI));
    CHECK("FIONREAD counts data alone", ioctl(master, FIONREAD, &value) == 0 && value == 1);
    CHECK("room for the byte alone", read(master, buffer, 1) == 1 && buffer[0] == 0 && READS(master, "\0e", 100));
    CHECK("TIOCPKT_FLUSHREAD", tcflush(slave, TCIFLUSH) == 0 && (events(master, POLLPRI) & POLLPRI) && (events(master, POLLIN) & POLLIN) && packet(TIOCPKT_FLUSHREAD));
    CHECK("TIOCPKT_FLUSHWRITE", tcflush(slave, TCOFLUSH) == 0 && packet(TIOCPKT_FLUSHWRITE));
    CHECK("both", tcflush(slave, TCIOFLUSH) == 0 && packet(TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE));
    CHECK("TIOCPKT_STOP", tcflow(slave, TCOOFF) == 0 && packet(TIOCPKT_STOP));
    CHECK("twice says it once", tcflow(slave, TCOOFF) == 0 && !(events(master, POLLPRI) & POLLPRI));
    CHECK("TIOCPKT_START", tcflow(slave, TCOON) == 0 && packet(TIOCPKT_START));
    CHECK("start takes stop back", tcflow(slave, TCOOFF) == 0 && tcflow(slave, TCOON) == 0 && packet(TIOCPKT_START));
    CHECK("^S and ^Q", types("\023") && packet(TIOCPKT_STOP) && types("\021") && packet(TIOCPKT_START));
    change(input, IXON, 0);
    CHECK("TIOCPKT_NOSTOP", packet(TIOCPKT_NOSTOP));
    change(input, 0, IXON);
    CHECK("TIOCPKT_DOSTOP", packet(TIOCPKT_DOSTOP));
    character(VSTOP, 'S');
    CHECK("another STOP character is NOSTOP", packet(TIOCPKT_NOSTOP));
    character(VSTOP, 023);
    packet(TIOCPKT_DOSTOP);
    change(local, ECHO, 0);
    CHECK("other settings say nothing", !(events(master, POLLPRI) & POLLPRI));
    CHECK("control comes before data", prints("late") && tcflush(slave, TCIFLUSH) == 0 && packet(TIOCPKT_FLUSHREAD) && READS(master, "\0late", 100));
    CHECK("^C flushes both ways", types("\003") && packet(TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE));
    CHECK("what was said before it was on is not", tcflush(slave, TCIFLUSH) == 0 && ioctl(master, TIOCPKT, &off) == 0 && ioctl(master, TIOCPKT, &on) == 0 && !(events(master, POLLPRI) & POLLPRI));
    tcflush(slave, TCIFLUSH);
    CHECK("off", ioctl(master, TIOCPKT, &off) == 0 && quiet(master) && prints("plain") && READS(master, "plain", 100));
    closePair();
}

static void external(void) {
    int on = 1, value;
    char buffer[100];
    openPair();
    ioctl(master, TIOCPKT, &on);
    change(local, 0, EXTPROC);
    CHECK("EXTPROC is announced", packet(TIOCPKT_IOCTL));
    CHECK("no line is needed", types("ab") && comes(slave, POLLIN) && READS(slave, "ab", 100));
    CHECK("no echo, no signal, no erasure", types("x\177\003\025") && READS(slave, "x\177\003\025", 100) && quiet(master));
    CHECK("ICRNL is left to the other side", types("\r") && READS(slave, "\r", 100));
    CHECK("FIONREAD counts bytes", types("abc") && comes(slave, POLLIN) && ioctl(slave, FIONREAD, &value) == 0 && value == 3);
    CHECK("output is processed", prints("\n") && READS(master, "\0\r\n", 100));
    change(local, ECHOK, 0);
    CHECK("each change is announced", packet(TIOCPKT_IOCTL));
    change(local, EXTPROC, 0);
    CHECK("the last one too", packet(TIOCPKT_IOCTL) && (change(local, 0, ECHOK), !(events(master, POLLPRI) & POLLPRI)));
    CHECK("what is there is a line now", READS(slave, "abc", 100));
    CHECK("lines again", types("l") && quiet(slave) && types("\n") && read(slave, buffer, 10) == 2);
    closePair();
}
