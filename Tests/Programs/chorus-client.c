/* chorus-client STAMP SERVER SECOND: what two processes that know one name can do by CHORUS IPC. SERVER and SECOND are the
 * process numbers of two chorus-servers with that STAMP; none of them is left in the end. */
#include "chorus-ipc.h"

static KnIpcDest dest;
static uint8_t *big;

static int32_t ask(uint32_t operation, uint32_t mode, int32_t *value, int32_t delay) {
    struct annex out = { .operation = operation }, in = { 0 };
    KnMsgDesc request = { .annexAddr = &out }, reply = { .annexAddr = &in };
    int32_t r = ipcCall(&request, K_DEFAULTPORT, &dest, mode, &reply, delay);
    if (value) *value = in.value;
    return r;
}

static int members(void) { /* how many servers a broadcast reaches */
    struct annex out = { .operation = COUNT };
    KnMsgDesc message = { .annexAddr = &out };
    int32_t one = 0, sum = 0;
    if (ipcSend(&message, K_DEFAULTPORT, &dest, K_BROADMODE) < 0) return -1;
    for (int i = 0; i < 4; i++) /* in turn: each of two is asked twice, and has forgotten the second time */
        if (ask(TAKE, K_FUNCMODE, &one, 10000) == K_OK) sum += one;
    return sum;
}

static void copies(void) {
    for (uint32_t size = 1; size <= K_CMSGSIZEMAX; size = size < 1000 ? 1000 : size * 32 + 7) {
        struct annex out = { .operation = ECHO }, in = { 0 };
        uint8_t *back = calloc(1, size);
        for (uint32_t i = 0; i < size; i++) big[i] = (uint8_t)(i * 7 + size);
        KnMsgDesc request = { .bodySize = size, .bodyAddr = big, .annexAddr = &out };
        KnMsgDesc reply = { .bodySize = size, .bodyAddr = back, .annexAddr = &in };
        int32_t r = ipcCall(&request, K_DEFAULTPORT, &dest, K_FUNCMODE, &reply, K_NOTIMEOUT);
        CHECK("a body there and back", r == K_OK && in.value == (int32_t)size && reply.bodySize == size &&
                                           !memcmp(big, back, size));
        reply.bodySize = size - 1;
        if (size > 1)
            CHECK("no room for the answer", ipcCall(&request, K_DEFAULTPORT, &dest, K_FUNCMODE, &reply,
                                                    K_NOTIMEOUT) == K_ETOOBIG);
        free(back);
    }
    struct annex out = { .operation = ECHO };
    KnMsgDesc request = { .bodySize = K_CMSGSIZEMAX + 1, .bodyAddr = big, .annexAddr = &out }, reply = { 0 };
    CHECK("too long a body", ipcCall(&request, 0, &dest, K_FUNCMODE, &reply, 1000) == K_ETOOBIG);
    request.bodyAddr = (void *)8;
    request.bodySize = 100;
    CHECK("a bad body", ipcCall(&request, 0, &dest, K_FUNCMODE, &reply, 1000) == K_EFAULT);
    CHECK("a bad descriptor", ipcCall((KnMsgDesc *)16, 0, &dest, K_FUNCMODE, &reply, 1000) == K_EFAULT);
    CHECK("a bad target", ipcCall(&request, 0, (KnIpcDest *)16, K_FUNCMODE, &reply, 1000) == K_EFAULT);
}

static void moves(void) {
    struct annex out = { .operation = SUM }, in = { 0 };
    uint32_t size = 600000, zeros = 1;
    memset(big, 0x5a, size);
    uint32_t sum = sumOf(big, size);
    KnMsgDesc request = { .flags = K_MSG_MOVE, .bodySize = size, .bodyAddr = big, .annexAddr = &out };
    KnMsgDesc reply = { .annexAddr = &in };
    int32_t r = ipcCall(&request, K_DEFAULTPORT, &dest, K_FUNCMODE, &reply, K_NOTIMEOUT);
    CHECK("a moved body arrives", r == K_OK && (uint32_t)in.value == sum);
    for (uint32_t i = 0; i < size / 4096 * 4096; i++)
        if (big[i]) zeros = 0;
    CHECK("and is gone from here", zeros);
}

static void whoAsks(void) {
    int32_t value = 0;
    CHECK("root is known", ask(WHO, K_FUNCMODE, &value, K_NOTIMEOUT) == K_OK && value == 0);
    pid_t child = fork();
    if (child == 0) {
        if (setgid(7) || setuid(5)) _exit(1);
        _exit(ask(WHO, K_FUNCMODE, &value, 10000) == K_OK && value == 5007 ? 0 : 2);
    }
    CHECK("so is one who became somebody else", endOf(child) == 0);
}

static void ports(void) {
    KnUniqueId ui, own;
    KnCap me, again, group;
    int32_t li = portCreate(K_MYACTOR, &ui);
    CHECK("a port", li > 0 && portLi(&ui) == li && portUi(&own, li) == K_OK && own.uiTail == ui.uiTail);
    CHECK("its name is not another's to use", portLi(&dest.target) == K_EUNKNOWN);
    CHECK("the own capability", actorSelf(&me) == K_OK && portEnable(&me, li, 3) == K_OK);
    me.key.keyTail ^= 1;
    CHECK("a forged one", portEnable(&me, li, 3) == K_EPRIV);
    CHECK("a group", grpAllocate(K_DYNAMIC, &group, 0) == K_OK && grpPortInsert(&group, &ui) == K_OK);
    CHECK("twice is once", grpPortInsert(&group, &ui) == K_EEXIST);
    again = group;
    again.key.keyHead ^= 1;
    CHECK("not without the key", grpPortRemove(&again, &ui) == K_EPRIV);
    CHECK("not a server's group", grpAllocate(K_STATSYS, &again, 0x46494c45) == K_EPRIV);
    struct annex out = { .value = 11 }, in = { 0 };
    KnMsgDesc message = { .annexAddr = &out }, got = { .annexAddr = &in };
    KnIpcDest here = { .target = group.ui };
    KnPortLid port = K_ANYENABLED;
    CHECK("to oneself by a group", ipcSend(&message, li, &here, K_BROADMODE) == K_OK &&
                                       ipcReceive(&got, &port, 1000) == li && in.value == 11 && port == li);
    KnMsgHead head;
    CHECK("from where", ipcSysInfo(&head) == K_OK && head.srcPort.uiTail == ui.uiTail && head.transId == 0);
    port = li;
    CHECK("nothing more", ipcReceive(&got, &port, 0) == K_ENOMSG);
    int64_t before = nowNs();
    CHECK("not for long", ipcReceive(&got, &port, 50) == K_ETIMEOUT && nowNs() - before >= 50000000);
    CHECK("no current message", ipcReply(&message) == K_ENOMSG && ipcSysInfo(&head) == K_ENOMSG);
    CHECK("deleted", portDelete(K_MYACTOR, li) == K_OK && portDelete(K_MYACTOR, li) == K_EUNKNOWN);
    CHECK("its group is empty", ipcCall(&message, 0, &here, K_FUNCMODE, &got, 1000) == K_EUNREACHABLE);
    int count = 0;
    while (portCreate(K_MYACTOR, &ui) > 0) count++;
    CHECK("as many as one may have", count == K_USR_PORTMAX && portCreate(K_MYACTOR, &ui) == K_ENOMEM);
    pid_t child = fork();
    if (child == 0) _exit(portLi(&ui) == K_EUNKNOWN && portUi(&own, 1) == K_EUNKNOWN ? 0 : 1);
    CHECK("a child inherits none", endOf(child) == 0);
    CHECK("no such call", kn_userCall(K_USR_CALLS, 0, 0, 0, 0, 0, 0) == K_ENOSYS);
    before = nowNs();
    CHECK("a delay", threadDelay(30) == K_OK && nowNs() - before >= 30000000);
}

static volatile sig_atomic_t signals;
static void onSignal(int number) { signals += number == SIGUSR1; }

/* A child that does `wait` is interrupted, as often as it takes: the handler runs, and the call says so. */
static void interruptible(const char *name, int32_t (*wait)(void)) {
    signal(SIGUSR1, onSignal);
    signals = 0;
    pid_t child = fork();
    if (child == 0) {
        int32_t r = wait();
        _exit(r == K_EABORT && signals > 0 ? 0 : 1);
    }
    int status;
    napMs(20);
    while (waitpid(child, &status, WNOHANG) != child) {
        kill(child, SIGUSR1);
        napMs(5);
    }
    CHECK(name, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
static int32_t waitForMessage(void) {
    KnMsgDesc message = { 0 };
    KnPortLid port = K_DEFAULTPORT;
    return ipcReceive(&message, &port, K_NOTIMEOUT);
}
static int32_t waitForAnswer(void) { return ask(HOLD, K_FUNCMODE, 0, K_NOTIMEOUT); }
static int32_t waitForTime(void) { return threadDelay(K_NOTIMEOUT); }

/* Until the server holds `count` calls that it has not answered. */
static void untilHeld(int32_t count) {
    int32_t value = 0;
    while (ask(HELD, K_FUNCMODE, &value, K_NOTIMEOUT) == K_OK && value != count) napMs(5);
}

static void deaths(pid_t server, pid_t second) {
    pid_t child = fork();
    if (child == 0) _exit(waitForMessage() == 0 ? 1 : 2);
    napMs(20);
    kill(child, SIGKILL);
    CHECK("killed while it waits", endOf(child) == 1000 + SIGKILL);

    kill(second, SIGKILL);
    while (members() != 1) napMs(5);
    int32_t value = 0, held = 0;
    ask(HELD, K_FUNCMODE, &held, K_NOTIMEOUT);
    CHECK("no answer in time", ask(HOLD, K_FUNCMODE, 0, 50) == K_ETIMEOUT);
    untilHeld(held + 1);
    child = fork();
    if (child == 0) _exit(waitForAnswer() == K_OK ? 0 : 1);
    untilHeld(held + 2);
    CHECK("answered out of order", ask(RELEASE, K_FUNCMODE, &value, K_NOTIMEOUT) == K_OK && value == 77 && endOf(child) == 0);
    child = fork();
    if (child == 0) _exit(waitForAnswer() == K_EDEADSERVER ? 0 : 1);
    untilHeld(held + 2);
    kill(server, SIGKILL);
    CHECK("a server killed in the middle", endOf(child) == 0);
    CHECK("nobody is left", ask(WHO, K_FUNCMODE, 0, 1000) == K_EUNREACHABLE);
}

int main(int argc, char **argv) {
    if (argc < 4) { /* where there is no CHORUS IPC */
        CHECK("no CHORUS IPC", grpName(1, &dest.target) == K_ENOSYS && portCreate(K_MYACTOR, &dest.target) == K_ENOSYS);
        return finish();
    }
    uint32_t stamp = (uint32_t)strtoul(argv[1], 0, 0);
    big = mmap(0, K_CMSGSIZEMAX + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK("a name", grpName(stamp, &dest.target) == K_OK);
    while (members() != 2) napMs(5);
    copies();
    moves();
    whoAsks();
    ports();
    interruptible("a signal ends ipcReceive", waitForMessage);
    interruptible("a signal ends ipcCall", waitForAnswer);
    interruptible("a signal ends threadDelay", waitForTime);
    deaths(atoi(argv[2]), atoi(argv[3]));
    return finish();
}
