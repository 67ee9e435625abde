/* Reading: lines, bytes, what happens between the two, and how much fits. */

static void canonical(void) {
    char big[8200];
    int value;
    openPair();
    CHECK("no line yet", types("ab") && quiet(slave) && ioctl(slave, FIONREAD, &value) == 0 && value == 0);
    CHECK("a line", types("c\n") && ioctl(slave, FIONREAD, &value) == 0 && comes(slave, POLLIN) && ioctl(slave, FIONREAD, &value) == 0 && value == 4);
    CHECK("in pieces", READS(slave, "ab", 2) && READS(slave, "c\n", 100));
    CHECK("echoed", GIVES(master, "abc\r\n"));
    CHECK("a line a read", types("one\ntwo\n") && READS(slave, "one\n", 100) && READS(slave, "two\n", 100) && GIVES(master, "one\r\ntwo\r\n"));
    CHECK("end of file", types("\004") && comes(slave, POLLIN) && read(slave, big, 10) == 0);
    CHECK("is read once", quiet(slave));
    CHECK("behind text it only sends it", types("xy\004") && READS(slave, "xy", 100) && quiet(slave));
    CHECK("a read that ends there has seen it", types("xy\004z\n") && READS(slave, "xy", 2) && READS(slave, "z\n", 100));
    CHECK("counted without it", types("\004q\n") && comes(slave, POLLIN) && ioctl(slave, FIONREAD, &value) == 0 && value == 2);
    tcflush(slave, TCIFLUSH);
    CHECK("TCIFLUSH", quiet(slave));
    take(master, big, 12);
    tcflush(master, TCIFLUSH);

    change(local, ECHO, 0);
    character(VEOL, ';');
    character(VEOL2, '|');
    CHECK("VEOL and VEOL2 end lines", types("a;b|c\n") && READS(slave, "a;", 100) && READS(slave, "b|", 100) && READS(slave, "c\n", 100));
    character(VEOL, 0);
    character(VEOL2, 0);
    CHECK("erase, word, line", types("a\177b c d\027e\025fg\n") && READS(slave, "fg\n", 100));
    CHECK("the next one literally", types("\026\003\026\004\n") && READS(slave, "\003\004\n", 100));
    change(input, 0, IUTF8);
    CHECK("IUTF8 erases a character", types("\xe2\x82\xac\177x\n") && READS(slave, "x\n", 100));
    change(input, IUTF8, 0);
    CHECK("without it a byte", types("\xe2\x82\xac\177x\n") && READS(slave, "\xe2\x82x\n", 100));

    memset(big, 'l', sizeof big);
    CHECK("a line of 4095", write(master, big, 4095) == 4095 && types("\n") && counts(slave, 4096));
    CHECK("is read whole", take(slave, big, 4096) == 4096 && big[4095] == '\n');
    CHECK("of a longer one the middle is lost", write(master, memset(big, 'm', 6000), 6000) == 6000 && types("end\n") && comes(slave, POLLIN) && read(slave, big, 8000) == 4096 && big[4094] == 'm' && big[4095] == '\n');
    closePair();

    openPair();
    change(local, ECHO, 0);
    CHECK("from lines to bytes", types("ab") && quiet(slave) && (change(local, ICANON, 0), comes(slave, POLLIN)) && READS(slave, "ab", 100));
    change(local, 0, ICANON);
    CHECK("the newline is a byte", types("line\nrest") && comes(slave, POLLIN) && (change(local, ICANON, 0), READS(slave, "line\nrest", 100)));
    CHECK("from bytes to lines: what there is is a line", types("cd") && comes(slave, POLLIN) && (change(local, 0, ICANON), READS(slave, "cd", 100)));
    CHECK("then lines again", types("e") && quiet(slave) && types("\n") && READS(slave, "e\n", 100));
    struct termios t;
    tcgetattr(slave, &t);
    CHECK("TCSAFLUSH throws input away", types("gone\n") && comes(slave, POLLIN) && tcsetattr(slave, TCSAFLUSH, &t) == 0 && quiet(slave));
    closePair();
}

static int64_t readTime(int size, int *got) {
    char buffer[100];
    int64_t begin = nowNs();
    *got = read(slave, buffer, size);
    return (nowNs() - begin) / 1000000;
}

static void later(const char *text, int gap) {
    if (fork() == 0) {
        for (; *text; text++) {
            napMs(gap);
            write(master, text, 1);
        }
        _exit(0);
    }
}

static void noncanonical(void) {
    char buffer[100];
    int got, value;
    int64_t time;
    openPair();
    raw(0, 0);
    CHECK("MIN 0 TIME 0: at once", (time = readTime(10, &got), got == 0 && time < 500));
    CHECK("with what there is", types("abc") && comes(slave, POLLIN) && READS(slave, "abc", 100));
    raw(0, 2);
    CHECK("MIN 0 TIME 2: a time limit", (time = readTime(10, &got), got == 0 && time >= 150 && time < 1500));
    CHECK("a byte ends it", (later("x", 20), time = readTime(10, &got), got == 1 && time < 190));
    wait(0);
    raw(3, 0);
    CHECK("MIN 3: three bytes", (later("abc", 20), readTime(10, &got), got == 3));
    wait(0);
    CHECK("a read for less is content with it", (later("ab", 20), readTime(2, &got), got == 2));
    wait(0);
    CHECK("MIN 3: two are not readable", types("ab") && quiet(slave) && ioctl(slave, FIONREAD, &value) == 0 && value == 2);
    CHECK("three are", types("c") && comes(slave, POLLIN) && READS(slave, "abc", 100));
    raw(3, 2);
    CHECK("MIN 3 TIME 2: the time between bytes", (later("ab", 20), time = readTime(10, &got), got == 2 && time >= 150));
    wait(0);
    CHECK("three come at once", (later("abc", 5), time = readTime(10, &got), got == 3 && time < 190));
    wait(0);
    raw(3, 1);
    CHECK("MIN 3 TIME 1: one is readable", types("z") && comes(slave, POLLIN) && readTime(1, &got) < 1500 && got == 1);
    fcntl(slave, F_SETFL, O_NONBLOCK);
    ERROR("O_NONBLOCK", read(slave, buffer, 10), EAGAIN);
    CHECK("with less than MIN", types("q") && comes(slave, POLLIN) && read(slave, buffer, 10) == 1);
    raw(0, 0);
    CHECK("O_NONBLOCK with MIN 0 TIME 0 gives nothing", read(slave, buffer, 10) == 0);
    fcntl(master, F_SETFL, O_NONBLOCK);
    ERROR("O_NONBLOCK at the master", read(master, buffer, 10), EAGAIN);
    closePair();
}

/* The slave's output is refused, soon. */
static int stops(void) {
    for (int round = 0; round < 1000; round++) {
        if (write(slave, "x", 1) == -1) return errno == EAGAIN;
        napMs(2);
    }
    return 0;
}

/* Writes until nothing more goes in. */
static int fill(int fd) {
    char bytes[1000] = {0};
    int sent = 0, got, refused = 0;
    while (refused < 3 && sent < 1000000) {
        if ((got = write(fd, bytes, sizeof bytes)) > 0) {
            sent += got;
            refused = 0;
        } else {
            if (got != -1 || errno != EAGAIN) return -1;
            refused++;
            events(slave, 0);
        }
    }
    return sent;
}

static void queues(void) {
    static char big[100000];
    int value;
    openPair();
    raw(1, 0);
    fcntl(master, F_SETFL, O_NONBLOCK);
    fcntl(slave, F_SETFL, O_NONBLOCK);
    memset(big, 'k', sizeof big);
    CHECK("eight thousand bytes go in at once", write(master, big, 8000) == 8000);
    CHECK("4095 are readable", counts(slave, 4095));
    CHECK("all come out", take(slave, big, 8000) == 8000 && quiet(slave));
    int sent = fill(master);
    CHECK("there is an end to it", sent >= 8000 && sent < 300000);
    CHECK("no POLLOUT then", !(events(master, POLLOUT) & POLLOUT));
    CHECK("TCIFLUSH empties all of it", tcflush(slave, TCIFLUSH) == 0 && quiet(slave));
    CHECK("POLLOUT", comes(master, POLLOUT));
    sent = fill(slave);
    CHECK("output has an end too", sent >= 8000 && sent < 300000);
    CHECK("no POLLOUT at the slave", !(events(slave, POLLOUT) & POLLOUT));
    CHECK("FIONREAD of the master", comes(master, POLLIN) && ioctl(master, FIONREAD, &value) == 0 && value > 1000);
    CHECK("TIOCOUTQ: pseudo-terminals hold nothing back", ioctl(slave, TIOCOUTQ, &value) == 0 && value == 0);
    CHECK("so tcdrain does not wait", tcdrain(slave) == 0);
    CHECK("TCOFLUSH empties the way to the master", tcflush(slave, TCOFLUSH) == 0 && comes(slave, POLLOUT));
    CHECK("TCIFLUSH at the master empties the rest", tcflush(master, TCIFLUSH) == 0 && quiet(master));
    ERROR("there is no fourth queue", ioctl(slave, TCFLSH, 3), EINVAL);

    CHECK("TCOOFF holds output", tcflow(slave, TCOOFF) == 0 && write(slave, "held", 4) == -1 && errno == EAGAIN && !(events(slave, POLLOUT) & POLLOUT));
    CHECK("TCOON lets it go", tcflow(slave, TCOON) == 0 && prints("free") && GIVES(master, "free"));
    CHECK("TCIOFF sends STOP", tcflow(slave, TCIOFF) == 0 && GIVES(master, "\023"));
    CHECK("TCION sends START", tcflow(slave, TCION) == 0 && GIVES(master, "\021"));
    ERROR("there is no fifth", ioctl(slave, TCXONC, 4), EINVAL);
    CHECK("TCOOFF at the master holds input", tcflow(master, TCOOFF) == 0 && write(master, "held", 4) == -1 && errno == EAGAIN);
    CHECK("TCOON there", tcflow(master, TCOON) == 0 && types("free") && GIVES(slave, "free"));
    change(input, 0, IXON);
    CHECK("^S typed", types("\023") && quiet(slave) && write(slave, "x", 1) == -1 && errno == EAGAIN);
    CHECK("another key does not start it", types("k") && GIVES(slave, "k") && write(slave, "x", 1) == -1 && errno == EAGAIN);
    CHECK("^Q does", types("\021") && comes(slave, POLLOUT) && prints("y") && GIVES(master, "y"));
    change(input, 0, IXANY);
    CHECK("with IXANY every key does", types("\023") && quiet(slave) && types("k") && GIVES(slave, "k") && prints("z") && GIVES(master, "z"));
    CHECK("IXON off starts it", types("\023") && quiet(slave) && (change(input, IXON, 0), prints("w")) && GIVES(master, "w"));
    CHECK("^S waits in a full queue, but acts", (change(input, 0, IXON), write(master, big, 6000) == 6000) && types("\023") && stops());
    closePair();
}

static void processing(void) {
    openPair();
    CHECK("ONLCR", prints("a\nb") && GIVES(master, "a\r\nb"));
    change(output, ONLCR, OCRNL);
    CHECK("OCRNL", prints("a\rb\n") && GIVES(master, "a\nb\n"));
    change(output, OCRNL, ONOCR);
    CHECK("ONOCR", prints("\ra\r") && GIVES(master, "\ra\r") && prints("\rb") && GIVES(master, "b"));
    change(output, ONOCR, ONLRET);
    CHECK("ONLRET", prints("\na\n") && GIVES(master, "\na\n"));
    change(output, ONLRET, XTABS);
    CHECK("tabs become spaces", prints("\n\ra\tb") && GIVES(master, "\n\ra       b"));
    change(output, OPOST, 0);
    CHECK("no OPOST, no change", prints("\n\ta") && GIVES(master, "\n\ta"));
    change(local, ECHO, 0);
    CHECK("ICRNL", types("\r") && READS(slave, "\n", 9));
    change(input, ICRNL, INLCR);
    change(local, ICANON, 0);
    CHECK("INLCR", types("\n") && READS(slave, "\r", 9));
    change(input, INLCR, IGNCR);
    CHECK("IGNCR", types("\r\n") && READS(slave, "\n", 9));
    change(input, IGNCR, ISTRIP);
    CHECK("ISTRIP", types("\xe1") && READS(slave, "a", 9));
    change(input, ISTRIP, PARMRK);
    CHECK("PARMRK doubles 0377", types("\xff") && READS(slave, "\xff\xff", 9));
    change(input, PARMRK, IUCLC);
    CHECK("IUCLC", types("QUIET") && READS(slave, "quiet", 9));
    closePair();
}
