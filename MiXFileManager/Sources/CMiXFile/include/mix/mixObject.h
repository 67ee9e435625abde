/* mixObject.h: the object protocol. Every open thing that a server other than the Process Manager owns (file,
 * directory, device) is a MixKey at a group; these requests work on it. Any actor can serve it.
 * Request: MixObjRequest in the annex, data in the body. Reply: MixObjReply in the annex, data in the body.
 * `diag` is 0 or a byte count, or a negative Linux errno. Requests never block: what must wait gives -EAGAIN,
 * and the caller arms OBJ_WATCH and asks again. */
#ifndef MIX_OBJECT_H
#define MIX_OBJECT_H
#include <stdint.h>

typedef struct MixKey { uint64_t object, tag; } MixKey; /* self-describing name and its authenticator; opaque to clients */

typedef struct MixCred {             /* whose permissions count (file-system ids) */
    uint32_t uid, gid;
    uint32_t umask;
    uint32_t groupCount;             /* of groups below; more than 16 are cut by the Process Manager */
    uint32_t groups[16];
    int32_t pid, pgrp, sid;          /* the calling process, for devices' job control and lock owners */
    uint32_t capabilities;           /* MIX_CAP_* */
} MixCred;
#define MIX_CAP_ROOT 1u              /* CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_CHOWN ... held together */
#define MIX_CAP_ADMIN 2u             /* CAP_SYS_ADMIN */
#define MIX_CAP_SETFCAP 4u           /* CAP_SETFCAP */

typedef struct MixObjRequest {
    uint32_t op;                     /* OBJ_* (or FILE_*, DEV_*) */
    uint32_t flags;                  /* per op; OBJ_OPEN: Linux O_* */
    MixKey key;
    uint64_t offset, size;           /* bytes */
    uint64_t arg[4];                 /* per op */
    MixCred cred;                    /* 96 bytes */
    uint64_t owner;                  /* the open description at the client: lock owner, watch name */
} MixObjRequest;

typedef struct MixObjReply {
    int64_t diag;                    /* >= 0, or -errno */
    MixKey key;
    uint32_t mode;                   /* st_mode of what key names */
    uint32_t events;                 /* poll bits true now (POLLIN ...) */
    uint64_t size;
    uint64_t value[4];               /* per op */
    uint32_t serverHead, serverTail; /* UI of the group that serves key; 0,0: the replying server's */
    uint32_t segUiHead, segUiTail, segKeyHead, segKeyTail; /* segment of a regular file's data, or zeros */
    uint32_t devMajor, devMinor;     /* of a device node */
    uint64_t ino;
} MixObjReply;

#ifdef __cplusplus
#define MIX_ASSERT static_assert
#else
#define MIX_ASSERT _Static_assert
#endif
MIX_ASSERT(sizeof(MixObjRequest) <= 256 && sizeof(MixObjReply) <= 256, "fit the annex");

/* op                       in                                        out */
#define OBJ_OPEN 1u      /* key, flags (O_*)                          key of the opened instance (may differ), mode, size, segment */
#define OBJ_CLOSE 2u     /* key, owner: drops the reference of one OPEN, releases the owner's locks and watches */
#define OBJ_READ 3u      /* key, offset, size, flags (O_NONBLOCK)     body = data, diag = bytes, 0 = end of file */
#define OBJ_WRITE 4u     /* key, offset, flags (O_APPEND), body       diag = bytes taken; value[0] = offset behind the data */
#define OBJ_IOCTL 5u     /* key, arg[0] = command, arg[1] = argument as value, body = in-struct; size = room for the out-struct;
                            diag = result, body = out-struct. -ENOTTY where unknown */
#define OBJ_STAT 6u      /* key                                       body = MixStat */
#define OBJ_SETATTR 7u   /* key, flags MIX_ATTR_*, arg[0] mode, arg[1] uid | gid << 32, body = MixTimes */
#define OBJ_TRUNC 8u     /* key, size */
#define OBJ_SYNC 9u      /* key, flags 1 = data only */
#define OBJ_READDIR 10u  /* key, offset = cookie (0 start), size      body = linux_dirent64 records; value[0] = next cookie; diag 0 = end */
#define OBJ_WATCH 11u    /* key, owner, arg[0] = poll mask, arg[1] = sequence, arg[2..3] = event UI head, tail: arms one watch of this
                            owner; replies events true now. When the mask becomes true the server posts the event (bits = poll
                            bits) once and the watch is gone. mask 0 disarms */
#define OBJ_LOCK 12u     /* key, owner, flags MIX_LOCK_*, offset, size (0 = to the end); -EAGAIN where it must wait (then OBJ_WATCH
                            with MIX_POLL_LOCK); MIX_LOCK_TEST: value[0] = type, value[1] = start, value[2] = length, value[3] = pid */
#define OBJ_ALLOCATE 13u /* key, offset, size, flags = fallocate mode */
#define OBJ_STATFS 14u   /* key                                       body = MixStatfs */
#define OBJ_SEGMENT 15u  /* key, flags PROT_*: segment to map         segment; -ENODEV where it cannot be mapped */
#define OBJ_PATH 16u     /* key, arg[0..1] = root key                 body = absolute path without NUL; " (deleted)" appended when unlinked */
#define OBJ_DUP 17u      /* key: one more reference, as of OPEN (cwd of a forked process) */
#define OBJ_XATTR 18u    /* key, flags MIX_XATTR_*, size = room (0: only how much it is); body in: name NUL value, nothing for LIST;
                            body out = value, or names each with a NUL; diag = its size. -EOPNOTSUPP where there are none */

#define MIX_ATTR_MODE 1u
#define MIX_ATTR_UID 2u
#define MIX_ATTR_GID 4u
#define MIX_ATTR_ATIME 8u
#define MIX_ATTR_MTIME 16u
typedef struct MixTimes { int64_t atimeSec, atimeNsec, mtimeSec, mtimeNsec; } MixTimes; /* nsec as utimensat: UTIME_NOW, UTIME_OMIT */

#define MIX_XATTR_GET 1u
#define MIX_XATTR_SET 2u
#define MIX_XATTR_LIST 3u
#define MIX_XATTR_REMOVE 4u
#define MIX_XATTR_OPERATION 7u   /* mask of the four above */
#define MIX_XATTR_CREATE 8u      /* SET: it must not be there */
#define MIX_XATTR_REPLACE 16u    /* SET: it must be there */

#define MIX_LOCK_SHARED 1u
#define MIX_LOCK_EXCLUSIVE 2u
#define MIX_LOCK_UNLOCK 3u
#define MIX_LOCK_TYPE 3u       /* mask of the three above */
#define MIX_LOCK_TEST 4u
#define MIX_LOCK_FLOCK 8u      /* flock(2): whole file, owner = open description; else POSIX, owner = process */
#define MIX_POLL_LOCK 0x10000u /* event bit: a lock on the object was released */

typedef struct MixStat {
    uint64_t dev, ino, rdev, size, blocks, nlink;
    uint32_t mode, uid, gid, blksize;
    int64_t atimeSec, mtimeSec, ctimeSec, btimeSec;
    uint32_t atimeNsec, mtimeNsec, ctimeNsec, btimeNsec;
    uint64_t mountId;
} MixStat;

typedef struct MixStatfs { uint64_t type, bsize, blocks, bfree, bavail, files, ffree, fsid, namelen, frsize, flags; } MixStatfs;
#endif
