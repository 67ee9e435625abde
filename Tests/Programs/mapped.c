/* mapped.c: a program with a segment of a mapper in its memory; the mapper is a server of the manifest. */
#include "check.h"
#include <setjmp.h>
#include "chorus-user.h"
#include "../Subsystems/mapper/mapper.h"

static struct wish ask(uint32_t stamp, uint32_t operation, uint64_t value, uint32_t byte) {
    struct wish w = { .operation = operation, .value = value, .byte = byte };
    KnMsgDesc request = { .annexAddr = &w }, reply = { .annexAddr = &w };
    KnIpcDest dest = { 0 };
    int32_t r = grpName(stamp, &dest.target);
    if (r >= 0) r = ipcCall(&request, K_DEFAULTPORT, &dest, K_FUNCMODE, &reply, 20000);
    if (r < 0) w.result = r;
    return w;
}
static struct wish tell(uint32_t operation, uint64_t value) { return ask(MAPPER_STAMP, operation, value, 0); }

static volatile char *map(uint32_t stamp) {
    char *at = mmap(0, MAPPER_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED || ask(stamp, MAP, (uintptr_t)at, 0).result != K_OK ? 0 : at;
}

static sigjmp_buf before;
static volatile sig_atomic_t caught;
static void onSignal(int number) { caught = number, siglongjmp(before, 1); }

/* The signal that a look at `at` gives, or 0. */
static int look(volatile char *at) {
    caught = 0;
    if (sigsetjmp(before, 1) == 0) (void)*at;
    return caught;
}

static int holds(volatile char *at) {
    for (uint32_t i = 0; i < MAPPER_SIZE; i++)
        if ((uint8_t)at[i] != pattern(i)) return 0;
    return 1;
}

int main(void) {
    char buffer[4096];
    int pipes[2];
    signal(SIGBUS, onSignal);
    signal(SIGSEGV, onSignal);
    CHECK("a pipe", pipe(pipes) == 0);
    volatile char *at = map(MAPPER_STAMP);
    CHECK("the segment is mapped", at != 0);
    if (!at) return finish();
    CHECK("nothing is brought in for that", tell(COUNTS, 0).pulled == 0);
    CHECK("the first byte", (uint8_t)*at == pattern(0));
    CHECK("its neighbours come along", (uint8_t)at[65535] == pattern(65535) && tell(COUNTS, 0).pulled == 1);
    CHECK("all of it", holds(at));
    CHECK("in windows of 64 KiB", tell(COUNTS, 0).pulled == MAPPER_SIZE / 65536);
    CHECK("nothing was asked to be written", tell(COUNTS, 0).granted == 0);

    at[5000] = 'x';
    CHECK("the first write is asked for", tell(COUNTS, 0).granted == 1 && at[5000] == 'x');
    CHECK("and is not there yet", tell(PEEK, 5000).byte == pattern(5000));
    CHECK("until it is taken back", tell(FLUSH, 0).result == K_OK && tell(PEEK, 5000).byte == 'x');
    CHECK("in one piece", tell(COUNTS, 0).pushed == 1);
    ask(MAPPER_STAMP, POKE, 6000, 'y');
    CHECK("what another wrote is seen", at[6000] == 'y' && at[5000] == 'x');

    tell(FLUSH, 0);
    CHECK("a system call reads what is not there", write(pipes[1], (char *)at + 200000, 4096) == 4096 &&
                                                      read(pipes[0], buffer, 4096) == 4096 &&
                                                      (uint8_t)buffer[17] == pattern(200017));
    CHECK("another writes it", write(pipes[1], "by a call", 9) == 9 && read(pipes[0], (char *)at + 300000, 9) == 9 &&
                                   !memcmp((char *)at + 300000, "by a call", 9));
    CHECK("which is pushed out too", tell(FLUSH, 0).result == K_OK && tell(PEEK, 300003).byte == 'a');
    CHECK("a name may be there", stat((char *)memcpy((char *)at + 400000, "/", 2), &(struct stat){ 0 }) == 0);

    pid_t child = fork();
    if (child == 0) {
        at[7000] = 'c';
        _exit(at[6000] != 'y' || (uint8_t)at[500000] != pattern(500000));
    }
    int status;
    CHECK("a child has it too", waitpid(child, &status, 0) == child && status == 0);
    CHECK("and it is one memory", at[7000] == 'c');
    CHECK("until all have gone", tell(FLUSH, 0).result == K_OK && tell(PEEK, 7000).byte == 'c');

    tell(MODE, GARBAGE);
    CHECK("nonsense is a bus error", look(at) == SIGBUS && look(at + 700000) == SIGBUS);
    CHECK("for a call a bad address", write(pipes[1], (char *)at, 100) == -1 && errno == EFAULT);
    tell(MODE, GOOD);
    CHECK("sense helps", look(at) == 0 && (uint8_t)*at == pattern(0));
    tell(FLUSH, 0);
    tell(MODE, LATE);
    CHECK("late is not too late", look(at) == 0 && (uint8_t)*at == pattern(0));
    tell(MODE, GOOD);

    at[9000] = 'z'; /* written back when the site ends */
    volatile char *other = map(MAPPER_STAMP + 1);
    CHECK("another mapper", other && (uint8_t)*other == pattern(0));
    ask(MAPPER_STAMP + 1, MODE, DIES, 0);
    CHECK("that dies while it is asked", look(other + 100000) == SIGBUS && look(other + 200000) == SIGBUS);
    CHECK("what is here stays", (uint8_t)other[1] == pattern(1));
    CHECK("that is gone", ask(MAPPER_STAMP + 1, COUNTS, 0, 0).result < 0);
    volatile char *third = map(MAPPER_STAMP + 2);
    CHECK("a third", third != 0);
    ask(MAPPER_STAMP + 2, MODE, NEVER, 0);
    CHECK("that never answers", look(third) == SIGBUS);
    CHECK("the first goes on", (uint8_t)at[900000] == pattern(900000));
    return finish();
}
