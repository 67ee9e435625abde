/* CToolHost.h: host calls that Swift's Glibc module does not carry over, inline. */
#ifndef CHORUS_CTOOLHOST_H
#define CHORUS_CTOOLHOST_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* As struct ucred of unix(7), which glibc shows only with _GNU_SOURCE. */
typedef struct ToolPeer { int32_t pid; uint32_t uid, gid; } ToolPeer;

/* Who is at the other end of a UNIX socket: 0, or -1 with errno. */
static inline int tool_peer(int socket_, ToolPeer *peer) {
    socklen_t size = sizeof *peer;
    return getsockopt(socket_, SOL_SOCKET, 17 /* SO_PEERCRED */, peer, &size);
}

/* Address of a UNIX socket; 0 when `path` is too long for one. */
static inline socklen_t tool_unix_address(const char *path, struct sockaddr_un *address) {
    size_t length = strlen(path);
    if (length >= sizeof address->sun_path) return 0;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length + 1);
    return (socklen_t)sizeof *address;
}

static inline int tool_bind(int socket_, const struct sockaddr_un *address, socklen_t size) {
    return bind(socket_, (const struct sockaddr *)address, size);
}

static inline int tool_connect(int socket_, const struct sockaddr_un *address, socklen_t size) {
    return connect(socket_, (const struct sockaddr *)address, size);
}

static inline int tool_accept(int socket_) {
    return accept4(socket_, NULL, NULL, SOCK_CLOEXEC);
}

static inline char **tool_environment(void) { return environ; }

/* Soft limits: UINT64_MAX for none, or where it cannot be read. */
static inline uint64_t tool_limit_processes(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : UINT64_MAX;
}

static inline uint64_t tool_limit_descriptors(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : UINT64_MAX;
}

/* rows << 16 | columns of the terminal on `descriptor`, or 0. */
static inline uint32_t tool_window(int descriptor) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
    return (uint32_t)size.ws_row << 16 | size.ws_col;
}

/* The path of the running executable: its length, or -1. */
static inline long tool_executable(char *path, unsigned long size) { return readlink("/proc/self/exe", path, size); }

/* A wait status as a shell's exit status. */
static inline int tool_exit_status(int status) {
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : 1;
}
#endif
