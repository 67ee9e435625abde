/* procfs.c: what /proc says of a process that is looked at while it changes. */
#include "check.h"
#include <sys/vfs.h>

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

static void readable(void) {
    static const char *const files[] = {
        "/proc/self/smaps_rollup", "/proc/self/coredump_filter", "/proc/self/uid_map", "/proc/self/gid_map",
        "/proc/self/maps", "/proc/self/smaps", "/proc/self/stat", "/proc/self/statm", "/proc/self/status",
        "/proc/self/auxv", "/proc/self/limits", "/proc/self/mountinfo", "/proc/self/mounts", "/proc/self/cgroup",
        "/proc/self/fdinfo/1", "/proc/self/comm", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/loadavg",
        "/proc/uptime", "/proc/version", "/proc/filesystems", "/proc/sys/kernel/sem", "/proc/sys/kernel/msgmax",
        "/proc/sys/kernel/randomize_va_space", "/proc/sys/kernel/cap_last_cap", "/proc/sys/kernel/random/boot_id",
        "/proc/sys/vm/overcommit_ratio", "/proc/sys/vm/max_map_count", "/proc/sys/fs/nr_open",
        "/proc/sys/fs/pipe-max-size", "/sys/devices/system/cpu/online", "/sys/devices/system/cpu/possible",
        "/sys/devices/system/cpu/present", "/sys/devices/system/cpu/cpu0/topology/core_id",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) CHECK(files[i], slurp(files[i]) > 0);
    static const char *const places[] = {"/proc/self/fd", "/proc/self/task", "/proc/sys/kernel", "/sys/class", "/sys/fs", "/sys/block"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct stat stat_;
        CHECK(places[i], stat(places[i], &stat_) == 0 && S_ISDIR(stat_.st_mode));
    }
    struct statfs fs;
    CHECK("types of file systems", statfs("/proc", &fs) == 0 && fs.f_type == 0x9fa0 && statfs("/sys", &fs) == 0 && fs.f_type == 0x62656572);
    ERROR("nothing else is there", open("/sys/nothing", O_RDONLY), ENOENT);
    long last = 0;
    if (slurp("/sys/devices/system/cpu/online") > 0)
        for (char *at = text; *at; at += strcspn(at, "-,")) {
            if (*at == '-' || *at == ',') at++;
            last = strtol(at, &at, 10);
        }
    CHECK("as many processors as there are", last + 1 >= sysconf(_SC_NPROCESSORS_ONLN));
}

static void writable(void) {
    int fd = open("/proc/self/coredump_filter", O_RDWR);
    CHECK("coredump_filter takes a number", fd >= 0 && write(fd, "0x31", 4) == 4 && close(fd) == 0);
    CHECK("and keeps it", slurp("/proc/self/coredump_filter") == 9 && strcmp(text, "00000031\n") == 0);
    fd = open("/proc/self/coredump_filter", O_WRONLY);
    ERROR("but no text", write(fd, "some", 4), EINVAL);
    close(fd);
}

static void locked(void) {
    char want[64];
    int fd = open("locked", O_RDWR | O_CREAT, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 3, .l_len = 5};
    CHECK("fcntl", fcntl(fd, F_SETLK, &lock) == 0);
    snprintf(want, sizeof want, "POSIX  ADVISORY  WRITE %d ", (int)getpid());
    char *line = slurp("/proc/locks") > 0 ? strstr(text, want) : 0;
    CHECK("/proc/locks has it", line && (line = strchr(line, '\n')) && memcmp(line - 4, " 3 7", 4) == 0);
    close(fd);
    CHECK("and no longer", slurp("/proc/locks") >= 0 && !strstr(text, want) && unlink("locked") == 0);
}

static void children(void) {
    int ends[2];
    char want[32];
    if (pipe(ends) != 0) return;
    pid_t pid = fork();
    if (pid == 0) _exit(read(ends[0], want, 1) == 1 ? 0 : 1);
    snprintf(text, 64, "/proc/self/task/%d/children", (int)getpid());
    char path[64];
    strcpy(path, text);
    snprintf(want, sizeof want, "%d ", (int)pid);
    CHECK("children", slurp(path) == (long)strlen(want) && strcmp(text, want) == 0);
    CHECK("its end", write(ends[1], "x", 1) == 1 && endOf(pid) == 0 && slurp(path) == 0);
}

int main(int count, char **arguments) {
    if (count == 1) {
        char *more[] = {arguments[0], "two", "three and four", 0}, *environment[] = {"NAME=value", "LAST=long enough", 0};
        execve(arguments[0], more, environment);
        return 9;
    }
    CHECK("environ", slurp("/proc/self/environ") == 28 && strcmp(text, "NAME=value") == 0 && strcmp(text + 11, "LAST=long enough") == 0);
    title(arguments);
    readable();
    writable();
    locked();
    children();
    return finish();
}
