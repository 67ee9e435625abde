/* CFileHost.h: host calls of the File Manager that Swift's Glibc module does not offer, as plain functions. All return
 * a result >= 0 or -errno. */
#ifndef MIX_FILE_HOST_H
#define MIX_FILE_HOST_H
#include <stdint.h>

typedef struct FmHostStat {
    uint64_t dev, ino, rdev, size, blocks, nlink, mountId; /* dev, rdev: major << 32 | minor */
    uint32_t mode, uid, gid, blksize;
    int64_t atimeSec, mtimeSec, ctimeSec, btimeSec;
    uint32_t atimeNsec, mtimeNsec, ctimeNsec, btimeNsec;
    uint32_t isMountRoot;
} FmHostStat;

#pragma GCC visibility push(hidden) /* the object exports its entry only */

#define FM_O_PATH 010000000
#define FM_AT_EMPTY_PATH 0x1000

/* openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS: the name never leads out of the tree below `directory`. */
int32_t fm_open_beneath(int32_t directory, const char *name, uint64_t flags, uint64_t mode);
int32_t fm_stat(int32_t directory, const char *name, int32_t flags, FmHostStat *out);
int64_t fm_getdents(int32_t directory, void *buffer, uint64_t size);
/* f_type of the file system behind a descriptor. */
int64_t fm_fs_type(int32_t descriptor);
/* type, bsize, blocks, bfree, bavail, files, ffree, frsize */
int32_t fm_statfs(int32_t descriptor, uint64_t *out);
/* /proc/sys style small files: bytes read, from the start. */
int64_t fm_read_file(const char *path, void *buffer, uint64_t size);
uint64_t fm_coarse_nanoseconds(void);
void fm_now(int64_t *seconds, int64_t *nanoseconds);
/* flistxattr(2), fgetxattr(2). */
int64_t fm_list_attributes(int32_t descriptor, void *buffer, uint64_t size);
int64_t fm_get_attribute(int32_t descriptor, const char *name, void *buffer, uint64_t size);
int32_t fm_utimens(int32_t descriptor, const int64_t times[4]);
int32_t fm_rename(int32_t from, const char *name, int32_t to, const char *newName, uint32_t flags);

#pragma GCC visibility pop
#endif
