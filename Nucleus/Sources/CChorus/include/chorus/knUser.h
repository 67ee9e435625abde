/* knUser.h: nucleus calls of UNIX processes, by the instruction `syscall`. The nucleus serves this range of numbers
 * before the subsystem is asked; whoever makes one acts as the actor of its process. Linux numbers its calls from 0, and
 * with bit 30 for x32: it will never come here. chorus-user.h has the functions. */
#ifndef CHORUS_KNUSER_H
#define CHORUS_KNUSER_H
#include "knTypes.h"

#define K_USER_TRAP 0x0c400000u     /* number of a call: K_USER_TRAP + K_USR_* */
#define K_USER_TRAP_LAST 0x0c4000ffu

/* Arguments in the order of chorus-user.h. */
#define K_USR_ACTORSELF 0u
#define K_USR_PORTCREATE 1u
#define K_USR_PORTDELETE 2u
#define K_USR_PORTENABLE 3u
#define K_USR_PORTDISABLE 4u
#define K_USR_PORTLI 5u
#define K_USR_PORTUI 6u
#define K_USR_GRPALLOCATE 7u
#define K_USR_GRPPORTINSERT 8u
#define K_USR_GRPPORTREMOVE 9u
#define K_USR_GRPNAME 10u
#define K_USR_IPCSEND 11u
#define K_USR_IPCCALL 12u
#define K_USR_IPCRECEIVE 13u
#define K_USR_IPCREPLY 14u
#define K_USR_IPCGETDATA 15u
#define K_USR_IPCSAVE 16u
#define K_USR_IPCRESTORE 17u
#define K_USR_IPCSYSINFO 18u
#define K_USR_THREADDELAY 19u
#define K_USR_CALLS 20u

/* KnMsgDesc.flags of a request or an answer: the body is moved. Whole pages of it are given back once it is sent, and
 * read as zeros afterwards (memory of files: as the file has them). Without it the body is copied. */
#define K_MSG_MOVE 0x10000u

/* What one process may hold: beyond it K_ENOMEM, and K_EFULL for messages. */
#define K_USR_PORTMAX 256u          /* ports, without the default one */
#define K_USR_GRPMAX 64u            /* groups that one port is in */
#define K_USR_WAITMAX 64u           /* threads that wait in ipcCall, ipcReceive or threadDelay */
#define K_USR_MSGMAX 0x1000000u    /* bytes in messages sent to it and not yet given up */
#endif
