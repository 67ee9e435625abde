/* auxv: the auxiliary vector: its keys in the kernel's order, and what their values say. `auxv secure` tells whose program it
 * is, and whether it may trust its environment. Raw words from the stack and from /proc: no libc has changed them. */
#include "check.h"
#include <elf.h>
#include <link.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

extern char **environ;
static ElfW(auxv_t) *vector;

static unsigned long value(unsigned long type) {
    for (ElfW(auxv_t) *one = vector; one->a_type != AT_NULL; one++)
        if (one->a_type == type) return one->a_un.a_val;
    return 0;
}

static void keys(const char *self) {
    char line[400] = "";
    for (ElfW(auxv_t) *one = vector; one->a_type != AT_NULL; one++) {
        if (one->a_type == 27 || one->a_type == 28 || one->a_type == 29) continue; /* rseq: by the kernel's configuration */
        snprintf(line + strlen(line), sizeof line - strlen(line), " %lu", (unsigned long)one->a_type);
    }
    say("keys%s", line);
    CHECK("AT_PAGESZ", value(AT_PAGESZ) == 4096);
    CHECK("AT_CLKTCK", value(AT_CLKTCK) == 100);
    CHECK("AT_PHENT", value(AT_PHENT) == sizeof(ElfW(Phdr)));
    const ElfW(Phdr) *headers = (const void *)value(AT_PHDR);
    int loads = 0;
    for (unsigned long i = 0; i < value(AT_PHNUM); i++) loads += headers[i].p_type == PT_LOAD;
    CHECK("AT_PHDR, AT_PHNUM", loads >= 2);
    CHECK("AT_BASE, AT_FLAGS", value(AT_BASE) == 0 && value(AT_FLAGS) == 0);
    CHECK("AT_ENTRY", value(AT_ENTRY) != 0 && *(unsigned char *)value(AT_ENTRY) != 0);
    CHECK("AT_UID and the others", value(AT_UID) == getuid() && value(AT_EUID) == geteuid() && value(AT_GID) == getgid() && value(AT_EGID) == getegid());
    CHECK("AT_SECURE", value(AT_SECURE) == 0);
    CHECK("AT_EXECFN", strcmp((const char *)value(AT_EXECFN), self) == 0);
    CHECK("AT_PLATFORM", strcmp((const char *)value(AT_PLATFORM), "x86_64") == 0);
    say("AT_HWCAP %lx AT_HWCAP2 %lx", value(AT_HWCAP), value(AT_HWCAP2));
    say("AT_MINSIGSTKSZ %lu", value(AT_MINSIGSTKSZ));
    const unsigned char *vdso = (const void *)value(AT_SYSINFO_EHDR);
    CHECK("AT_SYSINFO_EHDR", vdso && memcmp(vdso, ELFMAG, SELFMAG) == 0);
    unsigned char first[16], none[16] = {0};
    memcpy(first, (const void *)value(AT_RANDOM), 16);
    CHECK("AT_RANDOM", memcmp(first, none, 16) != 0);
    static unsigned char kept[2048];
    int fd = open("/proc/self/auxv", O_RDONLY);
    ssize_t size = read(fd, kept, sizeof kept);
    close(fd);
    CHECK("/proc/self/auxv", size > 100 && memcmp(kept, vector, size) == 0);
    /* Other bytes every time. */
    int ends[2];
    pipe(ends);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 7);
        execl(self, self, "random", NULL);
        _exit(99);
    }
    unsigned char other[16];
    CHECK("AT_RANDOM differs", read(ends[0], other, 16) == 16 && endOf(pid) == 0 && memcmp(first, other, 16) != 0);
}

/* How much dearer the vDSO's clock is than nothing, and a call than it: it must be no system call. */
static void clocks(void) {
    enum { TIMES = 20000 };
    struct timespec now;
    int64_t quick = INT64_MAX, slow = INT64_MAX;
    for (int round = 0; round < 20; round++) {
        int64_t begin = nowNs();
        for (int i = 0; i < TIMES; i++) clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t middle = nowNs();
        for (int i = 0; i < TIMES / 20; i++) syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
        int64_t end = nowNs();
        if (middle - begin < quick) quick = middle - begin;
        if ((end - middle) * 20 < slow) slow = (end - middle) * 20;
    }
    /* Between a vDSO without a system call and a call lies more than this factor; the least of twenty rounds each. */
    CHECK("clock_gettime makes no system call", quick * 3 < slow * 2);
}

int main(int count, char **words) {
    char **end = environ;
    while (*end) end++;
    vector = (void *)(end + 1);
    if (count > 1 && strcmp(words[1], "random") == 0) return write(7, (const void *)value(AT_RANDOM), 16) != 16;
    if (count > 1 && strcmp(words[1], "secure") == 0) {
        uid_t r, e, s;
        gid_t gr, ge, gs;
        getresuid(&r, &e, &s);
        getresgid(&gr, &ge, &gs);
        say("uid %d %d %d gid %d %d %d secure %lu dumpable %d", (int)r, (int)e, (int)s, (int)gr, (int)ge, (int)gs, value(AT_SECURE), prctl(PR_GET_DUMPABLE));
        return 0;
    }
    keys(words[0]);
    clocks();
    return finish();
}
