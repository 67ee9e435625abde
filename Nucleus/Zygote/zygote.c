/* zygote.c: start of the first guest host process: maps the shared pages, connects the signals, empties its address
 * space, closes the filter behind itself. Descriptors: 3 control pages (read-only), 4 area of slot 0, 5 socket,
 * 6 event descriptor. Everything else is closed. */
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/fcntl.h>
#include "host.h"

#define SA_FLAGS (0x4 /* SIGINFO */ | 0x08000000 /* ONSTACK */ | 0x40000000 /* NODEFER */ | 0x04000000 /* RESTORER */)

#define NOBODY 65534

static void fail(int status) {
    for (;;) host1(__NR_exit_group, status);
}

static void connect_signals(void) {
    static const int signals[] = { 4, 5, 7, 8, 11, 31, MB_KICK };
    struct { void *handler; uint64_t flags; void *restorer; uint64_t mask; } action = { stub_signal, SA_FLAGS, stub_restorer, 0 };
    uint64_t none = 0;
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (host4(__NR_rt_sigaction, signals[i], &action, 0, 8)) fail(71);
    host4(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, 0, 8);
}

/* A site run by root does not run its guests as root: nothing they reach needs it, and limits then count for them. */
static void give_up_root(void) {
    struct { uint64_t soft, hard; } processes = { 8192, 8192 };
    if (host0(__NR_geteuid) == 0) {
        host2(__NR_setgroups, 0, 0);
        if (host3(__NR_setresgid, NOBODY, NOBODY, NOBODY) || host3(__NR_setresuid, NOBODY, NOBODY, NOBODY)) fail(74);
        host2(__NR_setrlimit, RLIMIT_NPROC, &processes);
    }
}

/* Unmaps all that execve left (program stack, anything preloaded) but the stub, its areas and the vDSO. */
static void empty_address_space(struct mb_area *area) {
    char *text = (char *)area + MB_PAYLOAD;
    long fd = host4(__NR_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY, 0), size = 0, n;
    if (fd < 0) fail(72);
    while ((n = host3(__NR_read, fd, text + size, MB_PAYLOAD_SIZE - 1 - size)) > 0) size += n;
    host1(__NR_close, fd);
    text[size] = 0;
    for (char *p = text; *p;) {
        uint64_t bound[2] = { 0, 0 };
        for (int i = 0; i < 2; i++, p++)
            for (; *p != '-' && *p != ' '; p++) bound[i] = bound[i] * 16 + (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
        char *name = p;
        while (*p && *p != '\n') p++;
        char *tag = p;
        while (tag > name && *tag != '[') tag--;
        if (*p) p++;
        if (*tag == '[' && tag[1] == 'v') {
            if (tag[2] == 'd') { area->nucleus.vdsoStart = bound[0]; area->nucleus.vdsoEnd = bound[1]; }
            else if (tag[2] == 'v' && !area->nucleus.vvarStart) area->nucleus.vvarStart = bound[0];
            continue;
        }
        if (bound[0] >= MB_STUB_BASE && bound[0] < MB_STUB_BASE + MB_STUB_SPAN) continue;
        if (bound[0] == MB_CONTROL || (bound[0] >= MB_AREAS && bound[0] < MB_AREAS + MB_SLOTS * MB_AREA_SIZE)) continue;
        host2(__NR_munmap, bound[0], bound[1] - bound[0]);
    }
    for (long i = 0; i <= size; i++) text[i] = 0;
}

__attribute__((noreturn, used)) static void on_own_stack(struct mb_area *area) {
    struct { uint64_t soft, hard; } none = { 0, 0 };
    host2(__NR_setrlimit, RLIMIT_CORE, &none);
    give_up_root();
    host0(__NR_setsid);
    connect_signals();
    empty_address_space(area);
    if (install_filter()) fail(73);
    stub_child(area);
}

__attribute__((noreturn, used)) void zygote_main(void *stack) {
    (void)stack;
    struct mb_area *area = (struct mb_area *)MB_AREAS;
    if (host6(__NR_mmap, MB_CONTROL, MB_CONTROL_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, 3, 0) != (long)MB_CONTROL) fail(70);
    if (host6(__NR_mmap, (long)area, MB_AREA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 4, 0) != (long)area) fail(70);
    host1(__NR_close, 3);
    host1(__NR_close, 4);
    host3(__NR_close_range, 7, ~0u, 0);
    area->nucleus.socket = 5;
    area->nucleus.closeAtStart = -1;
    area->nucleus.gate = (uint64_t)stub_gate;
    __asm__ volatile("mov %0, %%rsp\n mov %1, %%rdi\n xor %%ebp, %%ebp\n call on_own_stack\n ud2"
                     : : "r"((char *)area + MB_AREA_SIZE - 64), "r"(area) : "memory", "rdi");
    __builtin_unreachable();
}
