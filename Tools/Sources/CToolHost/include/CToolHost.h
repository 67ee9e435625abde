/* CToolHost.h: host calls that Swift's Glibc module does not carry over. The header includes nothing that depends on
 * _GNU_SOURCE: two modules that see the C library differently do not go together. */
#ifndef CHORUS_CTOOLHOST_H
#define CHORUS_CTOOLHOST_H
#include <stdint.h>

/* As struct ucred of unix(7). */
typedef struct ToolPeer { int32_t pid; uint32_t uid, gid; } ToolPeer;

/* UNIX stream sockets by path: a descriptor, or -1 with errno. tool_listen makes the name with mode 0600. */
int tool_listen(const char *path);
int tool_connect(const char *path);
int tool_accept(int listener);
/* Who is at the other end: 0, or -1 with errno. */
int tool_peer(int socket_, ToolPeer *peer);

/* rows << 16 | columns of the terminal on `descriptor`, or 0. */
uint32_t tool_window(int descriptor);
/* pipe2 with O_CLOEXEC. */
int tool_pipe(int ends[2]);
/* The path of the running executable: its length, or -1. */
long tool_executable(char *path, unsigned long size);
char **tool_environment(void);
/* Of glibc: `ENOENT`, `INT`; NULL for a number without a name. */
const char *strerrorname_np(int error);
const char *sigabbrev_np(int signal_);
/* A wait status as a shell's exit status. */
int tool_exit_status(int status);
/* Soft limits: UINT64_MAX for none, or where it cannot be read. */
uint64_t tool_limit_processes(void);
uint64_t tool_limit_descriptors(void);
#endif
