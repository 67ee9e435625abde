/* xattrs: extended attributes: namespaces, sizes, errors, who may, links and descriptors, what copies and renames keep.
 * Lists come in no particular order. */
#include "check.h"
#include <sys/socket.h>
#include <sys/xattr.h>

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The names, sorted. */
static const char *names(const char *path) {
    static char room[70000], out[1000];
    char *list[64];
    ssize_t size = llistxattr(path, room, sizeof room);
    if (size < 0) return strerror(errno);
    int many = 0;
    for (ssize_t at = 0; at < size && many < 64; at += (ssize_t)strlen(room + at) + 1) list[many++] = room + at;
    qsort(list, many, sizeof list[0], compare);
    *out = 0;
    for (int i = 0; i < many; i++) strcat(strcat(out, list[i]), " ");
    return out;
}

static int holds(const char *path, const char *name, const char *value) {
    char room[200] = {0};
    return getxattr(path, name, room, sizeof room) == (ssize_t)strlen(value) && strcmp(room, value) == 0;
}

static void values(void) {
    char room[100];
    close(open("f", O_RDWR | O_CREAT, 0644));
    CHECK("none at first", listxattr("f", room, sizeof room) == 0 && listxattr("f", NULL, 0) == 0);
    CHECK("set", setxattr("f", "user.a", "one", 3, 0) == 0 && holds("f", "user.a", "one"));
    CHECK("how long", getxattr("f", "user.a", NULL, 0) == 3 && getxattr("f", "user.a", room, 0) == 3);
    ERROR("too little room", getxattr("f", "user.a", room, 2), ERANGE);
    CHECK("set again", setxattr("f", "user.a", "other", 5, 0) == 0 && holds("f", "user.a", "other"));
    CHECK("empty", setxattr("f", "user.empty", NULL, 0, 0) == 0 && getxattr("f", "user.empty", room, 9) == 0);
    CHECK("bytes", setxattr("f", "user.bytes", "a\0b", 3, 0) == 0 && getxattr("f", "user.bytes", room, 9) == 3 && memcmp(room, "a\0b", 3) == 0);
    CHECK("listed", strcmp(names("f"), "user.a user.bytes user.empty ") == 0);
    CHECK("how long the list is", listxattr("f", NULL, 0) == 7 + 11 + 11);
    ERROR("too little room for the list", listxattr("f", room, 10), ERANGE);
    ERROR("create what is there", setxattr("f", "user.a", "x", 1, XATTR_CREATE), EEXIST);
    ERROR("replace what is not", setxattr("f", "user.b", "x", 1, XATTR_REPLACE), ENODATA);
    ERROR("both of what is not", setxattr("f", "user.b", "x", 1, XATTR_CREATE | XATTR_REPLACE), ENODATA);
    CHECK("create", setxattr("f", "user.b", "x", 1, XATTR_CREATE) == 0);
    CHECK("replace", setxattr("f", "user.b", "y", 1, XATTR_REPLACE) == 0 && holds("f", "user.b", "y"));
    ERROR("no such flag", setxattr("f", "user.b", "x", 1, 4), EINVAL);
    CHECK("remove", removexattr("f", "user.b") == 0);
    ERROR("remove again", removexattr("f", "user.b"), ENODATA);
    ERROR("get it", getxattr("f", "user.b", room, 9), ENODATA);
    ERROR("nowhere to put it", syscall(SYS_getxattr, "f", "user.a", 8, 100), EFAULT);
    ERROR("nowhere to take it from", syscall(SYS_setxattr, "f", "user.a", 8, 100, 0), EFAULT);
    ERROR("no such file", getxattr("none", "user.a", room, 9), ENOENT);
    ERROR("no name of a file", getxattr("", "user.a", room, 9), ENOENT);
    ERROR("flags come before the file", setxattr("none", "user.a", "x", 1, 4), EINVAL);
    static char large[70000];
    ERROR("so does the size", setxattr("none", "user.a", large, 65537, 0), E2BIG);
}

static void spaces(void) {
    static char large[70000];
    char room[100], longest[300] = "user.";
    memset(longest + 5, 'x', 250);
    ERROR("no namespace", setxattr("f", "plain", "x", 1, 0), EOPNOTSUPP);
    ERROR("an unknown one", getxattr("f", "other.a", room, 9), EOPNOTSUPP);
    ERROR("a namespace alone", setxattr("f", "user.", "x", 1, 0), EINVAL);
    ERROR("asked for", getxattr("f", "user.", room, 9), EINVAL);
    ERROR("an empty name", getxattr("f", "", room, 9), ERANGE);
    CHECK("a long name", setxattr("f", longest, "x", 1, 0) == 0 && removexattr("f", longest) == 0);
    longest[255] = 'x';
    ERROR("too long a name", setxattr("f", longest, "x", 1, 0), ERANGE);
    ERROR("asked for too", getxattr("f", longest, room, 9), ERANGE);
    ERROR("too long a value", setxattr("f", "user.large", large, 65537, 0), E2BIG);
    CHECK("a long one", setxattr("f", "user.large", large, 3000, 0) == 0 && getxattr("f", "user.large", large, 65536) == 3000);
    removexattr("f", "user.large");
    CHECK("trusted", setxattr("f", "trusted.a", "t", 1, 0) == 0 && holds("f", "trusted.a", "t"));
    CHECK("security", setxattr("f", "security.mix", "s", 1, 0) == 0 && holds("f", "security.mix", "s"));
    ERROR("security that is not there", getxattr("f", "security.none", room, 9), ENODATA);
    ERROR("capabilities need their form", setxattr("f", "security.capability", "x", 1, 0), EINVAL);
    uint32_t capability[5] = {0x02000000, 1 << 10, 0, 0, 0};
    CHECK("capabilities", setxattr("f", "security.capability", capability, 20, 0) == 0 && getxattr("f", "security.capability", room, sizeof room) == 20);
    CHECK("removed", removexattr("f", "security.capability") == 0);
    ERROR("no such part of system", setxattr("f", "system.none", "x", 1, 0), EOPNOTSUPP);
    say("list: %s", names("f"));
}

static void kinds(void) {
    char room[100];
    mkdir("d", 0755);
    symlink("f", "l");
    mkfifo("p", 0644);
    CHECK("a folder", setxattr("d", "user.a", "d", 1, 0) == 0 && holds("d", "user.a", "d"));
    CHECK("through a link", setxattr("l", "user.l", "x", 1, 0) == 0 && holds("f", "user.l", "x"));
    ERROR("not of the link", lsetxattr("l", "user.a", "x", 1, 0), EPERM);
    ERROR("nor asked for", lgetxattr("l", "user.a", room, 9), ENODATA);
    ERROR("nor removed", lremovexattr("l", "user.a"), EPERM);
    CHECK("but trusted", lsetxattr("l", "trusted.l", "x", 1, 0) == 0 && lgetxattr("l", "trusted.l", room, 9) == 1 && strcmp(names("l"), "trusted.l ") == 0);
    ERROR("which the file has not", getxattr("f", "trusted.l", room, 9), ENODATA);
    ERROR("a FIFO", setxattr("p", "user.a", "x", 1, 0), EPERM);
    ERROR("asked", getxattr("p", "user.a", room, 9), ENODATA);
    ERROR("a device", setxattr("/dev/null", "user.a", "x", 1, 0), EPERM);
    ERROR("proc", getxattr("/proc/self/status", "user.a", room, 9), EOPNOTSUPP);
    CHECK("has none", listxattr("/proc/self/status", room, 9) == 0);

    int fd = open("f", O_RDONLY), ends[2];
    CHECK("by descriptor", fsetxattr(fd, "user.fd", "f", 1, 0) == 0 && fgetxattr(fd, "user.fd", room, 9) == 1 && holds("f", "user.fd", "f"));
    CHECK("listed", flistxattr(fd, NULL, 0) == listxattr("f", NULL, 0));
    CHECK("removed", fremovexattr(fd, "user.fd") == 0);
    ERROR("removed again", fremovexattr(fd, "user.fd"), ENODATA);
    close(fd);
    ERROR("closed", fgetxattr(fd, "user.fd", room, 9), EBADF);
    fd = open("f", O_PATH);
    ERROR("of a path only", fgetxattr(fd, "user.a", room, 9), EBADF);
    close(fd);
    pipe(ends);
    ERROR("a pipe", fsetxattr(ends[0], "user.a", "x", 1, 0), EPERM);
    ERROR("a pipe asked", fgetxattr(ends[0], "user.a", room, 9), ENODATA);
    CHECK("a pipe has none", flistxattr(ends[0], room, 9) == 0);
}

/* Numbers of users that nobody has. */
static void others(void) {
    char room[100];
    chmod("f", 0444);
    mkdir("sticky", 01777);
    chmod("sticky", 01777);
    uint32_t capability[5] = {0x02000000, 1 << 10, 0, 0, 0};
    pid_t pid = fork();
    if (pid == 0) {
        failures = 0;
        if (setresgid(12345, 12345, 12345) != 0 || setresuid(12345, 12345, 12345) != 0) _exit(99);
        ERROR("who may not write", setxattr("f", "user.a", "y", 1, 0), EACCES);
        CHECK("who may read", holds("f", "user.a", "other"));
        ERROR("trusted is not there", getxattr("f", "trusted.a", room, 9), ENODATA);
        ERROR("nor set", setxattr("f", "trusted.a", "x", 1, 0), EPERM);
        ERROR("nor removed", removexattr("f", "trusted.a"), EPERM);
        ERROR("nor security", setxattr("f", "security.mix", "x", 1, 0), EPERM);
        ERROR("nor capabilities", setxattr("f", "security.capability", capability, 20, 0), EPERM);
        CHECK("security is read", holds("f", "security.mix", "s"));
        ERROR("a sticky folder", setxattr("sticky", "user.a", "x", 1, 0), EPERM);
        say("list: %s", names("f"));
        _exit(failures);
    }
    CHECK("somebody else", endOf(pid) == 0);
    chmod("f", 0);
    pid = fork();
    if (pid == 0) {
        failures = 0;
        if (setresgid(12345, 12345, 12345) != 0 || setresuid(12345, 12345, 12345) != 0) _exit(99);
        ERROR("who may not read", getxattr("f", "user.a", room, 9), EACCES);
        CHECK("may list", listxattr("f", NULL, 0) > 0);
        _exit(failures);
    }
    CHECK("nobody", endOf(pid) == 0);
    chmod("f", 0644);
}

/* Of a file that was there before: with a layer above it, what it had is still there after changes. */
static void kept(void) {
    char room[100];
    CHECK("what was there", holds("below", "user.below", "kept"));
    int fd = open("below", O_WRONLY | O_APPEND);
    write(fd, "more", 4);
    close(fd);
    CHECK("after writing", holds("below", "user.below", "kept"));
    chmod("below", 0600);
    CHECK("after chmod", holds("below", "user.below", "kept"));
    CHECK("one more", setxattr("below", "user.new", "n", 1, 0) == 0 && strcmp(names("below"), "user.below user.new ") == 0);
    rename("below", "d/moved");
    CHECK("after rename", holds("d/moved", "user.below", "kept") && holds("d/moved", "user.new", "n"));
    link("d/moved", "second");
    CHECK("by its other name", removexattr("second", "user.below") == 0);
    ERROR("gone", getxattr("d/moved", "user.below", room, 9), ENODATA);
    struct stat before, after;
    stat("second", &before);
    napMs(20);
    setxattr("second", "user.new", "m", 1, 0);
    stat("second", &after);
    CHECK("a change of it", before.st_ctim.tv_nsec != after.st_ctim.tv_nsec || before.st_ctime != after.st_ctime);
    CHECK("not of the data", before.st_mtim.tv_nsec == after.st_mtim.tv_nsec && before.st_mtime == after.st_mtime);
}

int main(void) {
    values();
    spaces();
    kinds();
    others();
    kept();
    return finish();
}
