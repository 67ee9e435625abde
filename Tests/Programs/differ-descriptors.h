/* differ-descriptors.h: the table of descriptors, pipes, events, polling. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static void polled(void) {
    struct pollfd set[3] = {{descriptor(), (short)ONE_OF(POLLIN, POLLOUT, POLLIN | POLLOUT, 0, POLLPRI), 0}, {descriptor(), POLLIN | POLLOUT, 0}, {-1, POLLIN, 0}};
    long r = CALL(SYS_poll, set, ONE_OF(1, 2, 3), 0L);
    note("poll %d %d: %ld %x %x", set[0].fd, set[1].fd, r, set[0].revents, set[1].revents);
}

static void selected(void) {
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    int one = 3 + (int)pick(4), two = 3 + (int)pick(4);
    FD_SET(one, &in);
    FD_SET(two, &out);
    struct timeval none = {0, 0};
    long most = ONE_OF(10, 4, 0, -1), r = CALL(SYS_select, most, &in, &out, NULL, &none);
    note("select %ld %d %d: %ld %d %d", most, one, two, r, FD_ISSET(one, &in) != 0, FD_ISSET(two, &out) != 0);
}

static void watched(void) {
    int poll = descriptor(), fd = descriptor();
    struct epoll_event event = {.events = (uint32_t)ONE_OF(EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT | EPOLLET, EPOLLIN | EPOLLONESHOT), .data.u64 = (uint64_t)fd};
    if (pick(3)) {
        long op = ONE_OF(EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 9);
        note("epoll_ctl %d %ld %d: %ld", poll, op, fd, CALL(SYS_epoll_ctl, poll, op, fd, &event));
        return;
    }
    struct epoll_event ready[4];
    memset(ready, 0, sizeof ready);
    long most = ONE_OF(4, 4, 1, 0, -1), r = CALL(SYS_epoll_wait, poll, ready, most, 0L);
    unsigned all = 0;
    for (long i = 0; i < r; i++) all += ready[i].events * 100 + (unsigned)ready[i].data.u64; /* in any order */
    note("epoll_wait %d: %ld %u", poll, r, r < most ? all : 0);
}

void descriptorsStep(void) {
    int fd = descriptor(), other = descriptor();
    switch (pick(14)) {
    case 0: {
        int pair[2] = {-7, -7};
        long flags = ONE_OF(O_NONBLOCK, O_NONBLOCK | O_CLOEXEC, O_NONBLOCK, 1);
        long r = CALL(SYS_pipe2, pair, flags);
        note("pipe2 %lo: %ld %d %d", flags, r, pair[0], pair[1]);
        break;
    }
    case 1: note("dup %d: %ld", fd, CALL(SYS_dup, fd)); break;
    case 2: if (other < 0 || other > 2) note("dup2 %d %d: %ld", fd, other, CALL(SYS_dup2, fd, other)); break;
    case 3: if (other < 0 || other > 2) note("dup3 %d %d: %ld", fd, other, CALL(SYS_dup3, fd, other, ONE_OF(0, O_CLOEXEC, 1))); break;
    case 4: note("F_DUPFD %d: %ld", fd, CALL(SYS_fcntl, fd, ONE_OF(F_DUPFD, F_DUPFD_CLOEXEC), ONE_OF(0, 5, 60, -1, 100000000))); break;
    case 5: {
        long flags = CALL(SYS_fcntl, fd, F_GETFL);
        note("flags %d: %lo %ld", fd, flags, CALL(SYS_fcntl, fd, F_GETFD));
        break;
    }
    case 6: note("F_SETFL %d: %ld", fd, CALL(SYS_fcntl, fd, F_SETFL, ONE_OF(O_NONBLOCK, O_NONBLOCK | O_APPEND, O_NONBLOCK | O_RDWR))); break;
    case 7: note("F_SETFD %d: %ld", fd, CALL(SYS_fcntl, fd, F_SETFD, ONE_OF(0, 1, 2))); break;
    case 8: {
        long flags = ONE_OF(O_NONBLOCK, O_NONBLOCK | 1, O_NONBLOCK, 99);
        note("eventfd2: %ld", CALL(SYS_eventfd2, ONE_OF(0, 1, 5), flags));
        break;
    }
    case 9: note("epoll_create1: %ld", CALL(SYS_epoll_create1, ONE_OF(0, O_CLOEXEC, 1))); break;
    case 10: watched(); break;
    case 11: pick(3) ? polled() : selected(); break;
    case 12: {
        static unsigned char room[70000];
        size_t size = (size_t)ONE_OF(0, 1, 7, 8, 100, 4096, 65536);
        memset(room, 0, size);
        if (pick(2)) {
            long r = CALL(SYS_read, fd, room, size);
            note("read %d %zu: %ld %u", fd, size, r, sum(room, size));
        } else {
            if (!plainFile(fd)) size = 8;
            uint64_t word = (uint64_t)ONE_OF(1, 2, 100, -1, -2);
            const void *from = size == 8 ? (const void *)&word : bytes(size);
            note("write %d %zu: %ld", fd, size, CALL(SYS_write, fd, from, size));
        }
        break;
    }
    case 13: {
        int left = -1;
        long request = ONE_OF(0x541B /* FIONREAD */, 0x5401 /* TCGETS */, 0x5421 /* FIONBIO */, 0x12345678);
        long r = CALL(SYS_ioctl, fd, request, &left);
        if (r == -EINVAL) r = -ENOTTY; /* epoll has commands of its own since Linux 6.9 */
        note("ioctl %d %lx: %ld", fd, request, r);
        break;
    }
    }
}

/* Who is still open, and what kind it is. */
static void descriptorsEnd(void) {
    for (int fd = 3; fd < 12; fd++) {
        struct stat s;
        long r = CALL(SYS_fstat, fd, &s), flags = CALL(SYS_fcntl, fd, F_GETFL), close = CALL(SYS_fcntl, fd, F_GETFD);
        note("end %d: %ld %o %lo %ld %ld", fd, r, r == 0 ? s.st_mode & S_IFMT : 0, flags, close, r == 0 && S_ISREG(s.st_mode) ? CALL(SYS_lseek, fd, 0L, SEEK_CUR) : 0L);
    }
}
