/* mixProcess.h: protocol of the Process Manager (group stamp K_STAMP_PROCESS), request format of mix/mixObject.h.
 * The process information provider of mix/mixProcInfo.h and the terminal's signals of mix/mixDevice.h are served too. */
#ifndef MIX_PROCESS_H
#define MIX_PROCESS_H
#include <stdint.h>

#define PROC_SPAWN 400u   /* starts a process as a child of the manager: body = program NUL cwd NUL, then argc (arg[0]) strings, then
                             envc (arg[1]) strings, all NUL-terminated; flags bit 0: console is its controlling terminal and
                             descriptors 0-2; bit 1: it is the site's program: its end shuts the site down with its status.
                             diag = pid or -errno */
#define PROC_WAIT 401u    /* arg[0] = pid of a spawned process: value[0] = wait status; -EAGAIN while it runs (watch with OBJ_WATCH) */
#define PROC_KILL 402u    /* arg[0] = pid (negative: group; -1 all), arg[1] = signal */
#define PROC_TABLE 403u   /* body out: MixProcEntry records from pid > arg[0] */

typedef struct MixProcEntry {
    int32_t pid, ppid, pgrp, sid;
    uint32_t uid, threads;
    int32_t hostPid;
    char state;              /* R S T Z as in proc(5) */
    char command[19];
    uint64_t startTicks, userTicks, systemTicks; /* 1/100 s */
    uint64_t residentBytes;
} MixProcEntry;

/* Black-box event of the Process Manager (sysTrace): process a lives in the UNIX actor with UI b. */
#define MIX_TR_PROCESS 0x1001u
#endif
