/* inotify: which events each call causes at a file and at its directory, in which order; reading, polling, limits. */
#include "check.h"
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

static int fd;

/* What has come, one line an event; cookies only as equal or not. */
static void events(const char *what) {
    char buffer[8192] __attribute__((aligned(8)));
    uint32_t cookie = 0;
    ssize_t size = read(fd, buffer, sizeof buffer);
    say("%s:", what);
    for (char *at = buffer; size > 0 && at < buffer + size;) {
        struct inotify_event *event = (struct inotify_event *)at;
        say("  %d %08x %s%s%s", event->wd, event->mask, event->len ? event->name : "-", event->cookie ? " cookie" : "",
            event->cookie && event->cookie == cookie ? " again" : "");
        cookie = event->cookie;
        at += sizeof *event + event->len;
    }
}

static void touch(const char *name) { close(open(name, O_CREAT | O_WRONLY, 0600)); }

int main(void) {
    char byte, page[64];
    ERROR("flags that are none", inotify_init1(1), EINVAL);
    fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK("made", fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    ERROR("nothing to read", read(fd, page, sizeof page), EAGAIN);
    ERROR("is not written", write(fd, page, 1), EBADF);
    mkdir("d", 0700);
    touch("d/file");
    ERROR("watches nothing", inotify_add_watch(fd, "d", 0), EINVAL);
    ERROR("what is not there", inotify_add_watch(fd, "none", IN_OPEN), ENOENT);
    ERROR("only directories", inotify_add_watch(fd, "d/file", IN_OPEN | IN_ONLYDIR), ENOTDIR);
    ERROR("with a pipe", inotify_add_watch(0, "d", IN_OPEN), EINVAL);
    ERROR("with nothing", inotify_add_watch(99, "d", IN_OPEN), EBADF);
    ERROR("nowhere", inotify_add_watch(fd, (void *)8, IN_OPEN), EFAULT);
    CHECK("a directory", inotify_add_watch(fd, "d", IN_ALL_EVENTS) == 1);
    CHECK("a file", inotify_add_watch(fd, "d/file", IN_ALL_EVENTS) == 2);
    CHECK("the same again", inotify_add_watch(fd, "./d/../d", IN_ALL_EVENTS) == 1);
    ERROR("not as a new one", inotify_add_watch(fd, "d", IN_OPEN | IN_MASK_CREATE), EEXIST);
    ERROR("new and added to", inotify_add_watch(fd, "d", IN_OPEN | IN_MASK_CREATE | IN_MASK_ADD), EINVAL);

    int file = open("d/file", O_RDWR);
    events("open");
    write(file, "text", 4);
    events("write");
    lseek(file, 0, SEEK_SET);
    read(file, &byte, 1);
    events("read");
    read(file, page, 60);
    read(file, page, 60);
    events("reads, the last of nothing");
    ftruncate(file, 1);
    events("ftruncate");
    fchmod(file, 0644);
    events("fchmod");
    close(file);
    events("close");
    close(open("d/file", O_RDONLY));
    events("opened to read");
    truncate("d/file", 0);
    events("truncate");
    chmod("d/file", 0600);
    events("chmod");
    close(open("d/file", O_WRONLY | O_TRUNC));
    events("opened and cut");
    touch("d/file");
    events("opened as if new");
    touch("d/new");
    events("created");
    mkdir("d/sub", 0700);
    events("mkdir");
    symlink("file", "d/link");
    events("symlink");
    link("d/file", "d/other");
    events("link");
    mknod("d/fifo", S_IFIFO | 0600, 0);
    events("mknod");
    rename("d/new", "d/newer");
    events("rename");
    rename("d/newer", "outside");
    events("renamed away");
    rename("outside", "d/inside");
    events("renamed to here");
    rename("d/file", "d/moved");
    events("what is watched renamed");
    CHECK("a watch goes along", inotify_add_watch(fd, "d/moved", IN_ALL_EVENTS) == 2);
    rename("d/inside", "d/moved");
    events("what is watched replaced");
    unlink("d/link");
    events("unlink");
    rmdir("d/sub");
    events("rmdir");
    /* Alone: whether the file or its directory is told first is a question of the file system. */
    inotify_rm_watch(fd, 1);
    events("one watch less");
    unlink("d/other");
    events("the last name");
    CHECK("the directory once more", inotify_add_watch(fd, "d", IN_ALL_EVENTS) == 3);
    unlink("d/fifo");
    unlink("d/moved");
    events("the rest");
    ERROR("gone", inotify_rm_watch(fd, 2), EINVAL);
    chmod("d", 0755);
    events("the directory itself");
    rename("d", "e");
    events("is renamed");
    touch("e/x");
    events("and still watched");
    unlink("e/x");
    rmdir("e");
    events("and removed");

    mkdir("d", 0700);
    touch("d/file");
    int only = inotify_add_watch(fd, "d/file", IN_OPEN);
    close(open("d/file", O_RDONLY));
    events("one kind");
    inotify_add_watch(fd, "d/file", IN_MASK_ADD | IN_CLOSE_NOWRITE);
    close(open("d/file", O_RDONLY));
    events("and another");
    inotify_add_watch(fd, "d/file", IN_OPEN | IN_ONESHOT);
    close(open("d/file", O_RDONLY));
    close(open("d/file", O_RDONLY));
    events("once");
    ERROR("which ended it", inotify_rm_watch(fd, only), EINVAL);
    only = inotify_add_watch(fd, "d", IN_CREATE);
    struct pollfd one = {fd, POLLIN, 0};
    CHECK("nothing to poll", poll(&one, 1, 0) == 0);
    touch("d/a name that takes some room");
    int size = 0;
    CHECK("something to poll", poll(&one, 1, 1000) == 1 && one.revents == POLLIN);
    CHECK("of that size", ioctl(fd, FIONREAD, &size) == 0 && size == 48);
    ERROR("which does not fit", read(fd, page, 20), EINVAL);
    events("but here");
    CHECK("ends", inotify_rm_watch(fd, only) == 0);
    events("the end");
    only = inotify_add_watch(fd, "d", IN_CREATE);
    pid_t pid = fork();
    if (pid == 0) {
        touch("d/by a child");
        _exit(0);
    }
    endOf(pid);
    events("by a child");
    fcntl(fd, F_SETFL, 0);
    pid = fork();
    if (pid == 0) {
        untilBlocked(getppid());
        touch("d/late");
        _exit(0);
    }
    events("waits for it");
    endOf(pid);
    close(fd);
    const char *names[] = {"d/file", "d/a name that takes some room", "d/by a child", "d/late"};
    for (int i = 0; i < 4; i++) unlink(names[i]);
    rmdir("d");
    return finish();
}
