/* signals: delivery, frames, masks, restarts, stop and continue, and what a handler must leave as it was. */
#include "check.h"
#include <poll.h>
#include <setjmp.h>
#include <ucontext.h>

static volatile sig_atomic_t count, lastCode, lastPid, lastValue, nested, deepest, again, onAlternate;
static volatile uintptr_t lastAddress;
static char alternate[65536] __attribute__((aligned(16)));
static sigjmp_buf back;

static void counting(int number) { (void)number; count++; }

static void informed(int number, siginfo_t *info, void *context) {
    ucontext_t *frame = context;
    count++;
    lastCode = info->si_code;
    lastPid = info->si_pid;
    lastValue = info->si_value.sival_int;
    lastAddress = (uintptr_t)info->si_addr;
    char *here = (char *)&frame;
    onAlternate = here >= alternate && here < alternate + sizeof alternate;
    if (number != info->si_signo || frame->uc_mcontext.gregs[REG_RSP] == 0) failures++;
}

static void install(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, 0);
}

static void plain(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, 0);
}

static sigset_t setOf(int number) {
    sigset_t set;
    sigemptyset(&set);
    if (number) sigaddset(&set, number);
    return set;
}

static void delivery(void) {
    install(SIGUSR1, informed, 0);
    count = 0;
    kill(getpid(), SIGUSR1);
    CHECK("kill: SI_USER from here", count == 1 && lastCode == SI_USER && lastPid == getpid());
    raise(SIGUSR1);
    CHECK("raise: SI_TKILL", count == 2 && lastCode == SI_TKILL);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 4711});
    CHECK("sigqueue: SI_QUEUE with its value", count == 3 && lastCode == SI_QUEUE && lastValue == 4711);
    pid_t pid = fork();
    if (pid == 0) _exit(kill(getppid(), SIGUSR1) == 0 ? 0 : 1);
    CHECK("from a child", endOf(pid) == 0 && count == 4 && lastPid == pid);
    sigset_t block = setOf(SIGUSR1), pending, was;
    sigprocmask(SIG_BLOCK, &block, &was);
    for (int i = 0; i < 5; i++) raise(SIGUSR1);
    sigpending(&pending);
    CHECK("blocked ones are pending", count == 4 && sigismember(&pending, SIGUSR1) == 1);
    sigprocmask(SIG_SETMASK, &was, 0);
    CHECK("several of a standard signal are one", count == 5);
    install(SIGRTMIN, informed, 0);
    block = setOf(SIGRTMIN);
    count = 0;
    sigprocmask(SIG_BLOCK, &block, 0);
    for (int i = 1; i <= 5; i++) sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    sigprocmask(SIG_UNBLOCK, &block, 0);
    CHECK("real-time signals queue in order", count == 5 && lastValue == 5);
    ERROR("no handler for SIGKILL", sigaction(SIGKILL, &(struct sigaction){.sa_handler = counting}, 0), EINVAL);
    ERROR("nor SIGSTOP", sigaction(SIGSTOP, &(struct sigaction){.sa_handler = counting}, 0), EINVAL);
    ERROR("kill with no such signal", kill(getpid(), 65), EINVAL);
    ERROR("kill of nobody", kill(999999, 0), ESRCH);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &was);
    sigprocmask(SIG_BLOCK, 0, &pending);
    CHECK("SIGKILL and SIGSTOP cannot be blocked", !sigismember(&pending, SIGKILL) && !sigismember(&pending, SIGSTOP));
    sigprocmask(SIG_SETMASK, &was, 0);
    plain(SIGUSR2, counting, SA_RESETHAND);
    count = 0;
    raise(SIGUSR2);
    struct sigaction now;
    sigaction(SIGUSR2, 0, &now);
    CHECK("SA_RESETHAND", count == 1 && now.sa_handler == SIG_DFL);
    plain(SIGUSR2, SIG_IGN, 0);
    raise(SIGUSR2);
    CHECK("ignored", 1);
    struct { int number; } fatal[] = {{SIGTERM}, {SIGHUP}, {SIGINT}, {SIGQUIT}, {SIGUSR1}, {SIGALRM}, {SIGSEGV}, {SIGXCPU}, {SIGRTMAX}};
    int good = 0;
    for (unsigned i = 0; i < sizeof fatal / sizeof *fatal; i++)
        if ((pid = fork()) == 0) {
            plain(fatal[i].number, SIG_DFL, 0);
            raise(fatal[i].number);
            _exit(0);
        } else {
            good += endOf(pid) == 1000 + fatal[i].number;
        }
    CHECK("nine signals kill by default", good == sizeof fatal / sizeof *fatal);
    if ((pid = fork()) == 0) {
        raise(SIGCHLD), raise(SIGURG), raise(SIGWINCH), raise(SIGCONT);
        _exit(0);
    }
    CHECK("four are ignored by default", endOf(pid) == 0);
}

static void inner(int number) {
    nested++;
    if (nested > deepest) deepest = nested;
    if (number == SIGUSR1) raise(SIGUSR2);
    if (number == SIGTERM && ++again < 4) raise(SIGTERM);
    nested--;
}

static void masks(void) {
    plain(SIGUSR1, inner, 0);
    plain(SIGUSR2, inner, 0);
    raise(SIGUSR1);
    CHECK("handlers nest", deepest == 2 && nested == 0);
    deepest = 0;
    struct sigaction both = {.sa_handler = inner};
    sigemptyset(&both.sa_mask);
    sigaddset(&both.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &both, 0);
    raise(SIGUSR1);
    CHECK("sa_mask holds the other back until the end", deepest == 1);
    deepest = 0;
    plain(SIGTERM, inner, 0);
    again = 0;
    raise(SIGTERM);
    CHECK("the own signal is blocked in its handler", deepest == 1 && again == 4);
    deepest = again = 0;
    plain(SIGTERM, inner, SA_NODEFER);
    raise(SIGTERM);
    CHECK("unless SA_NODEFER", deepest == 4);
    plain(SIGTERM, SIG_DFL, 0);
    sigset_t none = setOf(0), one = setOf(SIGUSR1), now;
    plain(SIGUSR1, counting, 0);
    sigprocmask(SIG_BLOCK, &one, 0);
    raise(SIGUSR1);
    count = 0;
    ERROR("sigsuspend", sigsuspend(&none), EINTR);
    sigprocmask(SIG_BLOCK, 0, &now);
    CHECK("delivers and restores the mask", count == 1 && sigismember(&now, SIGUSR1));
    pid_t pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_BLOCK, 0, &now);
        sigpending(&none);
        _exit(sigismember(&now, SIGUSR1) && !sigismember(&none, SIGUSR1) ? 0 : 1);
    }
    raise(SIGUSR1);
    CHECK("fork keeps the mask, not what is pending", endOf(pid) == 0);
    int taken;
    CHECK("sigwait", sigwait(&one, &taken) == 0 && taken == SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &one, 0);
}

/* A child signals us while we block; `read` then goes on, or fails with EINTR. */
static void restarts(void) {
    int ends[2];
    char byte;
    pid_t parent = getpid(), pid;
    pipe(ends);
    plain(SIGUSR1, counting, SA_RESTART);
    count = 0;
    if ((pid = fork()) == 0) {
        untilBlocked(parent);
        kill(parent, SIGUSR1);
        napMs(30);
        write(ends[1], "r", 1);
        _exit(0);
    }
    CHECK("read restarts with SA_RESTART", read(ends[0], &byte, 1) == 1 && count == 1);
    endOf(pid);
    plain(SIGUSR1, counting, 0);
    if ((pid = fork()) == 0) {
        untilBlocked(parent);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    ERROR("read without it", read(ends[0], &byte, 1), EINTR);
    endOf(pid);
    plain(SIGUSR1, counting, SA_RESTART);
    count = 0;
    if ((pid = fork()) == 0) {
        untilBlocked(parent);
        kill(parent, SIGUSR1);
        napMs(30);
        _exit(3);
    }
    int status;
    CHECK("wait restarts", waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3 && count == 1);
    plain(SIGUSR1, counting, 0);
    if ((pid = fork()) == 0) {
        untilBlocked(parent);
        kill(parent, SIGUSR1);
        for (;;) pause();
    }
    ERROR("wait without it", waitpid(pid, &status, 0), EINTR);
    kill(pid, SIGKILL);
    endOf(pid);
    plain(SIGUSR1, counting, SA_RESTART);
    if ((pid = fork()) == 0) {
        untilBlocked(parent);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    ERROR("pause never restarts", pause(), EINTR);
    endOf(pid);
    plain(SIGWINCH, SIG_DFL, 0);
    if ((pid = fork()) == 0) {
        untilBlocked(parent);
        kill(parent, SIGWINCH);
        napMs(30);
        write(ends[1], "i", 1);
        _exit(0);
    }
    CHECK("an ignored signal interrupts nothing", read(ends[0], &byte, 1) == 1 && byte == 'i');
    endOf(pid);
}

static void jump(int number) { (void)number; siglongjmp(back, 1); }

static void stacks(void) {
    stack_t ours = {.ss_sp = alternate, .ss_size = sizeof alternate}, was;
    CHECK("sigaltstack", sigaltstack(&ours, &was) == 0 && (was.ss_flags & SS_DISABLE));
    install(SIGUSR1, informed, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK("runs on the other stack", onAlternate == 1);
    install(SIGUSR1, informed, 0);
    raise(SIGUSR1);
    CHECK("or on this one", onAlternate == 0);
    ERROR("too small a stack", sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = 100}, 0), ENOMEM);
    CHECK("it is told back", sigaltstack(0, &was) == 0 && was.ss_sp == alternate && was.ss_flags == 0);
    plain(SIGUSR1, jump, SA_ONSTACK);
    if (sigsetjmp(back, 1) == 0) raise(SIGUSR1);
    sigset_t now;
    sigprocmask(SIG_BLOCK, 0, &now);
    CHECK("siglongjmp leaves the handler", !sigismember(&now, SIGUSR1));
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, 0);
}

static void children(void) {
    install(SIGCHLD, informed, SA_RESTART);
    int status;
    count = 0;
    pid_t pid = fork();
    if (pid == 0) _exit(7);
    endOf(pid);
    CHECK("SIGCHLD: CLD_EXITED", count == 1 && lastCode == CLD_EXITED && lastPid == pid);
    if ((pid = fork()) == 0)
        for (;;) pause();
    kill(pid, SIGSTOP);
    CHECK("WUNTRACED", waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK("SIGCHLD: CLD_STOPPED", lastCode == CLD_STOPPED);
    CHECK("told once", waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
    kill(pid, SIGCONT);
    CHECK("WCONTINUED", waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
    for (int i = 0; i < 200 && lastCode != CLD_CONTINUED; i++) napMs(5); /* the child sends it when it runs again */
    CHECK("SIGCHLD: CLD_CONTINUED", lastCode == CLD_CONTINUED);
    siginfo_t info;
    kill(pid, SIGSTOP);
    CHECK("waitid WSTOPPED", waitid(P_PID, pid, &info, WSTOPPED) == 0 && info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
    kill(pid, SIGTERM);
    CHECK("a stopped one does not die of SIGTERM", waitpid(pid, &status, WNOHANG) == 0);
    kill(pid, SIGCONT);
    CHECK("but then", waitid(P_PID, pid, &info, WEXITED) == 0 && info.si_code == CLD_KILLED && info.si_status == SIGTERM);
    if ((pid = fork()) == 0)
        for (;;) pause();
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGKILL);
    CHECK("a stopped one dies of SIGKILL", endOf(pid) == 1000 + SIGKILL && lastCode == CLD_KILLED);
    count = 0;
    install(SIGCHLD, informed, SA_RESTART | SA_NOCLDSTOP);
    if ((pid = fork()) == 0)
        for (;;) pause();
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    CHECK("SA_NOCLDSTOP", count == 0);
    kill(pid, SIGKILL);
    CHECK("only its end", endOf(pid) == 1000 + SIGKILL && count == 1);
    plain(SIGCHLD, SIG_DFL, 0);
    /* exec: handlers become default, ignored stays ignored, the mask stays. */
    if ((pid = fork()) == 0) {
        plain(SIGUSR1, counting, 0);
        plain(SIGUSR2, SIG_IGN, 0);
        sigset_t block = setOf(SIGTERM);
        sigprocmask(SIG_BLOCK, &block, 0);
        execl("/proc/self/exe", "signals", "after-exec", (char *)0);
        _exit(99);
    }
    CHECK("exec resets handlers and keeps the rest", endOf(pid) == 0);
}

static int afterExec(void) {
    struct sigaction one, two;
    sigset_t mask;
    sigaction(SIGUSR1, 0, &one);
    sigaction(SIGUSR2, 0, &two);
    sigprocmask(SIG_BLOCK, 0, &mask);
    return one.sa_handler == SIG_DFL && two.sa_handler == SIG_IGN && sigismember(&mask, SIGTERM) ? 0 : 1;
}

#include "signals-registers.h"

/* signalfd(2), with the kernel's own numbers and layout: 0 signal, 2 code, 3 sender, 10 status. */
static void descriptors(void) {
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &before);
    uint32_t info[32];
    int descriptor = (int)syscall(SYS_signalfd4, -1, &set, 8, O_NONBLOCK | O_CLOEXEC);
    CHECK("signalfd4 gives a descriptor", descriptor >= 0);
    ERROR("nothing is pending", read(descriptor, info, sizeof info), EAGAIN);
    ERROR("no room for one", read(descriptor, info, 100), EINVAL);
    kill(getpid(), SIGUSR1);
    struct pollfd wait = {.fd = descriptor, .events = POLLIN};
    CHECK("poll sees a signal", poll(&wait, 1, 10000) == 1 && wait.revents == POLLIN);
    CHECK("read takes it",
          read(descriptor, info, sizeof info) == 128 && info[0] == SIGUSR1 && info[3] == (uint32_t)getpid());
    CHECK("then it is gone", poll(&wait, 1, 0) == 0);
    pid_t child = fork();
    if (child == 0) {
        napMs(20);
        _exit(5);
    }
    CHECK("poll sleeps until a child ends", poll(&wait, 1, 10000) == 1);
    int status, size = read(descriptor, info, sizeof info);
    CHECK("SIGCHLD tells who and how", size == 128 && info[0] == SIGCHLD && info[2] == CLD_EXITED
                                           && info[3] == (uint32_t)child && info[10] == 5);
    waitpid(child, &status, 0);
    sigdelset(&set, SIGCHLD);
    CHECK("another set", syscall(SYS_signalfd4, descriptor, &set, 8, 0) == descriptor);
    fcntl(descriptor, F_SETFL, 0);
    if ((child = fork()) == 0) {
        napMs(20);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    CHECK("a blocking read", read(descriptor, info, sizeof info) == 128 && info[0] == SIGUSR1);
    waitpid(child, &status, 0);
    close(descriptor);
    sigprocmask(SIG_SETMASK, &before, 0);
}

/* Stops and continuations that follow each other faster than the victim can see them. */
static void stops(void) {
    int good = 0;
    for (int round = 0; round < 20; round++) {
        pid_t child = fork();
        if (child == 0)
            for (;;) {
                if (round & 1) getppid();
                else usleep(1000);
            }
        usleep(round * 50);
        int status, last = round & 2 ? SIGHUP : SIGTERM;
        kill(child, SIGSTOP);
        int stopped = waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status);
        for (int again = 0; again < 5; again++) {
            kill(child, SIGCONT);
            kill(child, SIGSTOP);
        }
        kill(child, SIGCONT);
        kill(child, last);
        good += stopped && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == last;
    }
    CHECK("20 victims stopped, continued, stopped ... and ended by what they were sent", good == 20);
}

static void unwanted(void) {
    plain(SIGCHLD, counting, SA_NOCLDWAIT);
    count = 0;
    pid_t child = fork();
    if (child == 0) _exit(1);
    for (int tries = 0; tries < 1000 && count == 0; tries++) usleep(10000);
    CHECK("SA_NOCLDWAIT: SIGCHLD comes", count == 1);
    CHECK("and there is nothing to wait for", waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
    plain(SIGCHLD, SIG_DFL, 0);
}

int main(int arguments, char **values) {
    if (arguments == 2 && strcmp(values[1], "after-exec") == 0) return afterExec();
    delivery();
    masks();
    restarts();
    stacks();
    children();
    descriptors();
    stops();
    unwanted();
    faults();
    registers();
    return finish();
}
