/* forks: processes made, replaced, waited for and orphaned. `forks [rounds]`; itself again with an argument as child. */
#include "check.h"
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>

extern char **environ;
static char self[512];

static void manyExecs(int rounds) {
    int good = 0;
    for (int round = 0; round < rounds; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            char number[16];
            snprintf(number, sizeof number, "%d", round % 100);
            execl(self, "forks", "exit", number, (char *)0);
            _exit(111);
        }
        if (pid > 0 && endOf(pid) == round % 100) good++;
    }
    say("fork+exec+wait: %d of %d", good, rounds);
    if (good != rounds) failures++;
}

/* All 64 must be alive at one time: each writes a byte and waits for the gate to close. */
static void atOnce(void) {
    int ready[2], gate[2];
    pid_t pids[64];
    CHECK("pipes", pipe(ready) == 0 && pipe(gate) == 0);
    for (int i = 0; i < 64; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            char byte = (char)i;
            close(gate[1]);
            if (write(ready[1], &byte, 1) != 1) _exit(1);
            _exit(read(gate[0], &byte, 1) == 0 ? i : 99);
        }
    }
    close(gate[0]);
    uint64_t seen = 0;
    for (int i = 0; i < 64; i++) {
        unsigned char byte;
        if (read(ready[0], &byte, 1) == 1 && byte < 64) seen |= 1ull << byte;
    }
    CHECK("64 at once are running", seen == ~0ull);
    int alive = 0;
    for (int i = 0; i < 64; i++) alive += kill(pids[i], 0) == 0;
    CHECK("64 answer kill 0", alive == 64);
    close(gate[1]);
    int good = 0;
    for (int i = 0; i < 64; i++) good += endOf(pids[i]) == i;
    CHECK("64 end with their own status", good == 64);
    close(ready[0]);
    close(ready[1]);
}

static void vforks(void) {
    volatile int shared = 1;
    pid_t pid = vfork();
    if (pid == 0) {
        shared = 2;
        _exit(5);
    }
    CHECK("vfork shares memory and the parent waits", shared == 2);
    CHECK("vfork child's status", endOf(pid) == 5);
    int64_t before = nowNs();
    pid = vfork();
    if (pid == 0) {
        execl(self, "forks", "nap", "300", (char *)0);
        _exit(111);
    }
    CHECK("vfork parent goes on at exec", nowNs() - before < 250000000LL);
    CHECK("vfork+exec status", endOf(pid) == 0);
    pid = vfork();
    if (pid == 0) {
        execl("/does/not/exist", "x", (char *)0);
        _exit(errno == ENOENT ? 44 : 45);
    }
    CHECK("vfork, failed exec, _exit", endOf(pid) == 44);
}

static void spawns(void) {
    pid_t pid = -1;
    char *arguments[] = {"forks", "exit", "17", 0};
    CHECK("posix_spawn", posix_spawn(&pid, self, 0, 0, arguments, environ) == 0 && endOf(pid) == 17);
    CHECK("posix_spawn of nothing", posix_spawn(&pid, "/no/such/program", 0, 0, arguments, environ) == ENOENT);
    CHECK("posix_spawn of a directory", posix_spawn(&pid, "/", 0, 0, arguments, environ) == EACCES);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 9, "/nowhere/at/all", O_RDONLY, 0);
    CHECK("posix_spawn with a failing file action", posix_spawn(&pid, self, &actions, 0, arguments, environ) == ENOENT);
    posix_spawn_file_actions_destroy(&actions);
    ERROR("no child is left of the failed spawns", waitpid(-1, 0, WNOHANG), ECHILD);
}

static void orphans(void) {
    int news[2];
    pid_t numbers[2];
    CHECK("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 && pipe(news) == 0);
    pid_t middle = fork();
    if (middle == 0) {
        pid_t parent = getpid();
        pid_t orphan = fork();
        if (orphan == 0) {
            while (getppid() == parent) napMs(1);
            numbers[0] = getpid();
            numbers[1] = getppid();
            write(news[1], numbers, sizeof numbers);
            _exit(23);
        }
        _exit(0);
    }
    CHECK("the middle ends", endOf(middle) == 0);
    CHECK("orphan reports", read(news[0], numbers, sizeof numbers) == sizeof numbers);
    CHECK("orphan's parent is the subreaper", numbers[1] == getpid());
    CHECK("orphan is waited for by the subreaper", endOf(numbers[0]) == 23);
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    close(news[0]);
    close(news[1]);
}

static void zombies(void) {
    pid_t pid = fork();
    if (pid == 0) _exit(9);
    siginfo_t info = {0};
    CHECK("waitid WNOWAIT", waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK("its fields", info.si_pid == pid && info.si_status == 9 && info.si_code == CLD_EXITED && info.si_signo == SIGCHLD);
    CHECK("the zombie is still there", kill(pid, 0) == 0);
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY);
    read(fd, text, sizeof text - 1);
    close(fd);
    char *end = strrchr(text, ')');
    CHECK("its state is Z", end && end[2] == 'Z');
    CHECK("waitpid takes it", endOf(pid) == 9);
    ERROR("gone from kill", kill(pid, 0), ESRCH);
    ERROR("gone from wait", waitpid(pid, 0, 0), ECHILD);

    struct sigaction ignore = {.sa_handler = SIG_IGN}, usual = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &ignore, 0);
    pid = fork();
    if (pid == 0) _exit(3);
    ERROR("with SIGCHLD ignored wait finds nobody in the end", waitpid(pid, 0, 0), ECHILD);
    sigaction(SIGCHLD, &usual, 0);
    struct sigaction leave = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    sigaction(SIGCHLD, &leave, 0);
    pid = fork();
    if (pid == 0) _exit(3);
    ERROR("SA_NOCLDWAIT reaps alone", waitpid(pid, 0, 0), ECHILD);
    sigaction(SIGCHLD, &usual, 0);
}

static void waits(void) {
    int status;
    siginfo_t info;
    ERROR("wait4 without children", waitpid(-1, &status, 0), ECHILD);
    ERROR("wait4 with unknown options", waitpid(-1, &status, 0x40000000 | 0x100), EINVAL);
    ERROR("waitid without WEXITED", waitid(P_ALL, 0, &info, WNOHANG), EINVAL);
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    CHECK("WNOHANG with a living child is 0", waitpid(pid, &status, WNOHANG) == 0);
    memset(&info, 0x55, sizeof info);
    CHECK("waitid WNOHANG clears si_pid", waitid(P_PID, pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0);
    ERROR("wait for another's child", waitpid(getpid(), &status, 0), ECHILD);
    kill(pid, SIGTERM);
    struct rusage usage;
    memset(&usage, 0x55, sizeof usage);
    CHECK("wait4 gives usage", wait4(pid, &status, 0, &usage) == pid && usage.ru_utime.tv_sec < 5);
    CHECK("killed by SIGTERM", WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    pid_t group = fork();
    if (group == 0) {
        setpgid(0, 0);
        _exit(4);
    }
    setpgid(group, group);
    CHECK("wait for a group", waitpid(-group, &status, 0) == group && WEXITSTATUS(status) == 4);
    pid_t mine = fork();
    if (mine == 0) _exit(6);
    CHECK("wait for the own group", waitpid(0, &status, 0) == mine && WEXITSTATUS(status) == 6);
    pid = fork();
    if (pid == 0) abort();
    CHECK("abort ends by SIGABRT", endOf(pid) == 1000 + SIGABRT);
    pid = fork();
    if (pid == 0) _exit(0x1234);
    CHECK("only eight bits of a status", endOf(pid) == 0x34);
}

/* What fork must keep apart, and what it must keep. */
static void apart(void) {
    static int word = 1;
    char name[] = "forks-data";
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    write(fd, "0123456789", 10);
    lseek(fd, 2, SEEK_SET);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        char byte;
        word = 7;
        int good = getppid() == parent && getpid() != parent && read(fd, &byte, 1) == 1 && byte == '2';
        close(fd);
        _exit(good ? 0 : 1);
    }
    CHECK("the child sees its parent and the offset", endOf(pid) == 0);
    CHECK("memory is the own", word == 1);
    CHECK("the offset is shared", lseek(fd, 0, SEEK_CUR) == 3);
    close(fd);
    unlink(name);
    alarm(100);
    pid = fork();
    if (pid == 0) _exit(alarm(0) == 0 ? 0 : 1);
    CHECK("alarms are not inherited", endOf(pid) == 0);
    CHECK("and the parent's is still set", alarm(0) > 90);
}

/* Children whose end sends another signal than SIGCHLD (wait(2), "Linux notes"). */
static void clones(void) {
    pid_t usual = fork();
    if (usual == 0) _exit(1);
    pid_t silent = syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
    if (silent == 0) _exit(2);
    int status;
    CHECK("a clone is not waited for", waitpid(-1, &status, 0) == usual && waitpid(-1, &status, 0) == -1 && errno == ECHILD);
    CHECK("but with __WCLONE", waitpid(-1, &status, __WCLONE) == silent && WEXITSTATUS(status) == 2);
    silent = syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
    if (silent == 0) _exit(3);
    siginfo_t info;
    CHECK("or __WALL", waitid(P_ALL, 0, &info, WEXITED | __WALL) == 0 && info.si_pid == silent && info.si_status == 3);
    usual = fork();
    if (usual == 0) _exit(4);
    CHECK("__WNOTHREAD", waitpid(usual, &status, __WNOTHREAD) == usual && WEXITSTATUS(status) == 4);
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "exit") == 0) return atoi(arguments[2]);
    if (count == 3 && strcmp(arguments[1], "nap") == 0) return napMs(atol(arguments[2])), 0;
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 98;
    manyExecs(count == 2 ? atoi(arguments[1]) : 1000);
    atOnce();
    vforks();
    spawns();
    orphans();
    zombies();
    waits();
    apart();
    clones();
    return finish();
}
