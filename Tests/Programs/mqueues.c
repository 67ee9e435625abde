/* mqueues: POSIX message queues (mq_overview(7)). */
#include "check.h"
#include <mqueue.h>
#include <poll.h>
#include <sys/resource.h>

static char name[64], buffer[8192];
static volatile siginfo_t told;

static void note(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    told = *info;
}

static struct timespec in(long ms) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_nsec += ms * 1000000;
    now.tv_sec += now.tv_nsec / 1000000000;
    now.tv_nsec %= 1000000000;
    return now;
}

static int got(mqd_t queue, unsigned wanted, const char *text) {
    unsigned priority = 99;
    ssize_t size = mq_receive(queue, buffer, sizeof buffer, &priority);
    return size == (ssize_t)strlen(text) && memcmp(buffer, text, size) == 0 && priority == wanted;
}

static void opening(void) {
    ERROR("mq_open of an unknown name", mq_open(name, O_RDWR), ENOENT);
    ERROR("a name in a directory", mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
    struct mq_attr wrong = {.mq_maxmsg = 0, .mq_msgsize = 10};
    ERROR("no messages", mq_open(name, O_RDWR | O_CREAT, 0600, &wrong), EINVAL);
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0640, NULL);
    CHECK("mq_open", queue >= 0);
    ERROR("with O_EXCL", mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL), EEXIST);
    struct mq_attr now;
    CHECK("the usual attributes", mq_getattr(queue, &now) == 0 && now.mq_maxmsg == 10 && now.mq_msgsize == 8192 && now.mq_flags == 0 &&
          now.mq_curmsgs == 0);
    struct stat status;
    CHECK("it is a file", fstat(queue, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0777) == 0640);
    CHECK("closed by exec", fcntl(queue, F_GETFD) == FD_CLOEXEC);
    mqd_t second = mq_open(name, O_RDONLY | O_NONBLOCK);
    CHECK("once more", second >= 0 && mq_getattr(second, &now) == 0 && now.mq_flags == O_NONBLOCK);
    ERROR("a reader does not send", mq_send(second, "x", 1, 0), EBADF);
    ERROR("nothing there", mq_receive(second, buffer, sizeof buffer, NULL), EAGAIN);
    CHECK("mq_unlink", mq_unlink(name) == 0);
    ERROR("twice", mq_unlink(name), ENOENT);
    CHECK("what is open works on", mq_send(queue, "still", 5, 3) == 0 && got(second, 3, "still"));
    mq_close(second);
    mq_close(queue);
    ERROR("no queue", mq_send(1, "x", 1, 0), EBADF);
}

static void passing(void) {
    struct mq_attr small = {.mq_maxmsg = 3, .mq_msgsize = 16};
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &small);
    mq_send(queue, "low", 3, 1);
    mq_send(queue, "high", 4, 5);
    mq_send(queue, "high too", 8, 5);
    CHECK("by priority, then in order", got(queue, 5, "high") && got(queue, 5, "high too") && got(queue, 1, "low"));
    ERROR("too long", mq_send(queue, "12345678901234567", 17, 0), EMSGSIZE);
    ERROR("too small a buffer", mq_receive(queue, buffer, 15, NULL), EMSGSIZE);
    ERROR("a priority beyond the bound", mq_send(queue, "x", 1, 32768), EINVAL);
    CHECK("an empty message", mq_send(queue, "", 0, 0) == 0 && got(queue, 0, ""));
    struct timespec soon = in(20), wrong = {1, 2000000000};
    ERROR("mq_timedreceive", mq_timedreceive(queue, buffer, sizeof buffer, NULL, &soon), ETIMEDOUT);
    ERROR("an impossible time", mq_timedreceive(queue, buffer, sizeof buffer, NULL, &wrong), EINVAL);
    struct pollfd poller = {queue, POLLIN | POLLOUT, 0};
    CHECK("room", poll(&poller, 1, 0) == 1 && poller.revents == POLLOUT);
    pid_t pid = fork();
    if (pid == 0) _exit(got(queue, 7, "for you") ? 0 : 1);
    untilBlocked(pid);
    mq_send(queue, "for you", 7, 7);
    CHECK("a receiver waits", endOf(pid) == 0);
    for (int i = 0; i < 3; i++) mq_send(queue, "x", 1, 0);
    CHECK("no room", poll(&poller, 1, 0) == 1 && poller.revents == POLLIN);
    soon = in(20);
    ERROR("mq_timedsend", mq_timedsend(queue, "x", 1, 0, &soon), ETIMEDOUT);
    pid = fork();
    if (pid == 0) _exit(mq_send(queue, "late", 4, 9) == 0 ? 0 : 1);
    untilBlocked(pid);
    got(queue, 0, "x");
    CHECK("a sender waits", endOf(pid) == 0 && got(queue, 9, "late"));
    struct mq_attr flags = {.mq_flags = O_NONBLOCK, .mq_maxmsg = 77}, old;
    CHECK("mq_setattr", mq_setattr(queue, &flags, &old) == 0 && old.mq_flags == 0 && old.mq_curmsgs == 2 && old.mq_maxmsg == 3 &&
          (fcntl(queue, F_GETFL) & O_NONBLOCK) != 0);
    mq_send(queue, "x", 1, 0);
    ERROR("then it does not wait", mq_send(queue, "x", 1, 0), EAGAIN);
    flags.mq_flags = O_APPEND;
    ERROR("another flag", syscall(SYS_mq_getsetattr, queue, &flags, NULL), EINVAL);
    mq_close(queue);
    mq_unlink(name);
}

static void notices(void) {
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR2, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 77};
    CHECK("mq_notify", mq_notify(queue, &event) == 0);
    ERROR("twice", mq_notify(queue, &event), EBUSY);
    pid_t pid = fork();
    if (pid == 0) {
        if (mq_notify(queue, &event) == 0 || errno != EBUSY) _exit(1);
        _exit(mq_send(queue, "news", 4, 0) == 0 ? 0 : 2);
    }
    CHECK("told", endOf(pid) == 0 && told.si_signo == SIGUSR2 && told.si_code == SI_MESGQ && told.si_pid == pid &&
          told.si_value.sival_int == 77);
    told.si_signo = 0;
    CHECK("once", got(queue, 0, "news") && mq_send(queue, "more", 4, 0) == 0 && told.si_signo == 0);
    CHECK("not of what does not come to an empty one", mq_notify(queue, &event) == 0 && mq_send(queue, "more", 4, 0) == 0 && told.si_signo == 0);
    CHECK("given up", mq_notify(queue, NULL) == 0 && mq_notify(queue, &event) == 0 && mq_notify(queue, NULL) == 0);
    event.sigev_signo = 65;
    ERROR("an impossible signal", mq_notify(queue, &event), EINVAL);
    event.sigev_signo = SIGUSR2;
    mqd_t other = mq_open(name, O_RDONLY);
    mq_notify(other, &event);
    mq_close(other);
    CHECK("closing gives up", mq_notify(queue, &event) == 0);
    mq_close(queue);
    mq_unlink(name);
}

static void limits(void) {
    struct rlimit limit = {10000, 10000};
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_MSGQUEUE, &limit);
        struct mq_attr small = {.mq_maxmsg = 2, .mq_msgsize = 100};
        mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, &small);
        if (queue < 0) _exit(1);
        mq_unlink(name);
        if (mq_open(name, O_RDWR | O_CREAT, 0600, NULL) >= 0 || errno != EMFILE) _exit(2);
        _exit(0);
    }
    CHECK("RLIMIT_MSGQUEUE", endOf(pid) == 0);
}

int main(void) {
    snprintf(name, sizeof name, "/mqueues-%d", (int)getpid());
    opening();
    passing();
    notices();
    limits();
    return finish();
}
