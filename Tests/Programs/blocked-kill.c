/* blocked-kill: a process dies at once wherever it blocks: by SIGKILL, and by SIGTERM. */
#include "check.h"
#include <poll.h>
#include <sys/file.h>
#include <sys/select.h>

static int ends[2];
static uint32_t *word;

static void inRead(void) { char byte; read(ends[0], &byte, 1); }
static void inWrite(void) { char page[4096] = {0}; for (;;) write(ends[1], page, sizeof page); }
static void inWait(void) {
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) pause();
    }
    write(ends[1], &pid, sizeof pid);
    waitpid(pid, 0, 0);
}
static void inSleep(void) { struct timespec long_ = {1000, 0}; nanosleep(&long_, 0); }
static void inFutex(void) { syscall(SYS_futex, word, FUTEX_WAIT, 0, 0, 0, 0); }
static void inPause(void) { pause(); }
static void inFifoRead(void) { open("fifo", O_RDONLY); }
static void inFifoWrite(void) { open("fifo", O_WRONLY); }
static void inPoll(void) { struct pollfd one = {ends[0], POLLIN, 0}; poll(&one, 1, -1); }
static void inSelect(void) { fd_set set; FD_ZERO(&set); FD_SET(ends[0], &set); select(ends[0] + 1, &set, 0, 0, 0); }
static void inSuspend(void) { sigset_t none; sigemptyset(&none); sigsuspend(&none); }
static void inLock(void) { int fd = open("lock", O_RDWR); flock(fd, LOCK_EX); }
static void inRecordLock(void) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fcntl(open("lock", O_RDWR), F_SETLKW, &whole);
}
static void inVfork(void) {
    if (vfork() == 0) {
        for (;;) pause();
    }
}
static void inStop(void) { raise(SIGSTOP); }
static void inLoop(void) { for (volatile int i = 0;; i++) {} }

static const struct {
    const char *name;
    void (*body)(void);
    int blocks; /* 0: it runs or is stopped, so no state S */
} places[] = {
    {"read", inRead, 1},       {"write", inWrite, 1},        {"wait4", inWait, 1},           {"nanosleep", inSleep, 1},
    {"futex", inFutex, 1},     {"pause", inPause, 1},        {"open-fifo-read", inFifoRead, 1},
    {"open-fifo-write", inFifoWrite, 1},                     {"poll", inPoll, 1},            {"select", inSelect, 1},
    {"sigsuspend", inSuspend, 1}, {"flock", inLock, 1},      {"fcntl-lock", inRecordLock, 1},
    {"vfork", inVfork, 1},     {"stopped", inStop, 0},       {"loop", inLoop, 0},
};

static void one(int index, int number) {
    char name[96];
    if (pipe(ends) != 0) return;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        places[index].body();
        _exit(55);
    }
    setpgid(pid, pid);
    int ready = 1;
    if (places[index].body == inStop) {
        int status;
        ready = waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
    } else if (places[index].blocks) {
        ready = untilBlocked(pid);
    }
    snprintf(name, sizeof name, "%s is blocked", places[index].name);
    if (places[index].blocks) CHECK(name, ready);
    int64_t before = nowNs();
    kill(-pid, number); /* the group: a child of vfork or wait goes too */
    if (places[index].body == inStop && number != SIGKILL) kill(-pid, SIGCONT);
    int end = endOf(pid);
    int64_t took = nowNs() - before;
    snprintf(name, sizeof name, "%s dies by signal %d", places[index].name, number);
    if (!CHECK(name, end == 1000 + number)) say("  end %d", end);
    snprintf(name, sizeof name, "%s dies soon", places[index].name);
    if (!CHECK(name, took < 1000000000LL)) say("  after %lld ms", (long long)took / 1000000);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    word = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK("fifo and lock", mkfifo("fifo", 0600) == 0 && close(open("lock", O_CREAT | O_RDWR, 0600)) == 0);
    int held = open("lock", O_RDWR);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK("locks held", flock(held, LOCK_EX) == 0 && fcntl(held, F_SETLK, &whole) == 0);
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        one(i, SIGKILL);
        one(i, SIGTERM);
    }
    /* What the dead held is free again: pipe ends give end of file, locks go to the next. */
    int pair[2];
    char byte;
    pipe(pair);
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        for (;;) pause();
    }
    close(pair[1]);
    kill(pid, SIGKILL);
    CHECK("a killed writer gives end of file", read(pair[0], &byte, 1) == 0);
    CHECK("and is reaped", endOf(pid) == 1000 + SIGKILL);
    close(held);
    pipe(pair);
    pid = fork();
    if (pid == 0) {
        int fd = open("lock", O_RDWR);
        flock(fd, LOCK_EX);
        write(pair[1], "x", 1);
        for (;;) pause();
    }
    CHECK("child has the lock", read(pair[0], &byte, 1) == 1);
    int fd = open("lock", O_RDWR);
    ERROR("so we have not", flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    kill(pid, SIGKILL);
    endOf(pid);
    CHECK("a killed holder's lock is free", flock(fd, LOCK_EX | LOCK_NB) == 0);
    unlink("fifo");
    unlink("lock");
    return finish();
}
