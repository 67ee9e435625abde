/* hostCalls.h: the host calls behind HostServices, all of them, in one place. Each passes through the fault hook of its
 * host instance first, so that tests can make any of them fail. Results: >= 0, or -errno. */
#ifndef CHORUS_HOSTCALLS_H
#define CHORUS_HOSTCALLS_H
#include <stdint.h>
#include <stddef.h>

/* Numbers for the fault hook. */
enum {
    HOST_CALL_THREAD, HOST_CALL_MEMFD, HOST_CALL_DUP, HOST_CALL_READ, HOST_CALL_WRITE, HOST_CALL_TRUNCATE,
    HOST_CALL_PUNCH, HOST_CALL_SEEK, HOST_CALL_SYNC, HOST_CALL_STAT, HOST_CALL_SCHEDULE
};

/* Of one host instance. fault: 0 lets the call through, else the errno it fails with. */
typedef struct host_hooks {
    int (*fault)(void *cookie, uint32_t call);
    void *cookie;
    uint32_t key; /* pthread_key_t */
} host_hooks;

/* The value of the calling thread. `ended` gets host and value, which may be NULL, when a thread that ever had a value
 * ends. host_value_set returns 1 when it keeps `host` for the first time on this thread. */
typedef struct host_thread_value {
    void *value;
    void *host;
    void (*ended)(void *host, void *value);
} host_thread_value;

/* Not <pthread.h>: a C module that pulls it in hides its GNU part from Swift. */
extern void *pthread_getspecific(unsigned int key);

int host_key_create(host_hooks *hooks);
void host_key_delete(host_hooks *hooks);
int host_value_set(const host_hooks *hooks, void *host, void (*ended)(void *host, void *value), void *value);
static inline void *host_value(const host_hooks *hooks) {
    const host_thread_value *v = (const host_thread_value *)pthread_getspecific(hooks->key);
    return v ? v->value : NULL;
}

uint64_t host_now(void);
/* Whether the processor's counter is steady and of one rate in all of its states. */
int host_has_ticks(void);
uint64_t host_ticks(void);
void host_realtime(int64_t *seconds, int64_t *nanoseconds);
int host_random(void *bytes, size_t size);
/* Private futex; deadline is absolute CLOCK_MONOTONIC, UINT64_MAX never. 0, or -ETIMEDOUT. */
int host_futex_wait(uint32_t *word, uint32_t expected, uint64_t deadline);
void host_futex_wake(uint32_t *word, int count);
int host_thread_id(void);
/* K_SCHED_* and 0 best ... 255 worst for a thread of `process`, 0: this one. Where real time is refused, the nearest nice
 * value. *hostPolicy (K_SCHED_*) and *hostPriority (1 ... 99, or nice) tell what is in force. 0, or -ESRCH. */
int host_schedule(const host_hooks *hooks, int process, int thread, int policy, int priority, int32_t *hostPolicy,
                  int32_t *hostPriority);
/* The calling thread's timed waits may be late by a nanosecond, where the host's own slack is tens of microseconds. */
void host_sharpen_waits(void);
/* Name of the calling host thread. */
void host_thread_name(const char *name);
/* Detached; stackSize 0: the host's default. */
int host_thread_start(const host_hooks *hooks, const char *name, size_t stackSize, void (*body)(void *), void *cookie);

int host_memfd(const host_hooks *hooks, const char *name, uint64_t size);
int host_dup(const host_hooks *hooks, int fd);
void host_close(int fd);
int64_t host_pread(const host_hooks *hooks, int fd, void *to, size_t size, uint64_t offset);
int64_t host_pwrite(const host_hooks *hooks, int fd, const void *from, size_t size, uint64_t offset);
int host_truncate(const host_hooks *hooks, int fd, uint64_t size);
int host_punch(const host_hooks *hooks, int fd, uint64_t offset, uint64_t size);
int64_t host_seek(const host_hooks *hooks, int fd, uint64_t offset, int hole);
int host_sync(const host_hooks *hooks, int fd);
int host_size(const host_hooks *hooks, int fd, uint64_t *size, uint64_t *resident);
#endif
