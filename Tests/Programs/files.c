/* files: what Linux promises of files, names, permissions, locks and mapped files. Runs as root in an empty directory. */
#include "check.h"
#include <dirent.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <sys/uio.h>

/* As in statx(2); musl 1.2.3 has none. */
struct Statx {
    uint32_t stx_mask, stx_blksize;
    uint64_t stx_attributes;
    uint32_t stx_nlink, stx_uid, stx_gid;
    uint16_t stx_mode, pad;
    uint64_t stx_ino, stx_size, rest[26];
};
#define BASIC_STATS 0x7ffu

static int make(const char *name, const char *text) {
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    write(fd, text, strlen(text));
    return fd;
}

/* Whether the file at `name` holds exactly `text`. */
static int holds(const char *name, const char *text) {
    char buffer[256];
    int fd = open(name, O_RDONLY);
    if (fd < 0) return 0;
    ssize_t got = read(fd, buffer, sizeof buffer);
    close(fd);
    return got == (ssize_t)strlen(text) && memcmp(buffer, text, got) == 0;
}

static void opening(void) {
    struct stat status;
    int fd = open("new", O_CREAT | O_EXCL | O_WRONLY, 0640);
    CHECK("O_EXCL makes", fd >= 0 && write(fd, "one", 3) == 3 && close(fd) == 0);
    ERROR("O_EXCL refuses", open("new", O_CREAT | O_EXCL | O_WRONLY, 0640), EEXIST);
    CHECK("mode", stat("new", &status) == 0 && (status.st_mode & 07777) == 0640 && status.st_size == 3);
    umask(077);
    close(open("masked", O_CREAT | O_WRONLY, 0666));
    CHECK("umask", stat("masked", &status) == 0 && (status.st_mode & 07777) == 0600 && umask(022) == 077);
    fd = open("new", O_WRONLY | O_APPEND);
    lseek(fd, 0, SEEK_SET);
    CHECK("O_APPEND", write(fd, "two", 3) == 3 && lseek(fd, 0, SEEK_CUR) == 6 && holds("new", "onetwo"));
    CHECK("pwrite appends too", pwrite(fd, "3", 1, 0) == 1 && holds("new", "onetwo3"));
    close(fd);
    fd = open("new", O_RDWR | O_TRUNC);
    CHECK("O_TRUNC", fstat(fd, &status) == 0 && status.st_size == 0);
    CHECK("pread and pwrite keep the offset", pwrite(fd, "abc", 3, 2) == 3 && lseek(fd, 0, SEEK_CUR) == 0);
    char buffer[16] = "";
    CHECK("a hole reads as zeros", pread(fd, buffer, 16, 0) == 5 && memcmp(buffer, "\0\0abc", 5) == 0);
    CHECK("past the end there is nothing", pread(fd, buffer, 4, 100) == 0);
    struct iovec parts[2] = {{buffer, 2}, {buffer + 8, 8}};
    CHECK("readv", readv(fd, parts, 2) == 5 && memcmp(buffer + 8, "abc", 3) == 0);
    ERROR("read of a write-only file", (close(fd), fd = open("new", O_WRONLY), read(fd, buffer, 1)), EBADF);
    close(fd);
    ERROR("O_DIRECTORY of a file", open("new", O_RDONLY | O_DIRECTORY), ENOTDIR);
    ERROR("write-open of a directory", open(".", O_WRONLY), EISDIR);
    ERROR("O_CREAT of a directory", open(".", O_CREAT | O_RDWR, 0600), EISDIR);
    ERROR("read of a directory", read(fd = open(".", O_RDONLY), buffer, 1), EISDIR);
    close(fd);
    symlink("new", "link");
    ERROR("O_NOFOLLOW", open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    symlink("away", "dangling");
    ERROR("O_EXCL does not follow", open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    CHECK("O_CREAT follows", (fd = open("dangling", O_CREAT | O_RDWR, 0600)) >= 0 && access("away", F_OK) == 0);
    close(fd);
    fd = open("new", O_PATH);
    ERROR("O_PATH cannot read", read(fd, buffer, 1), EBADF);
    CHECK("O_PATH can fstat", fstat(fd, &status) == 0 && status.st_size == 5);
    close(fd);
    fd = open(".", O_TMPFILE | O_RDWR, 0600);
    CHECK("O_TMPFILE", fd >= 0 && write(fd, "tmp", 3) == 3 && fstat(fd, &status) == 0 && status.st_nlink == 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK("gets a name", linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0 && holds("named", "tmp"));
    close(fd);
    fd = open("new", O_RDONLY);
    CHECK("lowest descriptor", fd >= 0 && dup(fd) == fd + 1);
    close(fd + 1);
    close(fd);
}

static void holes(void) {
    struct stat status;
    int fd = open("sparse", O_RDWR | O_CREAT, 0600);
    CHECK("write far out", pwrite(fd, "end", 3, 1 << 20) == 3 && pwrite(fd, "start", 5, 0) == 5);
    CHECK("size and blocks", fstat(fd, &status) == 0 && status.st_size == (1 << 20) + 3 && status.st_blocks * 512 < 1 << 19);
    CHECK("SEEK_DATA at data", lseek(fd, 0, SEEK_DATA) == 0);
    off_t hole = lseek(fd, 0, SEEK_HOLE);
    CHECK("SEEK_HOLE", hole >= 5 && hole <= 1 << 19);
    off_t data = lseek(fd, hole, SEEK_DATA);
    CHECK("SEEK_DATA in the hole", data > hole && data <= 1 << 20);
    CHECK("SEEK_HOLE at the end", lseek(fd, 1 << 20, SEEK_HOLE) == (1 << 20) + 3);
    ERROR("SEEK_DATA past the end", lseek(fd, 2 << 20, SEEK_DATA), ENXIO);
    ERROR("lseek before the start", lseek(fd, -1, SEEK_SET), EINVAL);
    ERROR("lseek by no rule", lseek(fd, 0, 99), EINVAL);
    CHECK("truncate up", ftruncate(fd, 3 << 20) == 0 && fstat(fd, &status) == 0 && status.st_size == 3 << 20);
    CHECK("truncate down and up leaves zeros", ftruncate(fd, 2) == 0 && ftruncate(fd, 8) == 0 && pread(fd, &status, 8, 0) == 8 &&
          memcmp(&status, "st\0\0\0\0\0\0", 8) == 0);
    ERROR("truncate to less than nothing", ftruncate(fd, -1), EINVAL);
    ERROR("truncate of a directory", truncate(".", 0), EISDIR);
    CHECK("truncate by name", truncate("sparse", 1) == 0 && holds("sparse", "s"));
    close(fd);
    ERROR("ftruncate of a read-only descriptor", ftruncate(fd = open("sparse", O_RDONLY), 0), EINVAL);
    close(fd);
}

static void names(void) {
    struct stat a, b;
    int fd = make("old", "old text"), other = make("target", "target text");
    CHECK("rename over an open file", rename("old", "target") == 0 && holds("target", "old text"));
    char buffer[32];
    CHECK("the old one lives on", pread(other, buffer, 32, 0) == 11 && memcmp(buffer, "target", 6) == 0);
    CHECK("without a name", fstat(other, &a) == 0 && a.st_nlink == 0);
    close(other);
    CHECK("unlink while open", unlink("target") == 0 && pread(fd, buffer, 32, 0) == 8 && pwrite(fd, "new", 3, 0) == 3);
    ERROR("no name any more", access("target", F_OK), ENOENT);
    close(fd);
    close(make("one", "1"));
    CHECK("link", link("one", "two") == 0 && stat("one", &a) == 0 && stat("two", &b) == 0 && a.st_ino == b.st_ino && b.st_nlink == 2);
    CHECK("rename between two names of one file does nothing", rename("one", "two") == 0 && access("one", F_OK) == 0);
    ERROR("link over", link("one", "two"), EEXIST);
    ERROR("link of a directory", link(".", "three"), EPERM);
    mkdir("empty", 0755);
    mkdir("full", 0755);
    close(make("full/file", "x"));
    ERROR("mkdir again", mkdir("empty", 0755), EEXIST);
    ERROR("rmdir of a full one", rmdir("full"), ENOTEMPTY);
    ERROR("rmdir of a file", rmdir("one"), ENOTDIR);
    ERROR("rmdir of .", rmdir("full/."), EINVAL);
    ERROR("unlink of a directory", unlink("empty"), EISDIR);
    ERROR("file over directory", rename("one", "empty"), EISDIR);
    ERROR("directory over file", rename("empty", "one"), ENOTDIR);
    ERROR("directory over a full one", rename("empty", "full"), ENOTEMPTY);
    ERROR("directory into itself", rename("full", "full/inner"), EINVAL);
    CHECK("directory over an empty one", rename("full", "empty") == 0 && access("empty/file", F_OK) == 0);
    ERROR("RENAME_NOREPLACE", syscall(SYS_renameat2, AT_FDCWD, "one", AT_FDCWD, "two", 1), EEXIST);
    CHECK("RENAME_EXCHANGE", syscall(SYS_renameat2, AT_FDCWD, "one", AT_FDCWD, "empty", 2) == 0 && access("one/file", F_OK) == 0);
    CHECK("nlink of directories", mkdir("one/sub", 0755) == 0 && stat("one", &a) == 0 && S_ISDIR(a.st_mode));
    char where[PATH_MAX], back[PATH_MAX];
    CHECK("getcwd", getcwd(where, sizeof where) && chdir("one/sub") == 0 && getcwd(back, sizeof back) &&
          strlen(back) == strlen(where) + 8 && !strcmp(back + strlen(where), "/one/sub") && chdir("../..") == 0);
    CHECK("readlink", readlink("link", buffer, 32) == 3 && !memcmp(buffer, "new", 3) && readlink("link", buffer, 1) == 1);
    ERROR("readlink of a file", readlink("two", buffer, 32), EINVAL);
    CHECK("lstat", lstat("link", &a) == 0 && S_ISLNK(a.st_mode) && a.st_size == 3);
}

static void errors(void) {
    char longName[300], longPath[5000];
    memset(longName, 'n', sizeof longName - 1);
    longName[sizeof longName - 1] = 0;
    ERROR("a name too long", open(longName, O_RDONLY), ENAMETOOLONG);
    longName[255] = 0;
    CHECK("255 bytes are a name", close(open(longName, O_CREAT | O_RDWR, 0600)) == 0 && unlink(longName) == 0);
    for (int i = 0; i < 4998; i += 2) memcpy(longPath + i, "./", 2);
    longPath[4998] = 0;
    ERROR("a path too long", open(longPath, O_RDONLY), ENAMETOOLONG);
    longPath[4094] = '.';
    longPath[4095] = 0;
    CHECK("4095 bytes are a path", access(longPath, F_OK) == 0);
    symlink("loop2", "loop1");
    symlink("loop1", "loop2");
    ERROR("a loop", open("loop1", O_RDONLY), ELOOP);
    symlink("self/x", "self");
    ERROR("a loop in itself", stat("self", &(struct stat){0}), ELOOP);
    close(make("c0", "end"));
    char from[8], to[8];
    for (int i = 1; i <= 41; i++) {
        snprintf(from, sizeof from, "c%d", i);
        snprintf(to, sizeof to, "c%d", i - 1);
        symlink(to, from);
    }
    CHECK("40 links are followed", holds("c40", "end"));
    ERROR("41 are not", open("c41", O_RDONLY), ELOOP);
    ERROR("a file is no directory", open("c0/x", O_RDONLY), ENOTDIR);
    ERROR("nor with a slash", open("c0/", O_RDONLY), ENOTDIR);
    ERROR("no such file", open("none", O_RDONLY), ENOENT);
    ERROR("no such directory", open("none/x", O_CREAT | O_RDWR, 0600), ENOENT);
    ERROR("the empty name", open("", O_RDONLY), ENOENT);
    ERROR("mkdir with a slash on nothing's child", mkdir("none/x/", 0700), ENOENT);
    CHECK("mkdir with a slash", mkdir("slash/", 0700) == 0 && rmdir("slash/") == 0);
    ERROR("a bad address", open((char *)8, O_RDONLY), EFAULT);
    ERROR("openat of a file's child", openat(open("c0", O_RDONLY), "x", O_RDONLY), ENOTDIR);
    ERROR("openat of no descriptor", openat(777, "x", O_RDONLY), EBADF);
    CHECK("absolute names need none", faccessat(777, "/", F_OK, 0) == 0);
    ERROR("/dev/full", write(open("/dev/full", O_WRONLY), "x", 1), ENOSPC);
    CHECK("root's parent is root", access("/../../../dev/null", F_OK) == 0);
}

static void atCalls(void) {
    struct stat status;
    mkdir("at", 0755);
    int dir = open("at", O_RDONLY | O_DIRECTORY);
    int fd = openat(dir, "f", O_CREAT | O_RDWR, 0600);
    CHECK("openat", fd >= 0 && write(fd, "at", 2) == 2 && holds("at/f", "at"));
    CHECK("mkdirat", mkdirat(dir, "d", 0700) == 0 && access("at/d", F_OK) == 0);
    CHECK("fstatat", fstatat(dir, "f", &status, 0) == 0 && status.st_size == 2);
    CHECK("fstatat AT_EMPTY_PATH", fstatat(fd, "", &status, AT_EMPTY_PATH) == 0 && status.st_size == 2);
    ERROR("fstatat of no name", fstatat(fd, "", &status, 0), ENOENT);
    CHECK("symlinkat, readlinkat", symlinkat("f", dir, "s") == 0 && readlinkat(dir, "s", (char[8]){0}, 8) == 1);
    CHECK("fstatat AT_SYMLINK_NOFOLLOW", fstatat(dir, "s", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode));
    CHECK("linkat", linkat(dir, "f", AT_FDCWD, "at-hard", 0) == 0 && holds("at-hard", "at"));
    CHECK("renameat", renameat(AT_FDCWD, "at-hard", dir, "g") == 0 && holds("at/g", "at"));
    CHECK("fchmodat", fchmodat(dir, "g", 0604, 0) == 0 && stat("at/g", &status) == 0 && (status.st_mode & 07777) == 0604);
    CHECK("fchownat", fchownat(dir, "g", 12, 34, 0) == 0 && stat("at/g", &status) == 0 && status.st_uid == 12 && status.st_gid == 34);
    CHECK("unlinkat", unlinkat(dir, "g", 0) == 0 && unlinkat(dir, "d", AT_REMOVEDIR) == 0 && access("at/g", F_OK) != 0);
    CHECK("fchdir", fchdir(dir) == 0 && access("f", F_OK) == 0 && chdir("..") == 0);
    CHECK("mknodat", mknodat(dir, "p", S_IFIFO | 0600, 0) == 0 && stat("at/p", &status) == 0 && S_ISFIFO(status.st_mode));
    struct timespec times[2] = {{1000, 5}, {2000, 7}};
    CHECK("utimensat", utimensat(dir, "f", times, 0) == 0 && stat("at/f", &status) == 0 && status.st_atim.tv_sec == 1000 &&
          status.st_mtim.tv_sec == 2000 && status.st_mtim.tv_nsec == 7);
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_nsec = UTIME_NOW;
    CHECK("UTIME_OMIT and UTIME_NOW", utimensat(dir, "f", times, 0) == 0 && stat("at/f", &status) == 0 &&
          status.st_atim.tv_sec == 1000 && labs(status.st_mtim.tv_sec - time(0)) <= 2);
    CHECK("futimens", futimens(fd, (struct timespec[2]){{3000, 0}, {4000, 0}}) == 0 && fstat(fd, &status) == 0 && status.st_mtime == 4000);
    CHECK("writing moves mtime and ctime", write(fd, "x", 1) == 1 && fstat(fd, &status) == 0 && labs(status.st_mtime - time(0)) <= 2);
    struct Statx x;
    memset(&x, 0, sizeof x);
    CHECK("statx", syscall(SYS_statx, dir, "f", 0, BASIC_STATS, &x) == 0 && x.stx_size == 3 && S_ISREG(x.stx_mode) &&
          (x.stx_mode & 07777) == 0604 && x.stx_nlink == 1 && x.stx_ino == status.st_ino && (x.stx_mask & 0x7ff) == 0x7ff);
    CHECK("statx of a descriptor", syscall(SYS_statx, fd, "", AT_EMPTY_PATH, BASIC_STATS, &x) == 0 && x.stx_size == 3);
    struct statfs fs;
    CHECK("statfs", statfs(".", &fs) == 0 && fs.f_bsize >= 512 && fs.f_namelen == 255 && fs.f_blocks >= fs.f_bfree);
    CHECK("fstatfs", fstatfs(fd, &fs) == 0 && fs.f_namelen == 255);
    ERROR("statfs of nothing", statfs("none", &fs), ENOENT);
    CHECK("chown clears setuid for files", chmod("at/f", 06755) == 0 && chown("at/f", 1, 1) == 0 && stat("at/f", &status) == 0 &&
          (status.st_mode & 06000) == 0);
    close(fd);
    close(dir);
}

static void listing(void) {
    mkdir("many", 0755);
    char name[300];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "many/f%d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    /* Every name there from first to last comes exactly once, whatever is deleted behind it. */
    int seen[500] = {0}, dots = 0;
    DIR *dir = opendir("many");
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') {
            dots++;
            continue;
        }
        seen[atoi(entry->d_name + 1)]++;
        snprintf(name, sizeof name, "many/%s", entry->d_name);
        unlink(name);
    }
    int once = 0;
    for (int i = 0; i < 500; i++) once += seen[i] == 1;
    CHECK("getdents while deleting: each once", once == 500);
    CHECK("getdents: . and ..", dots == 2);
    rewinddir(dir);
    dots = 0;
    while (readdir(dir)) dots++;
    CHECK("rewinddir: nothing left", dots == 2);
    closedir(dir);
    CHECK("rmdir", rmdir("many") == 0);
    char small[8];
    int fd = open(".", O_RDONLY);
    ERROR("getdents64 into too little", syscall(SYS_getdents64, fd, small, sizeof small), EINVAL);
    close(fd);
    ERROR("getdents64 of a file", syscall(SYS_getdents64, open("c0", O_RDONLY), (char[256]){0}, 256), ENOTDIR);
}

static int asUser(void) {
    struct stat status;
    if (setgid(1000) != 0 || setuid(1000) != 0) return 1;
    ERROR("user: cannot be root again", setuid(0), EPERM);
    ERROR("user: no reading", open("closed/../secret", O_RDONLY), EACCES);
    ERROR("user: no searching", open("closed/file", O_RDONLY), EACCES);
    ERROR("user: no making", open("fresh", O_CREAT | O_RDWR, 0600), EACCES);
    ERROR("user: no removing", unlink("secret"), EACCES);
    ERROR("user: no chmod", chmod("secret", 0777), EPERM);
    ERROR("user: no truncating", truncate("readable", 0), EACCES);
    ERROR("user: access W_OK", access("readable", W_OK), EACCES);
    CHECK("user: access R_OK", access("readable", R_OK) == 0);
    ERROR("user: no executing", access("readable", X_OK), EACCES);
    CHECK("user: own file in a sticky directory", close(open("sticky/mine", O_CREAT | O_RDWR, 0600)) == 0);
    CHECK("user: owner", stat("sticky/mine", &status) == 0 && status.st_uid == 1000 && status.st_gid == 1000);
    ERROR("user: sticky, unlink of another's", unlink("sticky/roots"), EPERM);
    ERROR("user: sticky, rename of another's", rename("sticky/roots", "sticky/x"), EPERM);
    ERROR("user: sticky, rename over another's", rename("sticky/mine", "sticky/roots"), EPERM);
    ERROR("user: no chown", chown("sticky/mine", 1001, -1), EPERM);
    CHECK("user: own chmod", chmod("sticky/mine", 0400) == 0);
    ERROR("user: own mode counts for the owner", open("sticky/mine", O_WRONLY), EACCES);
    CHECK("user: may remove the own", unlink("sticky/mine") == 0);
    ERROR("user: utimensat of another's", utimensat(AT_FDCWD, "readable", (struct timespec[2]){{1, 0}, {1, 0}}, 0), EPERM);
    CHECK("user: group-writable directory's group is inherited", close(open("shared/f", O_CREAT | O_RDWR, 0600)) == 0 &&
          stat("shared/f", &status) == 0 && status.st_gid == 50);
    ERROR("user: mknod of a device", mknod("sticky/dev", S_IFCHR | 0600, 0x103), EPERM);
    ERROR("user: kill of another's", kill(getppid(), 0), EPERM);
    ERROR("user: chroot", chroot("."), EPERM);
    return failures;
}

static void permissions(void) {
    mkdir("closed", 0700);
    close(make("closed/file", "x"));
    close(make("secret", "x"));
    chmod("secret", 0600);
    close(make("readable", "x"));
    mkdir("sticky", 0777);
    chmod("sticky", 01777);
    close(make("sticky/roots", "x"));
    mkdir("shared", 0777);
    chown("shared", 0, 50);
    chmod("shared", 02777);
    chmod(".", 0755);
    pid_t pid = fork();
    if (pid == 0) _exit(asUser());
    CHECK("as user 1000", endOf(pid) == 0);
    ERROR("even root needs an x to execute", access("secret", X_OK), EACCES);
    CHECK("root may read all", access("secret", R_OK | W_OK) == 0);
}

#include "files-shared.h"

/* Those that are refused everywhere. */
static void leases(void) {
    int ends[2], fd = open("leased", O_RDWR | O_CREAT, 0644), folder = open(".", O_RDONLY);
    pipe(ends);
    CHECK("F_GETLEASE: none", fcntl(fd, F_GETLEASE) == F_UNLCK && fcntl(folder, F_GETLEASE) == F_UNLCK && fcntl(ends[0], F_GETLEASE) == F_UNLCK);
    ERROR("to read what is open for writing", fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
    ERROR("to give back none", fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
    ERROR("no such lease", fcntl(fd, F_SETLEASE, 77), EINVAL);
    ERROR("of a folder", fcntl(folder, F_SETLEASE, F_RDLCK), EINVAL);
    ERROR("of a pipe", fcntl(ends[0], F_SETLEASE, F_RDLCK), EINVAL);
    pid_t pid = fork();
    if (pid == 0) {
        if (setresuid(12345, 12345, 12345) != 0) _exit(99);
        _exit(fcntl(fd, F_SETLEASE, F_UNLCK) == -1 ? errno : 0);
    }
    CHECK("of somebody else's", endOf(pid) == EACCES);
    close(fd);
    close(folder);
    close(ends[0]);
    close(ends[1]);
    unlink("leased");
}

int main(void) {
    umask(022);
    opening();
    holes();
    names();
    errors();
    atCalls();
    listing();
    permissions();
    locks();
    deadlock();
    leases();
    mappings();
    return finish();
}
