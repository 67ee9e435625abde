#define _GNU_SOURCE
#include "CToolHost.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

_Static_assert(sizeof(ToolPeer) == sizeof(struct ucred), "the same struct");

static int address_of(const char *path, struct sockaddr_un *address) {
    size_t length = strlen(path);
    if (length >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length + 1);
    return 0;
}

static int give_up(int descriptor) {
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

int tool_listen(const char *path) {
    struct sockaddr_un address;
    if (address_of(path, &address) != 0) return -1;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    /* It gets its name when it listens: one that does not is taken for a dead site's. */
    char *end = strrchr(address.sun_path, '.');
    if (end == NULL) {
        errno = EINVAL;
        return give_up(descriptor);
    }
    memset(end, 0, sizeof address.sun_path - (size_t)(end - address.sun_path));
    unlink(address.sun_path);
    /* The directory is 0700, so nobody connects between bind and chmod. */
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0) return give_up(descriptor);
    if (chmod(address.sun_path, 0600) != 0 || listen(descriptor, 8) != 0 || rename(address.sun_path, path) != 0) {
        int error = errno;
        unlink(address.sun_path);
        errno = error;
        return give_up(descriptor);
    }
    return descriptor;
}

int tool_connect(const char *path) {
    struct sockaddr_un address;
    if (address_of(path, &address) != 0) return -1;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) return give_up(descriptor);
    return descriptor;
}

int tool_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC); }

int tool_peer(int socket_, ToolPeer *peer) {
    socklen_t size = sizeof *peer;
    return getsockopt(socket_, SOL_SOCKET, SO_PEERCRED, peer, &size);
}

uint32_t tool_window(int descriptor) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
    return (uint32_t)size.ws_row << 16 | size.ws_col;
}

long tool_executable(char *path, unsigned long size) { return readlink("/proc/self/exe", path, size); }

int tool_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

char **tool_environment(void) { return environ; }

int tool_exit_status(int status) {
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : 1;
}

static uint64_t soft(int resource) {
    struct rlimit limit;
    return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : UINT64_MAX;
}

uint64_t tool_limit_processes(void) { return soft(RLIMIT_NPROC); }

uint64_t tool_limit_descriptors(void) { return soft(RLIMIT_NOFILE); }
