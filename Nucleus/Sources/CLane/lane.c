/* Host calls of a lane. */
#define _GNU_SOURCE
#include "CLane.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(KnLaneArea) <= KN_LANE_TO_ACTOR, "header page");
_Static_assert(sizeof(KnLaneBell) == 128 && sizeof(KnLaneMsg) == 32, "lane layout");
_Static_assert(KN_LANE_BYTES % 4096 == 0, "whole pages");

uint64_t kn_lane_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void kn_lane_wake(uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0); }

enum { LONG_YIELD_NS = 20000, CONTENDED_WAITS = 32 };

int32_t kn_lane_poll(const KnLaneBell *in, KnLaneBell *out, uint32_t seen, uint32_t spinNs, uint32_t yieldNs,
                     uint32_t *contended) {
    if (kn_lane_load(&in->bell) != seen) return 1;
    if (*contended > 0) {
        --*contended;
        return 0;
    }
    if (yieldNs == 0) return 0;
    const int32_t here = sched_getcpu();
    if (out->processor != here) out->processor = here;
    if (__atomic_load_n(&in->processor, __ATOMIC_RELAXED) == here || __atomic_load_n(&in->crowded, __ATOMIC_RELAXED) != 0)
        spinNs = 0;
    const uint64_t start = kn_lane_now();
    for (;;) {
        for (int i = 0; i < (spinNs != 0 ? 8 : 1); i++) {
            if (kn_lane_load(&in->bell) != seen) return 1;
            __builtin_ia32_pause();
        }
        const uint64_t spent = kn_lane_now() - start;
        if (spent > yieldNs) return 0;
        if (spent < spinNs) continue;
        sched_yield();
        if (kn_lane_load(&in->bell) != seen) return 1;
        if (kn_lane_now() - start - spent > LONG_YIELD_NS) {
            *contended = CONTENDED_WAITS;
            return 0;
        }
    }
}

void kn_lane_sleep(KnLaneBell *bell, uint32_t seen, uint64_t until) {
    const struct timespec limit = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };
    __atomic_store_n(&bell->asleep, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&bell->bell, __ATOMIC_SEQ_CST) == seen)
        syscall(SYS_futex, &bell->bell, FUTEX_WAIT_BITSET, seen, until != UINT64_MAX ? &limit : NULL, NULL,
                FUTEX_BITSET_MATCH_ANY);
    __atomic_store_n(&bell->asleep, 0, __ATOMIC_RELAXED);
}

int32_t kn_lane_thread(void) { return (int32_t)syscall(SYS_gettid); }

int32_t kn_lane_processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static int32_t sealed(const char *name, uint64_t size) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -errno;
    if (ftruncate(fd, (off_t)size) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        int e = errno;
        close(fd);
        return -e;
    }
    return fd;
}

int32_t kn_lane_memfd(const char *name) { return sealed(name, KN_LANE_BYTES); }

int32_t kn_lane_memory(const char *name, uint64_t size, void **bytes) {
    int32_t fd = sealed(name, size);
    if (fd < 0) return fd;
    if ((*bytes = kn_lane_map(fd, size)) != NULL) return fd;
    close(fd);
    return -ENOMEM;
}

void *kn_lane_map(int32_t fd, uint64_t size) {
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    return bytes == MAP_FAILED ? NULL : bytes;
}

void kn_lane_unmap(void *bytes, uint64_t size) { munmap(bytes, size); }
void kn_lane_discard(void *bytes, uint64_t size) { madvise(bytes, size, MADV_REMOVE); }

int32_t kn_lane_send_fd(int32_t socket, const void *bytes, uint32_t size, int32_t fd) {
    struct iovec iov = { (void *)bytes, size };
    union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control;
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        m.msg_control = &control;
        m.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    ssize_t n;
    do n = sendmsg(socket, &m, MSG_NOSIGNAL); while (n < 0 && errno == EINTR);
    return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EIO;
}

int32_t kn_lane_recv_fd(int32_t socket, void *bytes, uint32_t size, int32_t *fd, int32_t wait) {
    struct iovec iov = { bytes, size };
    union { struct cmsghdr head; char room[CMSG_SPACE(8 * sizeof(int))]; } control;
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    *fd = -1;
    ssize_t n;
    do n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT)); while (n < 0 && errno == EINTR);
    if (n < 0) return -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0)) continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int got;
            memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof got);
            if (*fd < 0) *fd = got; else close(got);
        }
    }
    return (int32_t)n;
}

const KnSignature *kn_lane_main_signature(void) {
    static const KnSignature main_ = { "kn_actor_main", K_ARG_I32, 7, 0, {
        { K_ARG_STR, K_IN, 0, 0, 4096 }, { K_ARG_STR, K_IN, 0, 0, 256 }, { K_ARG_STR, K_IN, 0, 0, 64 * 1024 },
        { K_ARG_U32, K_IN, 0, 0, 0 }, { K_ARG_U32, K_IN, 0, 0, 0 },
        { K_ARG_BUF, K_INOUT, K_LEN_FIXED, 0, sizeof(KnActorOps) }, { K_ARG_BUF, K_INOUT, K_LEN_FIXED, 0, KN_LANE_WHY } } };
    return &main_;
}

const KnSignature *kn_lane_moved_signature(void) {
    static const KnSignature moved = { "moved message", K_ARG_I32, 8, 0, {
        { K_ARG_PTR, K_IN, 0, 0, 0 }, { K_ARG_BUF, K_IN, K_LEN_FIXED, 0, sizeof(KnMsgHead) },
        { K_ARG_BUF, K_IN, K_LEN_FIXED, 0, K_CMSGANNEXSIZE }, { K_ARG_U64, K_IN, 0, 0, 0 }, { K_ARG_U32, K_IN, 0, 0, 0 },
        { K_ARG_BUF, K_OUT, K_LEN_FIXED, 0, K_CMSGANNEXSIZE }, { K_ARG_BUF, K_OUT, K_LEN_REF, 7, 1 },
        { K_ARG_BUF, K_INOUT, K_LEN_FIXED, 0, sizeof(uint32_t) } } };
    return &moved;
}
