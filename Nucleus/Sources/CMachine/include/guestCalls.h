/* guestCalls.h: host calls of the guest layer that Swift cannot make itself (variadic, cmsg macros, clone order). */
#ifndef CHORUS_GUESTCALLS_H
#define CHORUS_GUESTCALLS_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

/* System calls that stubs make for us (x86-64), and clone flags (sched.h). */
enum {
    HOST_mmap = 9, HOST_mprotect = 10, HOST_munmap = 11, HOST_close = 3, HOST_mremap = 25, HOST_madvise = 28,
    HOST_exit = 60, HOST_arch_prctl = 158
};
enum {
    HOST_CLONE_VM = 0x100, HOST_CLONE_FS = 0x200, HOST_CLONE_FILES = 0x400, HOST_CLONE_SIGHAND = 0x800,
    HOST_CLONE_PARENT = 0x8000, HOST_CLONE_THREAD = 0x10000, HOST_CLONE_SYSVSEM = 0x40000
};

/* All return a result or -errno. */
int guest_memfd(const char *name, uint64_t size, int sealShrink);
int guest_reopen_readonly(int fd);
int guest_send_fds(int socket, const int *fds, int count);
int guest_socketpair(int pair[2]);
int guest_eventfd(void);
int guest_tgkill(int pid, int tid, int signal);
/* Shared futex (between processes). timeoutNs < 0: for ever. */
int guest_futex_wait(uint32_t *word, uint32_t expected, int64_t timeoutNs);
int guest_futex_wake(uint32_t *word, int count);
int64_t guest_vm_read(int pid, uint64_t from, void *to, uint64_t size);
int64_t guest_vm_write(int pid, uint64_t to, const void *from, uint64_t size);
/* Writes to private memory that the guest itself may only read or execute. 0 or -errno. */
int guest_text_write(int pid, uint64_t to, const void *from, uint64_t size);
/* Starts the zygote with descriptors 3..6 as given; returns its pid. The parent must be a thread that never exits. */
int guest_spawn_zygote(const char *path, int control, int area, int socket, int event);
/* Reads the event descriptor, waiting at most timeoutMs (negative: for ever). */
int guest_event_wait(int event, int timeoutMs);
/* 1 if `pid` is a child of this process that has not been collected. */
int guest_is_child(int pid);
/* Numbers of the children of the thread `tid` of this process: at most `count`; how many, or -errno. */
int guest_children(int tid, int32_t *pids, int count);
/* When a host process began, in clock ticks since the host did; 0 if it is gone. */
uint64_t guest_start_ticks(int pid);
/* The same for now. */
uint64_t guest_boot_ticks(void);
/* 1 if the host has stopped `pid` (a signal, a debugger). */
int guest_is_stopped(int pid);
static inline uint64_t guest_load64(const void *p) { return __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE); }
static inline void guest_add(uint32_t *word) { __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST); }
int guest_tid(void);
/* sched_yield(2); 1 if it took long: the machine is contended (mailbox.h). */
int guest_yield(void);
int guest_cpus(void);
uint64_t guest_xcr0(void);
/* Bytes of an XSAVE image (standard format) of the components in `features`. */
uint32_t guest_fpu_size(uint64_t features);
/* Whether the gate of the stub can run here: rdgsbase and wrgsbase for programs, and BMI2. */
int guest_has_gates(void);
void *guest_map_shared(void *at, uint64_t size, int fd);   /* MAP_FIXED when at != NULL; NULL on failure */
void *guest_reserve(uint64_t size);                        /* readable zeros, no memory */
int guest_unreserve(void *at, uint64_t size);              /* back to readable zeros */
/* utime, stime in ns and resident bytes of a host process. */
int guest_usage(int pid, uint64_t *user, uint64_t *system, uint64_t *resident);
/* Bytes of start..end that a host process has in memory; 0 for more than 64 GiB, which are not counted. */
uint64_t guest_resident(int pid, uint64_t start, uint64_t end);
#endif
