/* chorus-server STAMP: a server on CHORUS IPC, found by the static user group of STAMP. */
#include "chorus-ipc.h"

static uint8_t body[K_CMSGSIZEMAX];

int main(int argc, char **argv) {
    KnUniqueId ui;
    KnCap group;
    uint32_t stamp = argc > 1 ? (uint32_t)strtoul(argv[1], 0, 0) : 0;
    int32_t li = portCreate(K_MYACTOR, &ui), saved = 0, held = 0, counted = 0;
    if (li <= 0 || grpAllocate(K_STATUSER, &group, stamp) < 0 || grpPortInsert(&group, &ui) < 0 ||
        portEnable(K_MYACTOR, li, 1) < 0) {
        say("FAIL the server has no CHORUS IPC");
        return 1;
    }
    for (;;) {
        struct annex in, out = { 0 };
        KnPortLid port = K_ANYENABLED;
        KnMsgDesc request = { .bodySize = sizeof body, .bodyAddr = 0, .annexAddr = &in };
        KnMsgDesc answer = { .annexAddr = &out };
        KnMsgHead head;
        int32_t r = ipcReceive(&request, &port, K_NOTIMEOUT);
        if (r == K_EABORT) continue;
        if (r != li || port != li) {
            say("FAIL the server received %d", r);
            return 1;
        }
        out.operation = in.operation;
        switch (in.operation) {
        case ECHO: /* the body was left where it was: it is fetched now */
            request.bodyAddr = body;
            request.bodySize = sizeof body;
            out.value = ipcGetData(&request);
            answer.bodyAddr = body;
            answer.bodySize = out.value > 0 ? (uint32_t)out.value : 0;
            break;
        case WHO:
            if (ipcSysInfo(&head) < 0) head.actorId.uid = 0xffffffff;
            out.value = (int32_t)(head.actorId.uid * 1000 + head.actorId.gid);
            out.port = head.srcPort;
            break;
        case SUM:
            request.bodyAddr = body;
            request.bodySize = sizeof body;
            r = ipcGetData(&request);
            out.value = (int32_t)sumOf(body, r > 0 ? (uint32_t)r : 0);
            break;
        case HOLD: /* its client waits; others are served meanwhile */
            saved = ipcSave();
            held++;
            continue;
        case HELD:
            out.value = held;
            break;
        case RELEASE: /* answers the call that was held last, then this one */
            r = ipcSave();
            held--;
            if (ipcRestore(saved) < 0 || ipcReply(&answer) < 0 || ipcRestore(r) < 0) return 1;
            out.value = 77;
            break;
        case COUNT:
            counted++;
            continue;
        case TAKE:
            out.value = counted;
            counted = 0;
            break;
        default:
            out.value = -1;
        }
        r = ipcReply(&answer);
        if (r < 0) say("FAIL the server's answer: %d", r);
    }
}
