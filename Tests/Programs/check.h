/* check.h: one line for each check, written at once, so that output is the same with pipes, files and many processes. */
#ifndef CHECK_H
#define CHECK_H
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef FUTEX_WAIT /* musl-gcc does not see the kernel's headers */
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE_FLAG 128
#endif

static int failures;

__attribute__((format(printf, 1, 2), unused)) static void say(const char *format, ...) {
    char line[512];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line - 1, format, list);
    va_end(list);
    if (length > (int)sizeof line - 2) length = sizeof line - 2;
    line[length++] = '\n';
    if (write(1, line, length) != length) _exit(99);
}

__attribute__((unused)) static int checkAt(int line, const char *name, int good, int error) {
    if (good) {
        say("ok %s", name);
    } else {
        failures++;
        say("FAIL %s (line %d, errno %d %s)", name, line, error, strerror(error));
    }
    return good;
}

/* errno is reset first, so a failure shows the error of the check itself. */
#define CHECK(name, condition) (errno = 0, checkAt(__LINE__, name, !!(condition), errno))

/* `call` must fail with -1 and exactly `wanted`. */
__attribute__((unused)) static void errorAt(int line, const char *name, long result, int got, int wanted) {
    if (result == -1 && got == wanted) {
        say("ok %s", name);
    } else {
        failures++;
        say("FAIL %s (line %d: result %ld errno %d %s, wanted %d)", name, line, result, got, strerror(got), wanted);
    }
}
#define ERROR(name, call, wanted) \
    do { \
        errno = 0; \
        long result_ = (long)(call); \
        errorAt(__LINE__, name, result_, errno, wanted); \
    } while (0)

__attribute__((unused)) static int64_t nowNs(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

__attribute__((unused)) static void napMs(long ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

/* Waits until process `pid` is in state S or D (blocked), seen through /proc, at most two seconds. */
__attribute__((unused)) static int untilBlocked(pid_t pid) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    for (int round = 0; round < 400; round++) {
        int fd = open(path, O_RDONLY);
        ssize_t size = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
        if (fd >= 0) close(fd);
        if (size > 0) {
            text[size] = 0;
            char *end = strrchr(text, ')');
            if (end && (end[2] == 'S' || end[2] == 'D')) return 1;
        }
        napMs(5);
    }
    return 0;
}

/* The exit of a child: its status, 1000 + signal when killed, -errno when the wait failed. */
__attribute__((unused)) static int endOf(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR) return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Each part in a process of its own, so that what one gives up or locks is still there for the next. */
__attribute__((unused)) static void runApart(void (*const *parts)(void), unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            failures = 0;
            parts[i]();
            _exit(failures);
        }
        CHECK("all of it", endOf(pid) == 0);
    }
}

__attribute__((unused)) static int finish(void) {
    if (failures) say("%d failures", failures);
    else say("all good");
    return failures ? 1 : 0;
}
#endif
