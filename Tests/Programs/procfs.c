/* procfs.c: what /proc says of a process that is looked at while it changes. */
#include "check.h"
#include <sys/prctl.h>

static char text[65536];

/* The whole file, with a NUL behind it; -1 if it cannot be opened. */
static long slurp(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) return -1;
    long size = 0, got;
    while ((got = read(fd, text + size, sizeof text - 1 - size)) > 0) size += got;
    close(fd);
    text[size] = 0;
    return got < 0 ? -1 : size;
}

/* setproctitle(3) as everybody does it: over the arguments, and on into the environment. */
static void title(char **arguments) {
    char *line = arguments[0];
    char *end = arguments[0];
    for (char **at = arguments; *at; at++) end = *at + strlen(*at) + 1;
    long size = end - line;
    CHECK("cmdline is the arguments", slurp("/proc/self/cmdline") == size && memcmp(text, line, size) == 0);
    line[0] = 'X';
    CHECK("and what they are now", slurp("/proc/self/cmdline") == size && text[0] == 'X');
    memset(line, 't', size);
    memcpy(line + size, "itle", 5);
    CHECK("a title goes on in the environment", slurp("/proc/self/cmdline") == size + 5 && strcmp(text + size, "itle") == 0);
    line[size] = 0;
    CHECK("and ends at its NUL", slurp("/proc/self/cmdline") == size + 1 && text[size - 1] == 't');
    pid_t pid = fork();
    if (pid == 0) {
        line[0] = 'c';
        _exit(slurp("/proc/self/cmdline") == size + 1 && text[0] == 'c' ? 0 : 1);
    }
    CHECK("a child has its own", endOf(pid) == 0 && slurp("/proc/self/cmdline") == size + 1 && text[0] == 't');
    if ((pid = fork()) == 0) _exit(0);
    siginfo_t info;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    CHECK("a zombie has none", waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0 && slurp(path) == 0 && endOf(pid) == 0);
}

int main(int count, char **arguments) {
    if (count == 1) {
        char *more[] = {arguments[0], "two", "three and four", 0}, *environment[] = {"NAME=value", "LAST=long enough", 0};
        execve(arguments[0], more, environment);
        return 9;
    }
    CHECK("environ", slurp("/proc/self/environ") == 28 && strcmp(text, "NAME=value") == 0 && strcmp(text + 11, "LAST=long enough") == 0);
    title(arguments);
    return finish();
}
