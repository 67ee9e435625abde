/* mixDevice.h: protocol of the Device Manager (group stamp K_STAMP_DEVICE). Devices are objects: the requests of
 * mix/mixObject.h work on them. What is here is beyond that, in the same request and reply structs. */
#ifndef MIX_DEVICE_H
#define MIX_DEVICE_H
#include <stdint.h>

#define DEV_KEY(major, minor) (((uint64_t)(major) << 32) | (uint64_t)(minor)) /* MixKey.object of a registered node; tag 0 */

/* OBJ_OPEN of these gives the site's own descriptors 0, 1, 2: the console terminal where the host's descriptor is a
 * terminal, else a byte stream (mode S_IFIFO, or the host's type). Host descriptors 0-2 of the Device Manager's
 * process are the ones `chorus run` was started on, in both privileges. */
#define DEV_STDIO_KEY(n) (0xfffffffe00000000ull | (uint64_t)(n))

#define DEV_CONSOLE_WINSIZE 302u /* arg[0] = rows << 16 | columns: the host's window changed */
#define DEV_CONSOLE_DRAIN 303u   /* replies diag 0 when all console output has reached the host, else -EAGAIN (ask again) */

/* Sessions and terminals. cred tells who asks. A terminal's session and foreground group live in the Device Manager. */
#define TTY_SESSION_END 310u     /* cred.sid: its leader is gone: hang up its terminal */
#define TTY_CONTROLLING 311u     /* cred.sid: value[0], value[1] = MixKey of the session's controlling terminal, or -ENXIO */
#define TTY_SET_CONTROLLING 312u /* key: becomes the controlling terminal of cred.sid, foreground group cred.pgrp */

/* From the Device Manager to the Process Manager (group K_STAMP_PROCESS), request format of mixObject.h. */
#define PROC_SIGNAL_GROUP 320u   /* sent asynchronously. arg[0] = signal number, arg[1] = process group, or -pid: that process */
#define PROC_GROUP_ORPHANED 321u /* called. arg[1] = process group: value[0] = 1 when it is orphaned (EIO instead of SIGTTIN/TTOU);
                                    value[1] = 1 when cred.pid blocks or ignores arg[0] (signal number);
                                    value[2] = its session, 0 where not told; a process will do where no group has its number;
                                    -ESRCH where there is neither */

/* How terminals use the requests of mix/mixObject.h:
 * - diag -512 (ERESTARTSYS): the caller's group was sent SIGTTIN or SIGTTOU; deliver it, then ask again.
 * - OBJ_IOCTL TCSBRK with an argument (tcdrain) may answer -EAGAIN: watch POLLOUT as the same owner, then ask again.
 * - a blocked OBJ_READ (no O_NONBLOCK in flags) that answers -EAGAIN starts VTIME; watch POLLIN as the same owner and
 *   ask again with the same size. Disarm (mask 0) when the read is given up.
 * - TIOCGPTPEER: diag 0 and `key` is the opened slave.
 * - a regular file as DEV_STDIO_KEY is read at OBJ_READ's offset and written where the host's offset stands. */
#endif
