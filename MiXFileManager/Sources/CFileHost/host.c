#define _GNU_SOURCE
#include "CFileHost.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

int32_t fm_open_beneath(int32_t directory, const char *name, uint64_t flags, uint64_t mode) {
    struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    long fd;
    int tries = 0;
    do fd = syscall(SYS_openat2, directory, name, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < 16))); /* EAGAIN: a rename raced with the walk */
    return fd < 0 ? -errno : (int32_t)fd;
}

int32_t fm_stat(int32_t directory, const char *name, int32_t flags, FmHostStat *out) {
    struct statx x;
    if (statx(directory, name, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &x) < 0) return -errno;
    *out = (FmHostStat){
        .dev = (uint64_t)x.stx_dev_major << 32 | x.stx_dev_minor, .ino = x.stx_ino,
        .rdev = (uint64_t)x.stx_rdev_major << 32 | x.stx_rdev_minor, .size = x.stx_size, .blocks = x.stx_blocks,
        .nlink = x.stx_nlink, .mountId = x.stx_mask & STATX_MNT_ID ? x.stx_mnt_id : 0, .mode = x.stx_mode, .uid = x.stx_uid,
        .gid = x.stx_gid, .blksize = x.stx_blksize, .atimeSec = x.stx_atime.tv_sec, .mtimeSec = x.stx_mtime.tv_sec,
        .ctimeSec = x.stx_ctime.tv_sec, .btimeSec = x.stx_btime.tv_sec, .atimeNsec = x.stx_atime.tv_nsec,
        .mtimeNsec = x.stx_mtime.tv_nsec, .ctimeNsec = x.stx_ctime.tv_nsec, .btimeNsec = x.stx_btime.tv_nsec,
        .isMountRoot = (x.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0,
    };
    return 0;
}

int64_t fm_getdents(int32_t directory, void *buffer, uint64_t size) {
    long n = syscall(SYS_getdents64, directory, buffer, size);
    return n < 0 ? -errno : n;
}

int64_t fm_fs_type(int32_t descriptor) {
    struct statfs s;
    return fstatfs(descriptor, &s) < 0 ? -errno : (int64_t)s.f_type;
}

int64_t fm_read_file(const char *path, void *buffer, uint64_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    uint64_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, (char *)buffer + done, size - done);
        if (n <= 0) break;
        done += (uint64_t)n;
    }
    close(fd);
    return (int64_t)done;
}

uint64_t fm_coarse_nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void fm_now(int64_t *seconds, int64_t *nanoseconds) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    *seconds = t.tv_sec;
    *nanoseconds = t.tv_nsec;
}

int64_t fm_list_attributes(int32_t descriptor, void *buffer, uint64_t size) {
    ssize_t n = flistxattr(descriptor, buffer, size);
    return n < 0 ? -errno : n;
}

int64_t fm_get_attribute(int32_t descriptor, const char *name, void *buffer, uint64_t size) {
    ssize_t n = fgetxattr(descriptor, name, buffer, size);
    return n < 0 ? -errno : n;
}

int32_t fm_utimens(int32_t descriptor, const int64_t times[4]) {
    struct timespec t[2] = { { times[0], times[1] }, { times[2], times[3] } };
    return utimensat(descriptor, "", t, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int32_t fm_rename(int32_t from, const char *name, int32_t to, const char *newName, uint32_t flags) {
    return renameat2(from, name, to, newName, flags) < 0 ? -errno : 0;
}

int32_t fm_statfs(int32_t descriptor, uint64_t *out) {
    struct statfs s;
    if (fstatfs(descriptor, &s) < 0) return -errno;
    out[0] = (uint64_t)s.f_type;
    out[1] = (uint64_t)s.f_bsize;
    out[2] = s.f_blocks;
    out[3] = s.f_bfree;
    out[4] = s.f_bavail;
    out[5] = s.f_files;
    out[6] = s.f_ffree;
    out[7] = (uint64_t)s.f_frsize;
    return 0;
}
