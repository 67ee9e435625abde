/* setids: set-user-ID and set-group-ID programs, with no_new_privs, on mounts without them, from scripts; whose capabilities. */
#include "check.h"
#include <sys/mount.h>
#include <sys/prctl.h>

static char self[200];

/* The end of a child that runs `path secure` as user and group 12345. */
static int runAs(const char *path, int withoutNew) {
    pid_t pid = fork();
    if (pid == 0) {
        if (setresgid(12345, 12345, 12345) != 0 || setresuid(12345, 12345, 12345) != 0) _exit(97);
        if (withoutNew) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        execl(path, path, "secure", NULL);
        _exit(errno == EACCES ? 96 : 98);
    }
    return endOf(pid);
}

static void copy(const char *to, unsigned mode, int uid, int gid) {
    char room[65536];
    int in = open(self, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    for (ssize_t size; (size = read(in, room, sizeof room)) > 0;) write(out, room, size);
    fchown(out, uid, gid);
    fchmod(out, mode);
    close(in);
    close(out);
}

int main(int count, char **words) {
    (void)count;
    const char *slash = strrchr(words[0], '/');
    snprintf(self, sizeof self, "%.*s/auxv", (int)(slash - words[0]), words[0]);
    copy("plain", 0755, 0, 0);
    copy("user", 04755, 0, 0);
    copy("group", 02755, 0, 77);
    copy("both", 06755, 1234, 77);
    copy("group-without-x", 02745, 0, 77);
    int fd = open("script", O_WRONLY | O_CREAT, 0755);
    dprintf(fd, "#!./plain\n");
    fchmod(fd, 06755);
    close(fd);
    static const char *const names[] = {"./plain", "./user", "./group", "./both", "./group-without-x"};
    for (unsigned i = 0; i < 5; i++) {
        say("%s", names[i]);
        CHECK("runs", runAs(names[i], 0) == 0);
    }
    say("no_new_privs");
    CHECK("runs", runAs("./both", 1) == 0);
    say("of a user who is root already");
    pid_t pid = fork();
    if (pid == 0) {
        execl("./both", "./both", "secure", NULL);
        _exit(98);
    }
    CHECK("runs", endOf(pid) == 0);
    CHECK("a chown takes both away", chown("both", 0, 0) == 0 && runAs("./both", 0) == 0);
    fd = open("user", O_WRONLY);
    pid = fork();
    if (pid == 0) {
        if (setresgid(12345, 12345, 12345) != 0 || setresuid(12345, 12345, 12345) != 0) _exit(97);
        _exit(write(fd, "\177", 1) != 1);
    }
    close(fd);
    struct stat stat;
    CHECK("writing takes it away", endOf(pid) == 0 && lstat("user", &stat) == 0 && (stat.st_mode & 07777) == 0755);
    return finish();
}
