/* Structures and requests of the servers, protocol 1.0. */
#include "mix/mixDevice.h"
#include "mix/mixDriver.h"
#include "mix/mixFile.h"
#include "mix/mixObject.h"
#include "mix/mixProcess.h"
#include "mix/mixProcInfo.h"
#include "layout.h"

/* mixObject.h */
SIZE(MixKey, 16)
    AT(MixKey, object, 0) AT(MixKey, tag, 8)
SIZE(MixCred, 96)
    AT(MixCred, uid, 0) AT(MixCred, gid, 4) AT(MixCred, umask, 8) AT(MixCred, groupCount, 12) AT(MixCred, groups, 16)
    AT(MixCred, pid, 80) AT(MixCred, pgrp, 84) AT(MixCred, sid, 88) AT(MixCred, capabilities, 92)
SIZE(MixObjRequest, 176)
    AT(MixObjRequest, op, 0) AT(MixObjRequest, flags, 4) AT(MixObjRequest, key, 8) AT(MixObjRequest, offset, 24)
    AT(MixObjRequest, size, 32) AT(MixObjRequest, arg, 40) AT(MixObjRequest, cred, 72) AT(MixObjRequest, owner, 168)
SIZE(MixObjReply, 112)
    AT(MixObjReply, diag, 0) AT(MixObjReply, key, 8) AT(MixObjReply, mode, 24) AT(MixObjReply, events, 28)
    AT(MixObjReply, size, 32) AT(MixObjReply, value, 40) AT(MixObjReply, serverHead, 72) AT(MixObjReply, serverTail, 76)
    AT(MixObjReply, segUiHead, 80) AT(MixObjReply, segUiTail, 84) AT(MixObjReply, segKeyHead, 88)
    AT(MixObjReply, segKeyTail, 92) AT(MixObjReply, devMajor, 96) AT(MixObjReply, devMinor, 100)
    AT(MixObjReply, ino, 104)
SIZE(MixTimes, 32)
    AT(MixTimes, atimeSec, 0) AT(MixTimes, atimeNsec, 8) AT(MixTimes, mtimeSec, 16) AT(MixTimes, mtimeNsec, 24)
SIZE(MixStat, 120)
    AT(MixStat, dev, 0) AT(MixStat, ino, 8) AT(MixStat, rdev, 16) AT(MixStat, size, 24) AT(MixStat, blocks, 32)
    AT(MixStat, nlink, 40) AT(MixStat, mode, 48) AT(MixStat, uid, 52) AT(MixStat, gid, 56) AT(MixStat, blksize, 60)
    AT(MixStat, atimeSec, 64) AT(MixStat, mtimeSec, 72) AT(MixStat, ctimeSec, 80) AT(MixStat, btimeSec, 88)
    AT(MixStat, atimeNsec, 96) AT(MixStat, mtimeNsec, 100) AT(MixStat, ctimeNsec, 104) AT(MixStat, btimeNsec, 108)
    AT(MixStat, mountId, 112)
SIZE(MixStatfs, 88)
    AT(MixStatfs, type, 0) AT(MixStatfs, bsize, 8) AT(MixStatfs, blocks, 16) AT(MixStatfs, bfree, 24)
    AT(MixStatfs, bavail, 32) AT(MixStatfs, files, 40) AT(MixStatfs, ffree, 48) AT(MixStatfs, fsid, 56)
    AT(MixStatfs, namelen, 64) AT(MixStatfs, frsize, 72) AT(MixStatfs, flags, 80)

/* mixProcess.h */
SIZE(MixProcEntry, 80)
    AT(MixProcEntry, pid, 0) AT(MixProcEntry, ppid, 4) AT(MixProcEntry, pgrp, 8) AT(MixProcEntry, sid, 12)
    AT(MixProcEntry, uid, 16) AT(MixProcEntry, threads, 20) AT(MixProcEntry, hostPid, 24) AT(MixProcEntry, state, 28)
    AT(MixProcEntry, command, 29) AT(MixProcEntry, startTicks, 48) AT(MixProcEntry, userTicks, 56)
    AT(MixProcEntry, systemTicks, 64) AT(MixProcEntry, residentBytes, 72)

/* The requests by number. */
IS(OBJ_OPEN, 1) IS(OBJ_CLOSE, 2) IS(OBJ_READ, 3) IS(OBJ_WRITE, 4) IS(OBJ_IOCTL, 5) IS(OBJ_STAT, 6) IS(OBJ_SETATTR, 7)
IS(OBJ_TRUNC, 8) IS(OBJ_SYNC, 9) IS(OBJ_READDIR, 10) IS(OBJ_WATCH, 11) IS(OBJ_LOCK, 12) IS(OBJ_ALLOCATE, 13)
IS(OBJ_STATFS, 14) IS(OBJ_SEGMENT, 15) IS(OBJ_PATH, 16) IS(OBJ_DUP, 17)
IS(FILE_OPEN, 100) IS(FILE_STAT, 101) IS(FILE_DEV_REGISTER, 120) IS(FILE_DEV_UNREGISTER, 121)
IS(PROC_LIST, 200) IS(PROC_TASKS, 201) IS(PROC_FDS, 202) IS(PROC_FILE, 203) IS(PROC_LINK, 204) IS(PROC_KEY, 205)
IS(DEV_CONSOLE_WINSIZE, 302) IS(DEV_CONSOLE_DRAIN, 303) IS(TTY_SESSION_END, 310) IS(TTY_CONTROLLING, 311)
IS(TTY_SET_CONTROLLING, 312) IS(PROC_SIGNAL_GROUP, 320) IS(PROC_GROUP_ORPHANED, 321)
IS(PROC_SPAWN, 400) IS(PROC_WAIT, 401) IS(PROC_KILL, 402) IS(PROC_TABLE, 403)

/* mixDriver.h */
SIZE(MixNetInfo, 56)
    AT(MixNetInfo, address, 0) AT(MixNetInfo, mtu, 6) AT(MixNetInfo, flags, 8) AT(MixNetInfo, queued, 12) AT(MixNetInfo, received, 16)
    AT(MixNetInfo, receivedBytes, 24) AT(MixNetInfo, dropped, 32) AT(MixNetInfo, sent, 40) AT(MixNetInfo, sentBytes, 48)
IS(DRV_FIND, 409) IS(DRV_OPEN, 410) IS(DRV_CLOSE, 411) IS(DRV_READ, 412) IS(DRV_WRITE, 413) IS(DRV_CONTROL, 416)
IS(DRV_TTY_SETTINGS, 417) IS(DRV_NET_INFO, 1) IS(DEV_ATTACH, 330) IS(DEV_DETACH, 331) IS(DEV_READY, 332)
