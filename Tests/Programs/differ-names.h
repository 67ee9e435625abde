/* differ-names.h: names, folders, links, permissions, times. */

const char *name(void) {
    static const char *const names[] = {
        "a", "b", "c", "d", "d/a", "d/b", "e", "e/a", "e/f", "e/f/a", "l", "m", "d/l", "a/x", "none/x", "d/../b", "./e/./f", "l/a",
        "", "d/", "a/", ".", "e/f/..", "m/a", "d//a", "loop", "loop/x",
    };
    return names[pick(sizeof names / sizeof names[0])];
}

static void showStat(const char *what, long r, const struct stat *s) {
    if (r != 0) {
        note("%s %ld", what, r);
        return;
    }
    int folder = S_ISDIR(s->st_mode);
    note("%s mode %o links %d size %lld uid %d gid %d", what, s->st_mode, folder ? 0 : (int)s->st_nlink,
         folder ? 0LL : (long long)s->st_size, (int)s->st_uid, (int)s->st_gid);
}

static int compareNames(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void listFolder(int fd) {
    char room[4096], *found[64];
    int many = 0;
    static char text[64][32];
    long size;
    while ((size = CALL(SYS_getdents64, fd, room, sizeof room)) > 0) {
        for (long at = 0; at < size && many < 64;) {
            struct { uint64_t ino; int64_t off; unsigned short len; unsigned char type; char name[]; } *entry = (void *)(room + at);
            snprintf(text[many], sizeof text[many], "%.24s:%d", entry->name, entry->type);
            found[many] = text[many];
            many++;
            at += entry->len;
        }
    }
    qsort(found, many, sizeof found[0], compareNames);
    for (int i = 0; i < many; i++) note("  entry %s", found[i]);
    note("  end %ld", size);
}

void namesStep(void) {
    const char *one = name(), *two = name();
    struct stat s;
    char text[64];
    switch (pick(24)) {
    case 0: case 1: note("mkdir %s %ld", one, CALL(SYS_mkdir, one, ONE_OF(0755, 0700, 0777, 01777, 02755, 0))); break;
    case 2: note("rmdir %s %ld", one, CALL(SYS_rmdir, one)); break;
    case 3: note("unlink %s %ld", one, CALL(SYS_unlink, one)); break;
    case 4: {
        long flags = ONE_OF(0, AT_REMOVEDIR, 0x8000);
        note("unlinkat %s %lx: %ld", one, flags, CALL(SYS_unlinkat, AT_FDCWD, one, flags));
        break;
    }
    case 5: case 6: note("rename %s %s %ld", one, two, CALL(SYS_rename, one, two)); break;
    case 7: {
        long flags = ONE_OF(0, 1, 2, 3, 8);
        note("renameat2 %s %s %ld %ld", one, two, flags, CALL(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, two, flags));
        break;
    }
    case 8: note("link %s %s %ld", one, two, CALL(SYS_link, one, two)); break;
    case 9: {
        long flags = ONE_OF(0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, 0x10000);
        note("linkat %s %s %ld %ld", one, two, flags, CALL(SYS_linkat, AT_FDCWD, one, AT_FDCWD, two, flags));
        break;
    }
    case 10: case 11: note("symlink %s %s %ld", one, two, CALL(SYS_symlink, pick(3) ? one : "loop", pick(2) ? two : "l")); break;
    case 12: {
        memset(text, 0, sizeof text);
        long r = CALL(SYS_readlink, one, text, ONE_OF(0, 1, 5, 60));
        note("readlink %s %ld %s", one, r, text);
        break;
    }
    case 13: showStat("stat", CALL(SYS_stat, one, &s), &s); break;
    case 14: showStat("lstat", CALL(SYS_lstat, one, &s), &s); break;
    case 15: {
        long flags = ONE_OF(0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, 0x4000);
        note("newfstatat %s %lx", one, flags);
        showStat("newfstatat", CALL(SYS_newfstatat, AT_FDCWD, one, &s, flags), &s);
        break;
    }
    case 16: note("chmod %s %ld", one, CALL(SYS_chmod, one, ONE_OF(0644, 0, 0777, 04755, 02755, 01777, 0400))); break;
    case 17: note("access %s %ld", one, CALL(SYS_access, one, ONE_OF(0, 1, 2, 4, 7, 8, -1))); break;
    case 18: {
        struct timespec times[2] = {{1000 + pick(100), 5}, {2000 + pick(100), ONE_OF(0, 7, 999999999, 1000000000, UTIME_OMIT)}};
        long flags = ONE_OF(0, AT_SYMLINK_NOFOLLOW, 1), r = CALL(SYS_utimensat, AT_FDCWD, one, times, flags);
        note("utimensat %s %lx %ld: %ld", one, flags, times[1].tv_nsec, r);
        if (r == 0 && CALL(SYS_stat, one, &s) == 0)
            note("  times %lld.%ld", (long long)s.st_atim.tv_sec == times[0].tv_sec ? 1LL : 0LL, s.st_mtim.tv_nsec == times[1].tv_nsec ? 1L : 0L);
        break;
    }
    case 19: note("truncate %s %ld", one, CALL(SYS_truncate, one, ONE_OF(0, 1, 5000, -1, 100000))); break;
    case 20: {
        long mode = ONE_OF(S_IFIFO | 0600, S_IFREG | 0644, S_IFDIR | 0755, 0644, 0170000);
        note("mknod %s %lo: %ld", one, mode, CALL(SYS_mknod, one, mode, 0L));
        break;
    }
    case 21: {
        long fd = CALL(SYS_open, one, O_RDONLY | O_DIRECTORY);
        note("list %s %ld", one, fd);
        if (fd >= 0) {
            listFolder(fd);
            CALL(SYS_close, fd);
        }
        break;
    }
    case 22: note("umask %ld", CALL(SYS_umask, ONE_OF(022, 077, 0, 027))); break;
    case 23: note("chown %s %ld", one, CALL(SYS_lchown, one, ONE_OF(0, 1, -1), ONE_OF(0, 2, -1))); break;
    }
}

/* What is left, seen through the names. */
static void namesEnd(void) {
    static const char *const all[] = {"a", "b", "c", "d", "e", "l", "m", "d/a", "d/b", "e/a", "e/f", "loop"};
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct stat s;
        long r = CALL(SYS_lstat, all[i], &s);
        showStat(all[i], r, &s);
        if (r != 0 || !S_ISREG(s.st_mode) || s.st_size > 200000) continue;
        static unsigned char room[200000];
        long fd = CALL(SYS_open, all[i], O_RDONLY);
        if (fd < 0) continue;
        long size = CALL(SYS_read, fd, room, sizeof room);
        note("  holds %ld %u", size, size > 0 ? sum(room, size) : 0);
        CALL(SYS_close, fd);
    }
}
