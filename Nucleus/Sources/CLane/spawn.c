/* Starts a chorus-actor-host. */
#define _GNU_SOURCE
#include "CLane.h"
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;

int32_t kn_lane_spawn(const char *path, const char *name, int32_t socket) {
    char number[16], parent[16];
    snprintf(number, sizeof number, "%d", KN_LANE_SOCKET);
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    char *const argv[] = { "chorus-actor-host", (char *)name, number, parent, NULL };

    size_t count = 0;
    while (environ[count] != NULL) count++;
    char **env = calloc(count + 2, sizeof *env);
    if (env == NULL) return -ENOMEM;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "SWIFT_BACKTRACE=", 16) != 0) env[kept++] = environ[i];
    env[kept] = "SWIFT_BACKTRACE=enable=no"; /* nothing prints a backtrace at a user */

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, socket, KN_LANE_SOCKET);
    posix_spawn_file_actions_addclosefrom_np(&actions, KN_LANE_SOCKET + 1);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t pid = -1;
    int error = posix_spawn(&pid, path, &actions, &attributes, argv, env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(env);
    return error != 0 ? -error : pid;
}

int32_t kn_lane_socketpair(int32_t pair[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 ? 0 : -errno;
}

int32_t kn_lane_die_with(int32_t parent) {
    /* What is sent to the whole process group is the nucleus' affair: it ends its actors in order. */
    static const int ignored[] = { SIGINT, SIGTERM, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGHUP, SIGPIPE };
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) signal(ignored[i], SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == parent ? 0 : -ESRCH; /* it may have died before we asked */
}

void kn_lane_complain(const char *line) {
    if (write(STDERR_FILENO, line, strlen(line)) < 0) return; /* nobody left to tell */
}

const char *kn_lane_object(const void *address) {
    Dl_info info;
    return dladdr(address, &info) != 0 ? info.dli_fname : NULL;
}
