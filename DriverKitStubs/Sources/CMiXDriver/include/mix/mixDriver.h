/* mixDriver.h: protocol of the drivers' home (group stamp K_STAMP_DRIVER): drivers and devices are managed, and registered
 * devices are used, by messages in the structs of mix/mixObject.h. `diag` is a negative Linux errno where something fails; then
 * the reply's body may hold one line that says why. */
#ifndef MIX_DRIVER_H
#define MIX_DRIVER_H
#include <stdint.h>

/* op                          in                                        out */
#define DRV_LOAD 401u       /* body = absolute path NUL [device NUL: for this one alone], flags, arg[0] = restarts in a row of a driver
                               in a host process (UINT64_MAX: any number): diag = instances made */
#define DRV_UNLOAD 402u     /* body = name NUL */
#define DRV_LIST 403u       /* size = room: body = MixDriverEntry records */
#define DRV_DEVICE_ADD 404u /* body = "NAME MODEL KEY=VALUE ..." NUL */
#define DRV_DEVICE_REMOVE 405u /* body = NAME NUL; flags 1: by surprise, though a driver has it */
#define DRV_DEVICE_LIST 406u /* size = room: body = MixBusDeviceEntry records */
#define DRV_DEVICE_FAULTS 407u /* body = "NAME KIND:PERMILLE,...,seed:N" NUL; without kinds: none any more */
/* arg[0] = first event wanted, ~0: those from now on; size = room: body = MixBusEvent records, value[0] = the number behind the last
 * one, value[1] = how many were overwritten unread. Events are kept until 5 s after the last question; flags 1: no more. */
#define DRV_BUS_TRACE 408u
#define DRV_FIND 409u       /* body = name of a registered device NUL: value[0] = its handle, value[1] = DRV_CLASS_* */
#define DRV_REPLACE 1u      /* of the driver of that name: its open devices wait for the new one */
#define DRV_USER 2u         /* in a host process of its own */
#define DRV_SUPERVISOR 4u   /* in the nucleus' process: -EPERM where the home is a user actor */

/* A registered device; arg[0] = its handle, from DEV_ATTACH or DRV_FIND. Calls may block while the device works. */
#define DRV_OPEN 410u       /* flags O_*: size in bytes (block), value[0] = DRV_CLASS_*; block: seg* = the device as a mapper's segment */
#define DRV_CLOSE 411u
#define DRV_READ 412u       /* offset, size: body = data, diag = bytes; -EAGAIN: DEV_READY follows */
#define DRV_WRITE 413u      /* offset, body: diag = bytes; -EAGAIN: DEV_READY follows. A tty: value[0] = bytes not on the line yet */
#define DRV_FLUSH 414u      /* the site's cache of it too; flags 1: which is emptied */
#define DRV_DISCARD 415u    /* offset, size */
#define DRV_CONTROL 416u    /* arg[1] = command, body = in-struct, size = room: body = out-struct */
#define DRV_TTY_SETTINGS 417u /* arg[1] = baud, arg[2] = c_cflag: value[0], value[1] = rows, columns of its window; 0: it has none */
#define DRV_MODEM 418u      /* arg[1] = TIOCM_* to set, arg[2] = to clear: value[0] = all; -ENOTTY: the line has none */
#define DRV_BREAK 419u      /* arg[1] = 1: begin, 0: end */

/* DRV_READ of a tty gives the byte DRV_MARK twice; once, with a kind and a value behind it, it is a mark. */
#define DRV_MARK 0xffu
#define DRV_MARK_BREAK 1u   /* value 0 */
#define DRV_MARK_ERROR 2u   /* value: a byte with a wrong parity or frame */
#define DRV_MARK_MODEM 3u   /* value: bits 0 to 3 are TIOCM_CTS, _CAR, _RNG, _DSR as they are now */

/* DRV_CLASS_NET: an Ethernet link, frames without FCS. One opener at a time.
 * DRV_OPEN: arg[1], arg[2] = UI head, tail of the port that is sent DEV_READY; 0, 0: the Device Manager. size = MTU. -EBUSY: somebody has
 *     it. It begins with nothing received. A port that is gone when it is to be told has closed it.
 * DRV_READ: the next frame, cut to `size`; what does not fit is lost. size = the frame's own bytes, value[0] = how many more wait.
 *     Beyond 256 that nobody reads, frames are dropped and counted.
 * DRV_WRITE: one frame. -EINVAL: shorter than its header of 14; -EMSGSIZE: longer than MTU + 14, and 4 where it has an 802.1Q tag;
 *     -EAGAIN: the ring is full. What the far end drops is no error.
 * DRV_CONTROL: arg[1] = DRV_NET_INFO: body = MixNetInfo. Needs no DRV_OPEN. */
#define DRV_NET_INFO 1u
typedef struct MixNetInfo {
    uint8_t address[6];
    uint16_t mtu;
    uint32_t flags;             /* MIX_NET_UP: there is a far end */
    uint32_t queued;            /* frames that wait for the opener */
    uint64_t received, receivedBytes, dropped, sent, sentBytes; /* dropped: came, and the queue was full */
} MixNetInfo;
#define MIX_NET_UP 1u

/* From the drivers' home to the Device Manager (group K_STAMP_DEVICE). */
#define DEV_ATTACH 330u     /* called. arg[0] = handle, arg[1] = DRV_CLASS_*, body = name NUL */
#define DEV_DETACH 331u     /* called. arg[0] = handle: every request on it fails from now on */
#define DEV_READY 332u      /* sent. arg[0] = handle: worth asking again; arg[2] = DRV_READY_*, or 0 where it is not known what for */
#define DRV_READY_INPUT 1u
#define DRV_READY_OUTPUT 2u
#define DEV_INPUT 333u      /* called. arg[0] = handle, body = bytes of a serial line: diag = how many were taken */

typedef struct MixDriverEntry {
    char name[64], object[64];  /* object: the last part of its path */
    char device[32];            /* the bus device of the instance; "" for none */
    char registered[32];        /* what it registered; "" for nothing */
    char state[96];             /* "ok", or why it is out of use */
    uint32_t class_, opens;
    uint64_t requests, errors, memory, dma; /* bytes */
    uint32_t privilege;         /* of its code: DRV_USER or DRV_SUPERVISOR */
    uint32_t restarts;          /* of its host process, since it was loaded */
    int32_t hostPid;            /* the process of its code; 0: none at present */
    uint32_t pad;
} MixDriverEntry;

typedef struct MixBusDeviceEntry {
    char name[32], model[32], driver[32];
    uint32_t line, removed;
    uint64_t accesses, strays;
    char faults[192];
    char notes[192];            /* what its model says of itself, such as the frames of a link */
} MixBusDeviceEntry;

#define MIX_BUS_LOAD 1u     /* place = the register's offset */
#define MIX_BUS_STORE 2u
#define MIX_BUS_RAISE 3u    /* place = the interrupt line */
#define MIX_BUS_LOWER 4u
#define MIX_BUS_READ 5u     /* of memory, by the device; place = bus address, width = bytes */
#define MIX_BUS_WRITE 6u
#define MIX_BUS_STRAY 7u    /* of memory that its driver did not grant */
#define MIX_BUS_RESET 8u    /* by the bus: the driver has gone */
#define MIX_BUS_REMOVAL 9u
#define MIX_BUS_FAULT 10u   /* text = which, on purpose */
typedef struct MixBusEvent {
    uint64_t sequence, time;    /* CLOCK_MONOTONIC, ns */
    uint64_t place, value;
    uint32_t kind, width;
    char device[32], text[24];
} MixBusEvent;
#endif
