/* mixFile.h: the name-space protocol of the File Manager (group stamp K_STAMP_FILE), in the request format of
 * mixObject.h. Paths travel in the body, NUL-terminated. `key` is the directory a relative path starts from and
 * arg[0], arg[1] the MixKey of the process's root directory; zeros mean the root of the name space.
 * `owner` is the number of the calling thread (/proc/thread-self); 0 means the process's first. */
#ifndef MIX_FILE_H
#define MIX_FILE_H
#include "mixObject.h"

/* FILE_OPEN: flags = Linux O_* (all of openat(2): O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_TMPFILE),
 * arg[2] = mode (umask already applied), arg[3] = RESOLVE_* of openat2. A regular file or directory comes back opened
 * (one reference; key, mode, size, segment). A device node comes back with devMajor, devMinor, its server and its key there:
 * the client then sends OBJ_OPEN to that server. A FIFO comes back with its mode and ino: pipes are the Process Manager's.
 * Flag FILE_EXEC in arg[3] asks for execute permission instead (execve). */
#define FILE_OPEN 100u
#define FILE_EXEC (1ull << 32)
#define FILE_STAT 101u     /* flags AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH; body out = MixStat */
#define FILE_ACCESS 102u   /* arg[2] = R_OK|W_OK|X_OK; flags AT_* */
#define FILE_MKDIR 103u    /* arg[2] = mode (umask already applied) */
#define FILE_MKNOD 104u    /* arg[2] = mode with type, arg[3] = rdev (major << 32 | minor) */
#define FILE_UNLINK 105u   /* flags AT_REMOVEDIR */
#define FILE_RENAME 106u   /* two paths in the body, one behind the other; arg[2..3] = MixKey of the second directory; flags RENAME_*;
                              offset, size = the root's MixKey instead of arg[0..1] */
#define FILE_LINK 107u     /* like FILE_RENAME; flags AT_SYMLINK_FOLLOW | AT_EMPTY_PATH */
#define FILE_SYMLINK 108u  /* body: target NUL path NUL */
#define FILE_READLINK 109u /* body out: target without NUL; diag = bytes; size = room */
#define FILE_SETATTR 110u  /* path NUL then MixTimes (8-byte unaligned); flags = MIX_ATTR_*; arg[2] mode; arg[3] uid | gid << 32;
                              offset = AT_SYMLINK_NOFOLLOW where links are not followed */
#define FILE_TRUNC 111u    /* size */
#define FILE_STATFS 112u   /* body out: MixStatfs */
#define FILE_MOUNT 113u    /* body: source NUL target NUL type NUL options NUL; arg[2] = MS_* flags */
#define FILE_UMOUNT 114u   /* arg[2] = MNT_* flags */
#define FILE_MOUNTS 115u   /* body out: /proc/mounts text from `offset` */
#define FILE_XATTR 116u    /* path NUL, then all as OBJ_XATTR; offset = AT_SYMLINK_NOFOLLOW where links are not followed */

/* Device nodes of devfs, registered by device servers (the Device Manager, later sockets' or drivers' servers).
 * Body: name ("null", "pts/0") NUL. arg[0] = mode with type, arg[1] = major << 32 | minor, arg[2..3] = group UI head, tail of
 * the server; key = the key the server wants in OBJ_OPEN; cred = owner. */
#define FILE_DEV_REGISTER 120u
#define FILE_DEV_UNREGISTER 121u
#endif
