#define _GNU_SOURCE
#include "CKeeper.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The keeper is a process of its own with nothing else in it: its state is on its stack. */
typedef struct Keeper {
    pid_t nucleus;
    int has_terminal;
    struct termios modes;
    time_t deadline; /* when the nucleus, told to end, is killed; 0 none */
} Keeper;

/* One page that the keeper and the nucleus share: the file to remove. Mapped before the fork, so it belongs to the
 * process as a signal's disposition does. */
enum { PAGE = 4096 };
static char *left_file;

/* A descriptor 0, 1 or 2 that is closed would be given to the next file that is opened, and a guest's output would go
 * there. What stands in for it gives EBADF, as the closed one would. */
static void fill_standard_descriptors(void) {
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0) {
            int opened = open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
            if (opened >= 0 && opened != descriptor) close(opened);
        }
}

void keeper_remove_at_end(const char *path) {
    if (left_file != NULL && strlen(path) < PAGE) memcpy(left_file, path, strlen(path) + 1);
}

enum { PATIENCE_SECONDS = 10, EXIT_OSERR = 71 };

/* A background process that sets terminal modes would be stopped by SIGTTOU (tcsetattr(3)). */
static void set_modes(const struct termios *modes) {
    sigset_t ttou, before;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    sigprocmask(SIG_BLOCK, &ttou, &before);
    tcsetattr(0, TCSANOW, modes);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

int keeper_terminal_raw(void) {
    struct termios modes;
    if (tcgetattr(0, &modes) != 0 || tcgetpgrp(0) != getpgrp()) return 0;
    cfmakeraw(&modes); /* the Device Manager does input and output processing */
    set_modes(&modes);
    return 1;
}

/* Kills every process whose parent is the keeper, by /proc/PID/stat: "pid (comm) state ppid". Used where the kernel
 * has no /proc/PID/task/TID/children. */
static void kill_children_slowly(pid_t self) {
    DIR *proc = opendir("/proc");
    if (proc == NULL) return;
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        char path[64], text[512];
        pid_t pid = (pid_t)atoi(entry->d_name), parent = 0;
        if (pid <= 0) continue;
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        int descriptor = open(path, O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) continue;
        ssize_t count = read(descriptor, text, sizeof text - 1);
        close(descriptor);
        if (count <= 0) continue;
        text[count] = 0;
        char *behind = strrchr(text, ')');
        if (behind != NULL && sscanf(behind, ") %*c %d", &parent) == 1 && parent == self) kill(pid, SIGKILL);
    }
    closedir(proc);
}

static void kill_children(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *list = fopen(path, "re");
    if (list == NULL) {
        kill_children_slowly(getpid());
        return;
    }
    for (int pid; fscanf(list, "%d", &pid) == 1;) kill(pid, SIGKILL);
    fclose(list);
}

/* Whoever is left is an orphan of the nucleus. Killing one hands its children to the keeper (subreaper), so this goes
 * on until there is none. */
static void kill_orphans(void) {
    while (waitpid(-1, NULL, WNOHANG | __WALL) >= 0 || errno == EINTR) {
        kill_children();
        struct timespec pause = { 0, 200 * 1000 };
        nanosleep(&pause, NULL);
    }
}

static _Noreturn void finish(Keeper *keeper, int status) {
    if (WIFSIGNALED(status) && left_file != NULL && left_file[0] != 0) { /* else it has done so itself */
        left_file[PAGE - 1] = 0;
        unlink(left_file);
    }
    kill_orphans();
    if (keeper->has_terminal) set_modes(&keeper->modes);
    if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
    dprintf(2, "chorus: the nucleus was killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    _exit(128 + WTERMSIG(status));
}

static void reap(Keeper *keeper) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0;)
        if (pid == keeper->nucleus) finish(keeper, status);
}

static _Noreturn void keep(Keeper *keeper, const sigset_t *signals) {
    for (;;) {
        siginfo_t info;
        struct timespec second = { 1, 0 };
        int number = keeper->deadline ? sigtimedwait(signals, &info, &second) : sigwaitinfo(signals, &info);
        if (number == SIGCHLD) {
            reap(keeper);
        } else if (number > 0) {
            /* What the terminal sends goes to the whole foreground group: the nucleus has it already. */
            if (info.si_code != SI_KERNEL) kill(keeper->nucleus, number);
            if (keeper->deadline == 0) keeper->deadline = time(NULL) + PATIENCE_SECONDS;
        }
        if (keeper->deadline && time(NULL) >= keeper->deadline) kill(keeper->nucleus, SIGKILL);
    }
}

void keeper_begin(void) {
    Keeper keeper = { 0 };
    sigset_t signals, before;
    fill_standard_descriptors();
    left_file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (left_file == MAP_FAILED) left_file = NULL;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGQUIT);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, &before);
    keeper.has_terminal = tcgetattr(0, &keeper.modes) == 0 && tcgetpgrp(0) == getpgrp();
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    pid_t self = getpid();
    keeper.nucleus = fork();
    if (keeper.nucleus < 0) {
        dprintf(2, "chorus: no process can be made: %s\n", strerror(errno));
        _exit(EXIT_OSERR);
    }
    if (keeper.nucleus > 0) keep(&keeper, &signals);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != self) _exit(EXIT_OSERR); /* the keeper died before the line above */
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* a site holds a descriptor for every open file and segment */
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    sigdelset(&signals, SIGCHLD);
    sigdelset(&signals, SIGQUIT);
    sigaddset(&signals, SIGWINCH);
    sigprocmask(SIG_SETMASK, &before, NULL);
    sigprocmask(SIG_BLOCK, &signals, NULL);
}
