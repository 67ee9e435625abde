/* capabilities: capget, capset, the bounding and ambient sets, securebits, and what changes of identity do to them. */
#include "check.h"
#include <sys/prctl.h>

#define SETPCAP 8
#define KILL 5
#define SETUID 7
#define SETGID 6
#define DAC_OVERRIDE 1
#define ALL (1u << KILL | 1u << SETUID | 1u << SETGID | 1u << SETPCAP | 1u << DAC_OVERRIDE)

static struct { uint32_t version; int pid; } header = {0x20080522, 0};
static struct { uint32_t effective, permitted, inheritable; } set[2];

static int get(void) { return syscall(SYS_capget, &header, set); }
static int put(uint32_t effective, uint32_t permitted, uint32_t inheritable) {
    memset(set, 0, sizeof set);
    set[0].effective = effective;
    set[0].permitted = permitted;
    set[0].inheritable = inheritable;
    return syscall(SYS_capset, &header, set);
}
static int is(uint32_t effective, uint32_t permitted, uint32_t inheritable) {
    return get() == 0 && set[0].effective == effective && set[0].permitted == permitted && set[0].inheritable == inheritable && set[1].permitted == 0;
}

static void sets(void) {
    CHECK("capset", put(ALL, ALL, 0) == 0 && is(ALL, ALL, 0));
    CHECK("less in effect", put(1 << SETPCAP, ALL, 0) == 0 && is(1 << SETPCAP, ALL, 0));
    ERROR("more than permitted", put(1 << 21, ALL, 0), EPERM);
    ERROR("nothing comes back", put(0, ALL | 1 << 21, 0), EPERM);
    CHECK("inheritable", put(1 << SETPCAP, ALL, 1 << KILL) == 0 && is(1 << SETPCAP, ALL, 1 << KILL));
    header.version = 0x19980330;
    CHECK("version 1", get() == 0 && set[0].permitted == ALL);
    header.version = 7;
    ERROR("an unknown version", get(), EINVAL);
    CHECK("is told the one there is", header.version == 0x20080522);
    header.version = 7;
    CHECK("asked for it", syscall(SYS_capget, &header, NULL) == 0 && header.version == 0x20080522);
    header.pid = -1;
    ERROR("of a negative one", get(), EINVAL);
    header.pid = 1 << 22;
    ERROR("of nobody", get(), ESRCH);
    ERROR("of another", put(0, 0, 0), EPERM);
    header.pid = 0;
}

static void bounds(void) {
    put(ALL, ALL, 0);
    CHECK("PR_CAPBSET_READ", prctl(PR_CAPBSET_READ, KILL) == 1);
    ERROR("of an unknown one", prctl(PR_CAPBSET_READ, 64), EINVAL);
    CHECK("PR_CAPBSET_DROP", prctl(PR_CAPBSET_DROP, KILL) == 0 && prctl(PR_CAPBSET_READ, KILL) == 0 && is(ALL, ALL, 0));
    ERROR("then not inheritable", put(ALL, ALL & ~(1u << KILL), 1 << KILL | 1 << 21), EPERM);
    put(ALL & ~(1u << SETPCAP), ALL, 0);
    ERROR("PR_CAPBSET_DROP is not for everybody", prctl(PR_CAPBSET_DROP, SETUID), EPERM);
    put(ALL, ALL, 1 << SETUID);
    CHECK("PR_CAP_AMBIENT_RAISE", prctl(47, 2, SETUID, 0, 0) == 0 && prctl(47, 1, SETUID, 0, 0) == 1 && prctl(47, 1, SETGID, 0, 0) == 0);
    ERROR("only of what is inheritable", prctl(47, 2, SETGID, 0, 0), EPERM);
    CHECK("falls with it", put(ALL, ALL, 0) == 0 && prctl(47, 1, SETUID, 0, 0) == 0);
    put(ALL, ALL, 1 << SETUID);
    CHECK("PR_CAP_AMBIENT_LOWER", prctl(47, 2, SETUID, 0, 0) == 0 && prctl(47, 3, SETUID, 0, 0) == 0 && prctl(47, 1, SETUID, 0, 0) == 0);
    CHECK("PR_CAP_AMBIENT_CLEAR_ALL", prctl(47, 2, SETUID, 0, 0) == 0 && prctl(47, 4, 0, 0, 0) == 0 && prctl(47, 1, SETUID, 0, 0) == 0);
    ERROR("PR_CAP_AMBIENT of what", prctl(47, 9, SETUID, 0, 0), EINVAL);
}

static void identities(void) {
    put(ALL, ALL, 0);
    syscall(SYS_setresuid, -1, 99, -1);
    CHECK("another effective user", is(0, ALL, 0));
    syscall(SYS_setresuid, -1, 0, -1);
    CHECK("and back", is(ALL, ALL, 0));
    syscall(SYS_setfsuid, 99);
    CHECK("another user for files", is(ALL & ~(1u << DAC_OVERRIDE), ALL, 0));
    syscall(SYS_setfsuid, 0);
    CHECK("and back again", is(ALL, ALL, 0));
    CHECK("PR_SET_KEEPCAPS", prctl(PR_SET_KEEPCAPS, 1) == 0 && prctl(PR_GET_KEEPCAPS) == 1);
    ERROR("to what", prctl(PR_SET_KEEPCAPS, 2), EINVAL);
    syscall(SYS_setresuid, 99, 99, 99);
    CHECK("keeps them", is(0, ALL, 0) && put(1 << SETUID, ALL, 0) == 0);
    syscall(SYS_setresuid, 0, 0, 0);
    prctl(PR_SET_KEEPCAPS, 0);
    syscall(SYS_setresuid, 99, 99, 99);
    CHECK("or not", is(0, 0, 0));
}

static void bits(void) {
    put(ALL, ALL, 0);
    CHECK("PR_SET_SECUREBITS", prctl(PR_SET_SECUREBITS, 4) == 0 && prctl(PR_GET_SECUREBITS) == 4);
    syscall(SYS_setresuid, 99, 99, 99);
    CHECK("SECBIT_NO_SETUID_FIXUP", is(ALL, ALL, 0));
    CHECK("SECBIT_KEEP_CAPS_LOCKED", prctl(PR_SET_SECUREBITS, 4 | 0x20) == 0);
    ERROR("locks", prctl(PR_SET_KEEPCAPS, 1), EPERM);
    ERROR("and stays", prctl(PR_SET_SECUREBITS, 4), EPERM);
    ERROR("unknown bits", prctl(PR_SET_SECUREBITS, 0x100000 | 4 | 0x20), EPERM);
    put(0, 0, 0);
    ERROR("not for everybody", prctl(PR_SET_SECUREBITS, 0x25), EPERM);
}

static void programs(const char *self) {
    put(ALL, ALL, 0);
    for (int bit = 0; bit <= 40; bit++)
        if (bit > 31 || !(ALL >> bit & 1)) prctl(PR_CAPBSET_DROP, bit);
    const struct { const char *name; int user; uint32_t inherit, ambient; const char *wanted; } cases[] = {
        {"root gets what the bounds allow", 0, 0, 0, "e2e2"}, {"another user nothing", 99, 0, 0, "00"},
        {"but what is ambient", 99, 1 << KILL, 1 << KILL, "2020"},
    };
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            put(ALL, ALL, cases[i].inherit);
            prctl(PR_SET_KEEPCAPS, 1);
            if (cases[i].user) syscall(SYS_setresuid, 99, 99, 99);
            if (cases[i].ambient && prctl(47, 2, KILL, 0, 0) != 0) _exit(98);
            execl(self, self, cases[i].wanted, NULL);
            _exit(97);
        }
        CHECK(cases[i].name, endOf(pid) == 0);
    }
}

int main(int count, char **words) {
    if (count == 2) { /* executed: effective and permitted, the lowest byte each */
        char text[20];
        get();
        sprintf(text, "%x%x", set[0].effective & 0xff, set[0].permitted & 0xff);
        return strcmp(text, words[1]) != 0;
    }
    void (*const parts[])(void) = {sets, bounds, identities, bits};
    runApart(parts, sizeof parts / sizeof *parts);
    programs(words[0]);
    return finish();
}
