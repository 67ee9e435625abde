/* differ FIRST COUNT [-v]: generated sequences of system calls, one line a seed: a hash over every result and all state that
 * a program can see. The same lines must come out natively and on a site; -v shows each step. `differ corpus` runs what once
 * was different. */
#include "differ.h"
#include "differ-names.h"
#include "differ-files.h"
#include "differ-descriptors.h"
#include "differ-memory.h"
#include "differ-signals.h"
#include "differ-processes.h"
#include "differ-ipc.h"
#include "differ-corpus.h"

#define STEPS 24

int verbose;
static uint64_t state, hash;

uint64_t draw(void) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dull >> 16;
}

void note(const char *format, ...) {
    char line[400];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line - 1, format, list);
    va_end(list);
    if (length > (int)sizeof line - 2) length = sizeof line - 2;
    for (int i = 0; i < length; i++) hash = (hash ^ (unsigned char)line[i]) * 0x100000001b3ull;
    if (!verbose) return;
    line[length++] = '\n';
    write(2, line, length);
}

unsigned sum(const void *memory, size_t size) {
    unsigned value = 1;
    for (size_t i = 0; i < size; i++) value = value * 31 + ((const unsigned char *)memory)[i];
    return value;
}

const void *bytes(size_t size) {
    static unsigned char room[70000];
    unsigned seed = pick(250);
    for (size_t i = 0; i < size && i < sizeof room; i++) room[i] = (unsigned char)(seed + i * 7 + (i >> 8));
    return room;
}

static void sequence(uint64_t seed) {
    state = seed * 0x9e3779b97f4a7c15ull | 1;
    hash = 0xcbf29ce484222325ull;
    umask(022);
    void (*const fields[])(void) = {namesStep, filesStep, descriptorsStep, memoryStep, signalsStep, processesStep, ipcStep};
    for (int i = 0; i < 8; i++) draw();
    /* A sequence keeps to two fields most of the time: depth rather than breadth. */
    unsigned main = pick(7), other = pick(7);
    /* Something to begin with, so that not everything meets EBADF and ENOENT. */
    CALL(SYS_mkdir, "d", 0755);
    if (pick(2)) CALL(SYS_mkdir, "e", 0755);
    for (unsigned i = pick(4); i > 0; i--)
        CALL(SYS_open, i == 1 ? "a" : i == 2 ? "d/a" : "b", (pick(4) ? O_RDWR : O_RDWR | O_APPEND) | O_CREAT | O_NONBLOCK, 0644);
    if (pick(3) == 0) CALL(SYS_pipe2, (int[2]){0, 0}, O_NONBLOCK);
    for (int step = 0; step < STEPS; step++) {
        unsigned field = pick(5) ? main : pick(2) ? other : pick(7);
        fields[field]();
    }
    namesEnd();
    descriptorsEnd();
    ipcEnd();
    say("%llu %016llx", (unsigned long long)seed, (unsigned long long)hash);
}

static void oneOfCorpus(uint64_t which) {
    hash = 0xcbf29ce484222325ull;
    umask(022);
    corpus[which]();
    say("corpus %llu %016llx", (unsigned long long)which, (unsigned long long)hash);
}

/* All below a folder, which may have forbidden itself. */
static void clear(int above, const char *name) {
    if (unlinkat(above, name, 0) == 0 || errno == ENOENT) return;
    fchmodat(above, name, 0700, 0);
    int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder) {
        for (struct dirent *entry; (entry = readdir(folder));)
            if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) clear(fd, entry->d_name);
        closedir(folder);
    }
    unlinkat(above, name, AT_REMOVEDIR);
}

/* Everything starts in an empty folder, with three descriptors and the default signals, in a process of its own. */
static void isolated(void (*body)(uint64_t), uint64_t seed) {
    char folder[32];
    snprintf(folder, sizeof folder, "s%llu", (unsigned long long)seed);
    pid_t pid = fork();
    if (pid == 0) {
        if (mkdir(folder, 0755) != 0 || chdir(folder) != 0) _exit(98);
        for (int fd = 3; fd < 64; fd++) close(fd);
        alarm(60);
        signal(SIGPIPE, SIG_IGN);
        body(seed);
        _exit(0);
    }
    int end = endOf(pid);
    if (end != 0) say("%llu ended with %d", (unsigned long long)seed, end);
    clear(AT_FDCWD, folder);
}

int main(int count, char **words) {
    if (count > 1 && strcmp(words[1], "corpus") == 0) {
        verbose = count > 2;
        for (uint64_t i = 0; i < sizeof corpus / sizeof corpus[0]; i++) isolated(oneOfCorpus, i);
        return 0;
    }
    if (count < 3) return 2;
    uint64_t first = strtoull(words[1], NULL, 0), many = strtoull(words[2], NULL, 0);
    verbose = count > 3;
    for (uint64_t seed = first; seed < first + many; seed++) isolated(sequence, seed);
    return 0;
}
