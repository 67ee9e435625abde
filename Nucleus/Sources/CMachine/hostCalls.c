#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include "hostCalls.h"
#include <chorus/knTypes.h>
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int fault(const host_hooks *hooks, uint32_t call) {
    return hooks->fault ? hooks->fault(hooks->cookie, call) : 0;
}
#define FAULT(call) do { int e_ = fault(hooks, call); if (e_) return -e_; } while (0)

/* --- threads --- */

static void value_ended(void *pointer) {
    host_thread_value *v = pointer;
    if (v->ended) v->ended(v->host, v->value);
    free(v);
}

int host_key_create(host_hooks *hooks) { return -pthread_key_create(&hooks->key, value_ended); }
void host_key_delete(host_hooks *hooks) { pthread_key_delete(hooks->key); }

int host_value_set(const host_hooks *hooks, void *host, void (*ended)(void *, void *), void *value) {
    host_thread_value *v = pthread_getspecific(hooks->key);
    if (!v) {
        if (!value) return 0;
        v = malloc(sizeof *v);
        if (!v) return -ENOMEM;
        v->host = host;
        v->ended = ended;
        int e = pthread_setspecific(hooks->key, v);
        if (e) {
            free(v);
            return -e;
        }
        v->value = value;
        return 1;
    }
    v->value = value;
    return 0;
}

void host_thread_name(const char *name) {
    char cut[16];
    strncpy(cut, name, sizeof cut - 1);
    cut[sizeof cut - 1] = 0;
    pthread_setname_np(pthread_self(), cut);
}

typedef struct start {
    void (*body)(void *);
    void *cookie;
    char name[16];
} start;

static void *run(void *pointer) {
    start s = *(start *)pointer;
    free(pointer);
    pthread_setname_np(pthread_self(), s.name);
    s.body(s.cookie);
    return NULL;
}

int host_thread_start(const host_hooks *hooks, const char *name, size_t stackSize, void (*body)(void *), void *cookie) {
    FAULT(HOST_CALL_THREAD);
    start *s = malloc(sizeof *s);
    if (!s) return -ENOMEM;
    s->body = body;
    s->cookie = cookie;
    strncpy(s->name, name, sizeof s->name - 1);
    s->name[sizeof s->name - 1] = 0;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    /* Swift code needs more than the host's minimum. */
    if (stackSize) pthread_attr_setstacksize(&attr, stackSize < 262144 ? 262144 : (stackSize + 4095) & ~(size_t)4095);
    pthread_t thread;
    int e = pthread_create(&thread, &attr, run, s);
    pthread_attr_destroy(&attr);
    if (e) free(s);
    return -e;
}

/* --- time, chance, waiting --- */

uint64_t host_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t host_ticks(void) { return __builtin_ia32_rdtsc(); }

int host_has_ticks(void) {
    unsigned a, b, c, d = 0;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1u << 8; /* invariant TSC */
}

void host_realtime(int64_t *seconds, int64_t *nanoseconds) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    *seconds = t.tv_sec;
    *nanoseconds = t.tv_nsec;
}

int host_random(void *bytes, size_t size) {
    unsigned char *at = bytes;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

int host_futex_wait(uint32_t *word, uint32_t expected, uint64_t deadline) {
    struct timespec t = { (time_t)(deadline / 1000000000u), (long)(deadline % 1000000000u) };
    int saved = errno;
    /* WAIT_BITSET takes an absolute time: futex(2). */
    long r = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline == UINT64_MAX ? NULL : &t, NULL,
                     FUTEX_BITSET_MATCH_ANY);
    int result = r < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
    errno = saved;
    return result;
}

void host_futex_wake(uint32_t *word, int count) {
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
    errno = saved;
}

/* --- scheduling --- */

int host_thread_id(void) { return (int)syscall(SYS_gettid); }

void host_sharpen_waits(void) { prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); }

int host_schedule(const host_hooks *hooks, int process, int thread, int policy, int priority, int32_t *hostPolicy,
                  int32_t *hostPriority) {
    /* A thread number that a server gave may be anybody's. */
    char task[64];
    snprintf(task, sizeof task, "/proc/%d/task/%d", process > 0 ? process : getpid(), thread);
    if (thread <= 0 || access(task, F_OK) < 0) return -ESRCH;
    int refused = fault(hooks, HOST_CALL_SCHEDULE);
    struct sched_param p = { policy == K_SCHED_OTHER ? 0 : 1 + (255 - priority) * 89 / 255 };
    int host = policy == K_SCHED_FIFO ? SCHED_FIFO : policy == K_SCHED_RR ? SCHED_RR : SCHED_OTHER;
    /* Threads that it starts begin as usual. */
    int r = refused ? -1 : sched_setscheduler(thread, host | (host == SCHED_OTHER ? 0 : SCHED_RESET_ON_FORK), &p);
    if (r < 0) {
        p.sched_priority = 0;
        sched_setscheduler(thread, SCHED_OTHER, &p);
    }
    if (!refused && (r < 0 || host == SCHED_OTHER)) {
        setpriority(PRIO_PROCESS, (id_t)thread, (priority - 128) * 20 / 128);
    }
    host = sched_getscheduler(thread) & ~SCHED_RESET_ON_FORK;
    *hostPolicy = host == SCHED_FIFO ? K_SCHED_FIFO : host == SCHED_RR ? K_SCHED_RR : K_SCHED_OTHER;
    if (host == SCHED_FIFO || host == SCHED_RR) {
        *hostPriority = sched_getparam(thread, &p) < 0 ? 0 : p.sched_priority;
    } else {
        *hostPriority = getpriority(PRIO_PROCESS, (id_t)thread);
    }
    return 0;
}

/* --- local caches --- */

int host_memfd(const host_hooks *hooks, const char *name, uint64_t size) {
    FAULT(HOST_CALL_MEMFD);
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) return -errno;
    if (size > 0 && ftruncate(fd, (off_t)size) < 0) {
        int e = errno;
        close(fd);
        return -e;
    }
    return fd;
}

int host_dup(const host_hooks *hooks, int fd) {
    FAULT(HOST_CALL_DUP);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -errno : copy;
}

void host_close(int fd) { close(fd); }

int64_t host_pread(const host_hooks *hooks, int fd, void *to, size_t size, uint64_t offset) {
    FAULT(HOST_CALL_READ);
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(fd, (char *)to + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return done ? (int64_t)done : -errno;
        if (n == 0) break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

int64_t host_pwrite(const host_hooks *hooks, int fd, const void *from, size_t size, uint64_t offset) {
    FAULT(HOST_CALL_WRITE);
    size_t done = 0;
    while (done < size) {
        ssize_t n = pwrite(fd, (const char *)from + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return done ? (int64_t)done : -errno;
        if (n == 0) break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

int host_truncate(const host_hooks *hooks, int fd, uint64_t size) {
    FAULT(HOST_CALL_TRUNCATE);
    return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

int host_punch(const host_hooks *hooks, int fd, uint64_t offset, uint64_t size) {
    FAULT(HOST_CALL_PUNCH);
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) < 0 ? -errno : 0;
}

int64_t host_seek(const host_hooks *hooks, int fd, uint64_t offset, int hole) {
    FAULT(HOST_CALL_SEEK);
    off_t found = lseek(fd, (off_t)offset, hole ? SEEK_HOLE : SEEK_DATA);
    return found < 0 ? -errno : found;
}

int host_sync(const host_hooks *hooks, int fd) {
    FAULT(HOST_CALL_SYNC);
    return fsync(fd) < 0 ? -errno : 0;
}

int host_size(const host_hooks *hooks, int fd, uint64_t *size, uint64_t *resident) {
    FAULT(HOST_CALL_STAT);
    struct stat st;
    if (fstat(fd, &st) < 0) return -errno;
    *size = (uint64_t)st.st_size;
    *resident = (uint64_t)st.st_blocks * 512;
    return 0;
}
