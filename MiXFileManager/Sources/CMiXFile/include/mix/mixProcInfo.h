/* mixProcInfo.h: what the File Manager's procfs asks of whoever knows the processes (group K_STAMP_PROCESS): the
 * Process Manager answers it. Request format of mixObject.h; arg[0] = pid (0: none), arg[1] = tid, offset/size as OBJ_READ. */
#ifndef MIX_PROCINFO_H
#define MIX_PROCINFO_H
#include "mixObject.h"

#define PROC_LIST 200u    /* body out: int32 pids, ascending */
#define PROC_TASKS 201u   /* body out: int32 tids of arg[0] */
#define PROC_FDS 202u     /* body out: int32 open descriptors of arg[0]; -EACCES where cred may not look */
#define PROC_FILE 203u    /* arg[2] = PROC_F_*: body out = the whole text from `offset`, diag = bytes, 0 = end */
#define PROC_LINK 204u    /* arg[2] = PROC_L_*, arg[3] = fd: body out = link text without NUL */
#define PROC_KEY 205u     /* like PROC_LINK: the object behind the link (server, key, mode) or -ENOENT: /proc/PID/fd/N, cwd, exe, root */
#define PROC_OWNER 206u   /* value[0] = uid, value[1] = gid, value[2] = start time (s); -ESRCH where no such process */
#define PROC_WRITE 207u   /* arg[2] = PROC_F_*, body in: write to a writable entry (comm, oom_score_adj, coredump_filter) */

#define PROC_F_STAT 1u
#define PROC_F_STATM 2u
#define PROC_F_STATUS 3u
#define PROC_F_CMDLINE 4u
#define PROC_F_ENVIRON 5u
#define PROC_F_MAPS 6u
#define PROC_F_LIMITS 7u
#define PROC_F_COMM 8u
#define PROC_F_AUXV 9u
#define PROC_F_FDINFO 10u       /* arg[3] = fd */
#define PROC_F_LOADAVG 11u      /* arg[0] = 0 from here on: system-wide numbers the Process Manager keeps */
#define PROC_F_SYSSTAT 12u      /* process lines of /proc/stat: "ctxt", "btime", "processes", "procs_running", "procs_blocked" */
#define PROC_F_SMAPS 13u
#define PROC_F_OOM 14u          /* oom_score_adj */
#define PROC_F_WCHAN 15u
#define PROC_F_UNAME 16u        /* arg[0] = 0: the six fields of uname(2), each with a NUL */
#define PROC_F_ROLLUP 17u       /* smaps_rollup */
#define PROC_F_COREDUMP 18u     /* coredump_filter */
#define PROC_F_SYSVSHM 20u      /* arg[0] = 0: /proc/sysvipc/shm, sem, msg */
#define PROC_F_SYSVSEM 21u
#define PROC_F_SYSVMSG 22u
#define PROC_F_CHILDREN 19u     /* arg[1] = tid */

/* Asked of whoever knows the sockets (group K_STAMP_SOCKET): body = a file's name in /proc/net, without NUL; offset, size: body = text,
 * diag = bytes, 0 = end; -ENOENT where it has no such text. */
#define SOCK_TABLE 513u

#define PROC_L_EXE 1u
#define PROC_L_CWD 2u
#define PROC_L_ROOT 3u
#define PROC_L_FD 4u
#endif
