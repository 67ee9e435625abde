/* pipes: atomic writes, end of file, EPIPE, O_NONBLOCK, poll, FIFOs, dup. */
#include "check.h"
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static int ends[2];
static void *volatile nowhere = (void *)8;
static volatile sig_atomic_t broken;
static void onPipe(int number) { (void)number; broken++; }

/* Eight writers, blocks of PIPE_BUF with one letter each: no block may be torn. */
static void atomicity(void) {
    enum { writers = 8, blocks = 50 };
    pipe(ends);
    for (int i = 0; i < writers; i++)
        if (fork() == 0) {
            char block[PIPE_BUF];
            memset(block, 'a' + i, sizeof block);
            for (int j = 0; j < blocks; j++)
                if (write(ends[1], block, sizeof block) != sizeof block) _exit(1);
            _exit(0);
        }
    close(ends[1]);
    char block[PIPE_BUF];
    int counts[writers] = {0}, torn = 0;
    for (;;) {
        size_t have = 0;
        while (have < sizeof block) {
            ssize_t got = read(ends[0], block + have, sizeof block - have);
            if (got <= 0) break;
            have += got;
        }
        if (have == 0) break;
        for (size_t i = 1; i < have; i++) torn += block[i] != block[0];
        if (have != sizeof block) torn++;
        if (block[0] >= 'a' && block[0] < 'a' + writers) counts[block[0] - 'a']++;
    }
    int all = 1;
    for (int i = 0; i < writers; i++) all &= counts[i] == blocks;
    CHECK("no block is torn", torn == 0);
    CHECK("every block arrived", all);
    int good = 0, status;
    while (wait(&status) > 0) good += status == 0;
    CHECK("all writers are content", good == writers);
    close(ends[0]);
}

static void edges(void) {
    char buffer[70000];
    memset(buffer, 'z', sizeof buffer);
    pipe(ends);
    CHECK("write and read", write(ends[1], "hello", 5) == 5 && read(ends[0], buffer, 100) == 5 && !memcmp(buffer, "hello", 5));
    CHECK("a short read takes a part", write(ends[1], "abcdef", 6) == 6 && read(ends[0], buffer, 2) == 2 && buffer[1] == 'b');
    int waiting = -1;
    CHECK("FIONREAD", ioctl(ends[0], FIONREAD, &waiting) == 0 && waiting == 4);
    CHECK("the rest", read(ends[0], buffer, 100) == 4 && buffer[3] == 'f');
    CHECK("zero bytes", write(ends[1], "", 0) == 0 && read(ends[0], buffer, 0) == 0);
    ERROR("read of the write end", read(ends[1], buffer, 1), EBADF);
    ERROR("write to the read end", write(ends[0], buffer, 1), EBADF);
    ERROR("lseek", lseek(ends[0], 0, SEEK_SET), ESPIPE);
    ERROR("pread", pread(ends[0], buffer, 1, 0), ESPIPE);
    struct stat status;
    CHECK("fstat says FIFO", fstat(ends[0], &status) == 0 && S_ISFIFO(status.st_mode));
    CHECK("size of the buffer", fcntl(ends[0], F_GETPIPE_SZ) == 65536);
    struct iovec parts[3] = {{"one", 3}, {"", 0}, {"two", 3}};
    CHECK("writev", writev(ends[1], parts, 3) == 6 && read(ends[0], buffer, 100) == 6 && !memcmp(buffer, "onetwo", 6));
    ERROR("read to a bad address", (write(ends[1], "x", 1), read(ends[0], nowhere, 1)), EFAULT);
    ERROR("write from a bad address", write(ends[1], nowhere, 1), EFAULT);
    close(ends[1]);
    while (read(ends[0], buffer, 100) > 0) {}
    CHECK("end of file", read(ends[0], buffer, 1) == 0 && read(ends[0], buffer, 1) == 0);
    close(ends[0]);

    pipe(ends);
    close(ends[0]);
    struct sigaction handler = {.sa_handler = onPipe}, usual = {.sa_handler = SIG_DFL};
    sigaction(SIGPIPE, &handler, 0);
    ERROR("nobody reads", write(ends[1], "x", 1), EPIPE);
    CHECK("SIGPIPE came", broken == 1);
    sigaction(SIGPIPE, &usual, 0);
    pid_t pid = fork();
    if (pid == 0) {
        write(ends[1], "x", 1);
        _exit(0);
    }
    CHECK("SIGPIPE kills by default", endOf(pid) == 1000 + SIGPIPE);
    close(ends[1]);
}

static void nonblocking(void) {
    char page[4096] = {0};
    CHECK("pipe2", pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    CHECK("its flags", (fcntl(ends[0], F_GETFL) & O_NONBLOCK) && fcntl(ends[0], F_GETFD) == FD_CLOEXEC);
    ERROR("empty", read(ends[0], page, 1), EAGAIN);
    struct pollfd both[2] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}};
    CHECK("writable, not readable", poll(both, 2, 0) == 1 && both[0].revents == 0 && both[1].revents == POLLOUT);
    int total = 0;
    for (ssize_t got; (got = write(ends[1], page, sizeof page)) > 0;) total += got;
    int error = errno;
    CHECK("64 KiB fit", total == 65536 && error == EAGAIN);
    CHECK("readable, not writable", poll(both, 2, 0) == 1 && both[0].revents == POLLIN && both[1].revents == 0);
    read(ends[0], page, sizeof page);
    CHECK("a page of room makes it writable", poll(both, 2, 0) == 2 && both[1].revents == POLLOUT);
    char large[10000] = {0};
    CHECK("a large write is cut", write(ends[1], large, sizeof large) == 4096);
    close(ends[1]);
    CHECK("poll: data and hang-up", poll(both, 1, 0) == 1 && both[0].revents == (POLLIN | POLLHUP));
    for (total = 0; total < 65536;) total += read(ends[0], large, sizeof large);
    CHECK("all of it is read", total == 65536 && read(ends[0], large, 1) == 0);
    CHECK("poll: hang-up", poll(both, 1, 0) == 1 && both[0].revents == POLLHUP);
    close(ends[0]);
    pipe(ends);
    close(ends[0]);
    both[1].fd = ends[1];
    CHECK("poll: nobody reads", poll(both + 1, 1, 0) == 1 && (both[1].revents & POLLERR));
    close(ends[1]);
    both[0].fd = 999;
    CHECK("poll: no such descriptor", poll(both, 1, 0) == 1 && both[0].revents == POLLNVAL);
    CHECK("F_SETFL later", pipe(ends) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    ERROR("is obeyed", read(ends[0], page, 1), EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

static void blocking(void) {
    char buffer[200000];
    pipe(ends);
    pid_t pid = fork();
    if (pid == 0) {
        memset(buffer, 'q', sizeof buffer);
        close(ends[0]);
        _exit(write(ends[1], buffer, sizeof buffer) == sizeof buffer ? 0 : 1);
    }
    close(ends[1]);
    CHECK("the writer of much blocks", untilBlocked(pid));
    size_t total = 0;
    for (ssize_t got; (got = read(ends[0], buffer, 777)) > 0;) total += got;
    CHECK("and gets rid of all", total == sizeof buffer && endOf(pid) == 0);
    close(ends[0]);
    unlink("fifo");
    CHECK("mkfifo", mkfifo("fifo", 0640) == 0);
    ERROR("again", mkfifo("fifo", 0640), EEXIST);
    ERROR("no reader yet", open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    pid = fork();
    if (pid == 0) {
        int fd = open("fifo", O_WRONLY);
        write(fd, "through", 7);
        _exit(0);
    }
    int fd = open("fifo", O_RDONLY);
    CHECK("both ends meet", fd >= 0 && read(fd, buffer, 100) == 7 && !memcmp(buffer, "through", 7));
    CHECK("end of file", endOf(pid) == 0 && read(fd, buffer, 1) == 0);
    int writer = open("fifo", O_WRONLY | O_NONBLOCK);
    CHECK("with a reader it opens", writer >= 0 && write(writer, "x", 1) == 1 && read(fd, buffer, 9) == 1);
    close(writer);
    close(fd);
    unlink("fifo");
}

static void copies(void) {
    pipe(ends);
    int copy = dup2(ends[1], 40);
    CHECK("dup2", copy == 40 && close(ends[1]) == 0 && write(40, "y", 1) == 1);
    char byte;
    CHECK("through the copy", read(ends[0], &byte, 1) == 1 && byte == 'y');
    CHECK("F_DUPFD_CLOEXEC", fcntl(40, F_DUPFD_CLOEXEC, 50) == 50 && fcntl(50, F_GETFD) == FD_CLOEXEC);
    ERROR("dup3 onto itself", dup3(40, 40, 0), EINVAL);
    CHECK("dup2 onto itself", dup2(40, 40) == 40);
    ERROR("dup2 of nothing", dup2(700, 3), EBADF);
    ERROR("close twice", (close(50), close(50)), EBADF);
    close(40);
    CHECK("the last writer is gone", read(ends[0], &byte, 1) == 0);
    close(ends[0]);
}

int main(void) {
    atomicity();
    edges();
    nonblocking();
    blocking();
    copies();
    return finish();
}
