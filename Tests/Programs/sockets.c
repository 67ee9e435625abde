/* sockets: AF_UNIX, TCP and UDP over the loop: names, connections, messages, descriptors and credentials in them, ends, options. */
#include "check.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static char buffer[1 << 20];
static volatile sig_atomic_t broken;
static void onPipe(int number) { (void)number; broken++; }

static socklen_t named(struct sockaddr_un *address, const char *path, int isAbstract) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path + isAbstract, path);
    return offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
}

static short now(int fd, short events) {
    struct pollfd entry = { fd, events, 0 };
    poll(&entry, 1, 0);
    return entry.revents;
}

static int number(int fd, int level, int name) {
    int value = -12345;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, name, &value, &size) == 0 ? value : -errno - 100000;
}

/* Sends one byte with descriptors; -1 for none behind the first. */
static ssize_t pass(int fd, int a, int b) {
    char byte = 'f', control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec vector = { &byte, 1 };
    int fds[2] = { a, b }, count = b < 0 ? 1 : 2;
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(head), fds, count * sizeof(int));
    return sendmsg(fd, &message, 0);
}

/* How many descriptors came with the next message. */
static int taken(int fd, int *fds, int room, int flags, int *told) {
    char byte, control[CMSG_SPACE(8 * sizeof(int))] = {0};
    struct iovec vector = { &byte, 1 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room ? CMSG_SPACE(room * sizeof(int)) : 0 };
    if (recvmsg(fd, &message, flags) < 0) return -errno;
    *told = message.msg_flags;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (!head || head->cmsg_type != SCM_RIGHTS) return 0;
    int count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(head), count * sizeof(int));
    return count;
}

static void pairs(void) {
    int s[2];
    CHECK("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    struct stat status;
    CHECK("fstat says socket", fstat(s[0], &status) == 0 && S_ISSOCK(status.st_mode));
    char link[64], path[64];
    sprintf(path, "/proc/self/fd/%d", s[0]);
    CHECK("its link", readlink(path, link, 64) > 8 && !strncmp(link, "socket:[", 8));
    CHECK("bytes join", write(s[0], "ab", 2) == 2 && write(s[0], "cd", 2) == 2 && read(s[1], buffer, 10) == 4 && !memcmp(buffer, "abcd", 4));
    CHECK("peek", send(s[0], "xyz", 3, 0) == 3 && recv(s[1], buffer, 2, MSG_PEEK) == 2 && recv(s[1], buffer, 9, 0) == 3);
    ERROR("nothing there", recv(s[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
    int waiting = -1;
    CHECK("FIONREAD", write(s[0], "12345", 5) == 5 && ioctl(s[1], FIONREAD, &waiting) == 0 && waiting == 5);
    CHECK("MSG_WAITALL has it", recv(s[1], buffer, 5, MSG_WAITALL) == 5);
    ERROR("lseek", lseek(s[0], 0, SEEK_SET), ESPIPE);
    ERROR("pread", pread(s[0], buffer, 1, 0), ESPIPE);
    CHECK("poll: writable", now(s[0], POLLIN | POLLOUT) == POLLOUT);
    CHECK("a byte makes it readable", write(s[1], "1", 1) == 1 && now(s[0], POLLIN | POLLOUT) == (POLLIN | POLLOUT));
    read(s[0], buffer, 1);
    CHECK("shutdown for writing", shutdown(s[0], SHUT_WR) == 0 && read(s[1], buffer, 1) == 0);
    CHECK("poll: the other end", now(s[1], POLLIN | POLLRDHUP) == (POLLIN | POLLRDHUP));
    CHECK("the other way goes on", write(s[1], "q", 1) == 1 && read(s[0], buffer, 9) == 1);
    signal(SIGPIPE, onPipe);
    ERROR("write behind it", write(s[0], "x", 1), EPIPE);
    CHECK("SIGPIPE came", broken == 1);
    ERROR("MSG_NOSIGNAL", send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK("no signal then", broken == 1);
    close(s[1]);
    CHECK("end", read(s[0], buffer, 1) == 0);
    CHECK("poll: hang-up", now(s[0], POLLIN) == (POLLIN | POLLHUP));
    close(s[0]);
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    write(s[0], "unread", 6);
    close(s[1]);
    ERROR("unread data resets", read(s[0], buffer, 1), ECONNRESET);
    CHECK("then the end", read(s[0], buffer, 1) == 0);
    close(s[0]);

    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s);
    CHECK("its flags", fcntl(s[0], F_GETFL) & O_NONBLOCK && fcntl(s[0], F_GETFD) & FD_CLOEXEC);
    CHECK("packets stay apart", send(s[0], "one", 3, 0) == 3 && send(s[0], "three", 5, 0) == 5 && recv(s[1], buffer, 99, 0) == 3);
    CHECK("the rest of a packet is lost", recv(s[1], buffer, 2, 0) == 2 && recv(s[1], buffer, 9, 0) == -1 && errno == EAGAIN);
    CHECK("MSG_TRUNC tells its size", send(s[0], "three", 5, 0) == 5 && recv(s[1], buffer, 2, MSG_TRUNC) == 5);
    int filled = 0;
    while (send(s[0], buffer, 1000, 0) == 1000) filled++;
    int full = errno;
    CHECK("it fills up", filled > 5 && full == EAGAIN && now(s[0], POLLOUT) == 0);
    while (recv(s[1], buffer, 1000, 0) == 1000) filled--;
    CHECK("and empties", filled == 0 && now(s[0], POLLOUT) == POLLOUT);
    close(s[0]), close(s[1]);

    /* More than fits, by a writer that has to wait. */
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    if (fork() == 0) {
        close(s[1]);
        for (int i = 0; i < (int)sizeof buffer; i++) buffer[i] = (char)(i * 7);
        _exit(write(s[0], buffer, sizeof buffer) != sizeof buffer);
    }
    close(s[0]);
    size_t have = 0;
    int good = 1;
    for (ssize_t got; (got = read(s[1], buffer, 5000)) > 0;) {
        for (ssize_t i = 0; i < got; i++) good &= buffer[i] == (char)((have + i) * 7);
        have += got;
    }
    int status2;
    wait(&status2);
    CHECK("a megabyte arrives", good && have == sizeof buffer && status2 == 0);
    close(s[1]);
}

static void names(void) {
    struct sockaddr_un address, other;
    socklen_t size = named(&address, "socket-name", 0), length;
    int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), d, e;
    ERROR("nobody there", connect(c, (void *)&address, size), ENOENT);
    CHECK("bind", bind(s, (void *)&address, size) == 0);
    struct stat status;
    CHECK("there is a node", stat("socket-name", &status) == 0 && S_ISSOCK(status.st_mode));
    ERROR("open of it", open("socket-name", O_RDWR), ENXIO);
    socklen_t second = named(&other, "socket-other", 0);
    ERROR("bind twice", bind(s, (void *)&other, second), EINVAL);
    ERROR("leaves nothing", stat("socket-other", &status), ENOENT);
    d = socket(AF_UNIX, SOCK_STREAM, 0);
    ERROR("the name is taken", bind(d, (void *)&address, size), EADDRINUSE);
    ERROR("it does not listen", connect(c, (void *)&address, size), ECONNREFUSED);
    ERROR("accept before listen", accept(s, NULL, NULL), EINVAL);
    CHECK("listen", listen(s, 1) == 0 && number(s, SOL_SOCKET, SO_ACCEPTCONN) == 1);
    ERROR("wrong type", connect(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&address, size), EPROTOTYPE);
    CHECK("connect", connect(c, (void *)&address, size) == 0);
    ERROR("connect twice", connect(c, (void *)&address, size), EISCONN);
    CHECK("data before accept", write(c, "early", 5) == 5);
    fcntl(d, F_SETFL, O_NONBLOCK);
    CHECK("a second one fits", connect(d, (void *)&address, size) == 0);
    e = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ERROR("a third does not", connect(e, (void *)&address, size), EAGAIN);
    CHECK("poll: somebody waits", now(s, POLLIN) == POLLIN);
    length = sizeof other;
    int a = accept4(s, (void *)&other, &length, SOCK_CLOEXEC);
    CHECK("accept", a >= 0 && length == 2 && read(a, buffer, 9) == 5);
    length = sizeof other;
    CHECK("getpeername", getpeername(c, (void *)&other, &length) == 0 && !strcmp(other.sun_path, "socket-name"));
    length = sizeof other;
    CHECK("its own name", getsockname(c, (void *)&other, &length) == 0 && length == 2);
    struct ucred who;
    length = sizeof who;
    CHECK("SO_PEERCRED", getsockopt(a, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && who.pid == getpid() && who.uid == geteuid());
    close(a), close(c), close(d), close(e), close(s);
    c = socket(AF_UNIX, SOCK_STREAM, 0);
    ERROR("the node alone", connect(c, (void *)&address, size), ECONNREFUSED);
    unlink("socket-name");
    /* Abstract */
    size = named(&address, "abstract", 1);
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    ERROR("no such abstract name", connect(c, (void *)&address, size), ECONNREFUSED);
    CHECK("abstract", bind(s, (void *)&address, size) == 0 && listen(s, 5) == 0 && connect(c, (void *)&address, size) == 0);
    a = socket(AF_UNIX, SOCK_DGRAM, 0);
    length = 0;
    struct sockaddr_un empty = { .sun_family = AF_UNIX };
    CHECK("autobind", bind(a, (void *)&empty, 2) == 0 && (length = sizeof other, getsockname(a, (void *)&other, &length) == 0) && length == 8
          && other.sun_path[0] == 0);
    close(a), close(c), close(s);
}

static void datagrams(void) {
    struct sockaddr_un a, b, from;
    socklen_t sizeA = named(&a, "d-a", 1), sizeB = named(&b, "d-b", 1), length;
    int x = socket(AF_UNIX, SOCK_DGRAM, 0), y = socket(AF_UNIX, SOCK_DGRAM, 0);
    bind(x, (void *)&a, sizeA), bind(y, (void *)&b, sizeB);
    ERROR("no destination", send(x, "1", 1, 0), ENOTCONN);
    CHECK("sendto", sendto(x, "hello", 5, 0, (void *)&b, sizeB) == 5);
    length = sizeof from;
    CHECK("recvfrom tells whom", recvfrom(y, buffer, 99, 0, (void *)&from, &length) == 5 && length == sizeA && !memcmp(&from, &a, sizeA));
    CHECK("an empty one", sendto(x, "", 0, 0, (void *)&b, sizeB) == 0 && recv(y, buffer, 9, 0) == 0);
    CHECK("connect", connect(x, (void *)&b, sizeB) == 0 && send(x, "c", 1, 0) == 1 && recv(y, buffer, 9, 0) == 1);
    int z = socket(AF_UNIX, SOCK_DGRAM, 0);
    connect(y, (void *)&a, sizeA);
    ERROR("only its friend", sendto(z, "1", 1, 0, (void *)&b, sizeB), EPERM);
    int count = 0;
    while (send(x, "m", 1, MSG_DONTWAIT) == 1) count++;
    int full = errno;
    CHECK("the queue is bounded", count >= 4 && full == EAGAIN);
    CHECK("poll: full", now(x, POLLOUT) == 0);
    struct mmsghdr many[4];
    struct iovec vectors[4];
    memset(many, 0, sizeof many);
    for (int i = 0; i < 4; i++) {
        vectors[i] = (struct iovec){ buffer + i, 1 };
        many[i].msg_hdr.msg_iov = &vectors[i], many[i].msg_hdr.msg_iovlen = 1;
    }
    CHECK("recvmmsg", recvmmsg(y, many, 4, 0, NULL) == 4 && many[3].msg_len == 1);
    while (recv(y, buffer, 9, MSG_DONTWAIT) == 1) count--;
    CHECK("all came", count == 4);
    CHECK("sendmmsg", sendmmsg(x, many, 4, 0) == 4 && many[0].msg_len == 1);
    close(y);
    ERROR("the friend is gone", send(x, "1", 1, 0), ECONNREFUSED);
    close(x), close(z);
}

static void rights(void) {
    int s[2], p[2], q[2], fds[8], told = 0;
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    pipe(p);
    CHECK("a descriptor goes", pass(s[0], p[1], -1) == 1);
    close(p[1]);
    CHECK("and comes", taken(s[1], fds, 2, MSG_CMSG_CLOEXEC, &told) == 1 && fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    CHECK("it is the same pipe", write(fds[0], "through", 7) == 7 && read(p[0], buffer, 9) == 7);
    close(fds[0]);
    CHECK("its last end", read(p[0], buffer, 1) == 0);
    close(p[0]);
    pipe(p);
    pass(s[0], p[0], p[1]);
    CHECK("peek shows copies", taken(s[1], fds, 4, MSG_PEEK, &told) == 2);
    close(fds[0]), close(fds[1]);
    CHECK("too little room", taken(s[1], fds, 0, 0, &told) == 0 && told & MSG_CTRUNC);
    close(p[1]);
    CHECK("what found no room is closed", read(p[0], buffer, 1) == 0);
    close(p[0]);
    ERROR("no such descriptor", pass(s[0], 999, -1), EBADF);
    /* A cycle: each is only in the other's queue. */
    pipe(p);
    socketpair(AF_UNIX, SOCK_STREAM, 0, q);
    pass(q[0], q[0], p[1]), pass(q[1], q[1], -1);
    close(p[1]), close(q[0]), close(q[1]);
    struct pollfd end = { p[0], POLLIN, 0 };
    /* A Linux may look for cycles at the next occasion only: sockets that come and go give some. */
    for (int i = 0; i < 50 && poll(&end, 1, 100) == 0; i++) {
        socketpair(AF_UNIX, SOCK_STREAM, 0, q);
        pass(q[0], q[1], -1);
        close(q[0]), close(q[1]);
    }
    CHECK("cycles are collected", poll(&end, 1, 0) == 1 && read(p[0], buffer, 1) == 0);
    close(p[0]);
    /* Never received. */
    pipe(p);
    pass(s[0], p[1], -1);
    close(p[1]), close(s[0]), close(s[1]);
    end = (struct pollfd){ p[0], POLLIN, 0 };
    CHECK("what nobody receives is closed", poll(&end, 1, 5000) == 1 && read(p[0], buffer, 1) == 0);
    close(p[0]);
    /* Credentials */
    socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
    int on = 1;
    setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    pid_t child = fork();
    if (child == 0) _exit(send(s[0], "me", 2, 0) != 2);
    char control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec vector = { buffer, 9 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    ssize_t got = recvmsg(s[1], &message, 0);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    struct ucred who = {0};
    if (head) memcpy(&who, CMSG_DATA(head), sizeof who);
    CHECK("SCM_CREDENTIALS", got == 2 && head && head->cmsg_type == SCM_CREDENTIALS && who.pid == child && who.uid == geteuid());
    endOf(child);
    close(s[0]), close(s[1]);
}

static struct sockaddr_in loop(int port) {
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static struct sockaddr_in nameOf(int fd) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    getsockname(fd, (void *)&address, &size);
    return address;
}

static void tcp(void) {
    struct sockaddr_in address = loop(0), other;
    socklen_t size = sizeof address;
    int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), d, on = 1;
    CHECK("poll: not connected", now(c, POLLIN | POLLOUT) == (POLLOUT | POLLHUP));
    ERROR("read before connect", read(c, buffer, 1), ENOTCONN);
    ERROR("no name of its peer", getpeername(c, (void *)&other, &size), ENOTCONN);
    CHECK("bind chooses a port", bind(s, (void *)&address, size) == 0 && (address = nameOf(s)).sin_port != 0);
    ERROR("does not listen", connect(c, (void *)&address, size), ECONNREFUSED);
    CHECK("listen", listen(s, 5) == 0);
    d = socket(AF_INET, SOCK_STREAM, 0);
    ERROR("the port is taken", bind(d, (void *)&address, size), EADDRINUSE);
    other = loop(0), other.sin_addr.s_addr = htonl(0x08080808);
    ERROR("not an address of ours", bind(d, (void *)&other, size), EADDRNOTAVAIL);
    close(d);
    CHECK("connect", connect(c, (void *)&address, size) == 0);
    d = accept(s, (void *)&other, &size);
    CHECK("accept", d >= 0 && other.sin_port == nameOf(c).sin_port && other.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK("both ways", write(c, "ping", 4) == 4 && read(d, buffer, 9) == 4 && write(d, "pong!", 5) == 5 && read(c, buffer, 9) == 5);
    struct tcp_info info;
    socklen_t length = sizeof info;
    CHECK("TCP_INFO", getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == 1);
    CHECK("TCP_NODELAY", number(c, IPPROTO_TCP, TCP_NODELAY) == 0 && setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, 4) == 0
          && number(c, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK("half-close", shutdown(c, SHUT_WR) == 0 && read(d, buffer, 1) == 0 && write(d, "late", 4) == 4 && read(c, buffer, 9) == 4);
    close(d);
    CHECK("end", read(c, buffer, 1) == 0);
    close(c);
    c = socket(AF_INET, SOCK_STREAM, 0), connect(c, (void *)&address, size), d = accept(s, NULL, NULL);
    write(c, "unread", 6);
    close(d);
    ERROR("unread data resets", read(c, buffer, 1), ECONNRESET);
    close(c);
    c = socket(AF_INET, SOCK_STREAM, 0), connect(c, (void *)&address, size), d = accept(s, NULL, NULL);
    struct linger at = { 1, 0 };
    setsockopt(d, SOL_SOCKET, SO_LINGER, &at, sizeof at);
    close(d);
    ERROR("SO_LINGER 0 resets", read(c, buffer, 1), ECONNRESET);
    close(c);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ERROR("non-blocking connect", connect(c, (void *)&address, size), EINPROGRESS);
    struct pollfd entry = { c, POLLOUT, 0 };
    CHECK("is done", poll(&entry, 1, 5000) == 1 && number(c, SOL_SOCKET, SO_ERROR) == 0 && connect(c, (void *)&address, size) == 0);
    d = accept(s, NULL, NULL);
    send(c, "ab!", 3, MSG_OOB);
    entry = (struct pollfd){ d, POLLPRI, 0 };
    CHECK("urgent data", poll(&entry, 1, 5000) == 1 && recv(d, buffer, 9, MSG_OOB) == 1 && buffer[0] == '!' && recv(d, buffer, 9, 0) == 2);
    close(d), close(c);
    close(s);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(c, (void *)&address, size);
    entry = (struct pollfd){ c, POLLOUT, 0 };
    CHECK("refused, told later", poll(&entry, 1, 5000) == 1 && number(c, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
    close(c);
    /* IPv6 takes IPv4 too. */
    struct sockaddr_in6 both = { .sin6_family = AF_INET6 }, from;
    s = socket(AF_INET6, SOCK_STREAM, 0);
    bind(s, (void *)&both, sizeof both), listen(s, 5);
    size = sizeof both, getsockname(s, (void *)&both, &size);
    address = loop(ntohs(both.sin6_port)), c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK("IPv4 to an IPv6 socket", connect(c, (void *)&address, sizeof address) == 0);
    size = sizeof from;
    d = accept(s, (void *)&from, &size);
    CHECK("comes mapped", d >= 0 && IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
    close(c), close(d), close(s);
}

static void limits(void) {
    struct sockaddr_in address = loop(0);
    int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
    bind(s, (void *)&address, sizeof address), listen(s, 5), address = nameOf(s);
    connect(c, (void *)&address, sizeof address);
    struct timeval time = { 0, 50000 };
    setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    int64_t begin = nowNs();
    ERROR("SO_RCVTIMEO", read(c, buffer, 1), EAGAIN);
    CHECK("took its time", nowNs() - begin >= 45000000);
    int small = 4096;
    setsockopt(c, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    CHECK("SO_SNDBUF doubles", number(c, SOL_SOCKET, SO_SNDBUF) == 8192);
    int d = accept(s, NULL, NULL), e = epoll_create1(0);
    struct epoll_event event = { EPOLLIN | EPOLLET, { .u32 = 7 } };
    epoll_ctl(e, EPOLL_CTL_ADD, d, &event);
    write(c, "1", 1);
    CHECK("an edge", epoll_wait(e, &event, 1, 5000) == 1 && event.events == EPOLLIN);
    CHECK("only once", epoll_wait(e, &event, 1, 0) == 0);
    write(c, "2", 1);
    CHECK("more data is another", epoll_wait(e, &event, 1, 5000) == 1);
    pid_t child = fork();
    if (child == 0) {
        close(c);
        _exit(read(d, buffer, 9) != 2 || recv(d, buffer, 4, MSG_WAITALL) != 4);
    }
    untilBlocked(child);
    write(c, "34", 2), write(c, "56", 2);
    CHECK("MSG_WAITALL waits", endOf(child) == 0);
    close(c), close(d), close(e);
    child = fork();
    if (child == 0) {
        signal(SIGALRM, onPipe);
        _exit(accept(s, NULL, NULL) >= 0);
    }
    untilBlocked(child);
    kill(child, SIGTERM);
    CHECK("a signal ends accept", endOf(child) == 1000 + SIGTERM);
    close(s);
    ERROR("no such family", socket(77, SOCK_STREAM, 0), EAFNOSUPPORT);
    ERROR("no such protocol", socket(AF_INET, SOCK_STREAM, 17), EPROTONOSUPPORT);
    ERROR("not a socket", bind(1, (void *)&address, sizeof address), ENOTSOCK);
    ERROR("nothing open", listen(999, 1), EBADF);
}

static void udp(void) {
    struct sockaddr_in a = loop(0), from;
    socklen_t size = sizeof a;
    int x = socket(AF_INET, SOCK_DGRAM, 0), y = socket(AF_INET, SOCK_DGRAM, 0);
    bind(x, (void *)&a, size), a = nameOf(x);
    CHECK("sendto", sendto(y, "packet", 6, 0, (void *)&a, size) == 6);
    CHECK("recvfrom", recvfrom(x, buffer, 99, 0, (void *)&from, &size) == 6 && from.sin_port == nameOf(y).sin_port);
    ERROR("too long", sendto(y, buffer, 70000, 0, (void *)&a, sizeof a), EMSGSIZE);
    ERROR("no destination", send(y, "1", 1, 0), EDESTADDRREQ);
    connect(y, (void *)&a, sizeof a);
    CHECK("connected", send(y, "c", 1, 0) == 1 && recv(x, buffer, 9, 0) == 1);
    struct sockaddr_in own = nameOf(y);
    CHECK("others are not heard", sendto(socket(AF_INET, SOCK_DGRAM, 0), "z", 1, 0, (void *)&own, sizeof own) == 1
          && recv(y, buffer, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    close(x);
    send(y, "1", 1, 0);
    ERROR("nobody there, told later", recv(y, buffer, 1, MSG_DONTWAIT), ECONNREFUSED);
    close(y);
    x = socket(AF_INET, SOCK_DGRAM, 0), y = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in any = { .sin_family = AF_INET };
    bind(x, (void *)&any, sizeof any);
    struct ip_mreqn group = { { htonl(0xe0000105) }, { htonl(INADDR_LOOPBACK) }, 0 };
    CHECK("join a group", setsockopt(x, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == 0);
    setsockopt(y, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof group);
    a = nameOf(x), a.sin_addr.s_addr = htonl(0xe0000105);
    CHECK("a packet to the group", sendto(y, "all", 3, 0, (void *)&a, sizeof a) == 3 && recv(x, buffer, 9, 0) == 3);
    close(x), close(y);
}

static void interfaces(void) {
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request = {0};
    strcpy(request.ifr_name, "lo");
    CHECK("SIOCGIFFLAGS", ioctl(s, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_LOOPBACK);
    CHECK("SIOCGIFADDR", ioctl(s, SIOCGIFADDR, &request) == 0 && ((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    strcpy(request.ifr_name, "nix0");
    ERROR("no such interface", ioctl(s, SIOCGIFFLAGS, &request), ENODEV);
    close(s);
    struct ifaddrs *list, *one;
    int found = 0;
    CHECK("getifaddrs", getifaddrs(&list) == 0);
    for (one = list; one; one = one->ifa_next)
        found |= one->ifa_addr && one->ifa_addr->sa_family == AF_INET && !strcmp(one->ifa_name, "lo");
    CHECK("has lo", found);
    CHECK("if_nametoindex", if_nametoindex("lo") == 1);
}

/* A signal that comes while much is being sent: what was taken is counted, and nothing is sent twice. */
static void interrupted(void) {
    struct sigaction action = {.sa_handler = onPipe}, before;
    sigaction(SIGUSR1, &action, &before);
    static char bytes[4 << 20];
    int good = 1;
    for (int round = 0; round < 20; round++) {
        int ends[2];
        if (round & 1) pipe(ends);
        else socketpair(AF_UNIX, SOCK_STREAM, 0, ends), dup2(ends[0], 100), dup2(ends[1], ends[0]), dup2(100, ends[1]), close(100);
        pid_t parent = getpid(), child = fork();
        if (child == 0) { /* reads ends[0] */
            close(ends[1]);
            static char room[1 << 16];
            long total = read(ends[0], room, 100), got;
            for (int i = 0; i < round / 2; i++) sched_yield();
            kill(parent, SIGUSR1);
            while ((got = read(ends[0], room, sizeof room)) > 0) total += got;
            _exit(total == (long)sizeof bytes ? 0 : 1);
        }
        close(ends[0]);
        for (long sent = 0; sent < (long)sizeof bytes;) {
            long now = write(ends[1], bytes + sent, sizeof bytes - sent);
            if (now > 0) sent += now;
            else if (errno != EINTR) break;
        }
        close(ends[1]);
        good &= endOf(child) == 0;
    }
    CHECK("a signal while much is sent", good);
    sigaction(SIGUSR1, &before, 0);
}

int main(void) {
    pairs();
    interrupted();
    names();
    datagrams();
    rights();
    tcp();
    limits();
    udp();
    interfaces();
    return finish();
}
