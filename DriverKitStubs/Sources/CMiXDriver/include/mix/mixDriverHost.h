/* mixDriverHost.h: between the drivers' home and the hosts of drivers in user privilege, in the structs of mix/mixObject.h.
 * A host is an unprivileged user actor with one driver's object. It knows the name of one port of the home, its options'
 * "home", and names two of its own as it joins. Neither side believes the other's sizes, names or results. `diag`: a DRV_*
 * result. arg[0]: the instance, named by the home. Memory is shared where a device and its driver share it (DMA), data of
 * requests travels in bodies. */
#ifndef MIX_DRIVER_HOST_H
#define MIX_DRIVER_HOST_H
#include <stdint.h>

/* From the host to the home.
 * op                        in                                               out */
#define HOST_JOIN 450u       /* arg[0] = port for requests, arg[1] = port for HOSTED_WATCH (head << 32 | tail), body = MixHostDriver */
#define HOST_WATCH 451u      /* never answered: fails when the home is gone */
#define HOST_FAULT 452u      /* arg[0] or 0, body = what happened NUL: the host ends */
#define HOST_LOG 453u        /* flags = level, body = text NUL */
#define HOST_LOAD 454u       /* offset, size = width                             value[0] */
#define HOST_STORE 455u      /* offset, size = width, arg[1] = value */
#define HOST_INTR_ATTACH 456u /* arg[1] = index, arg[2] = priority, arg[3] = the host's name for the handler: value[0] = handle */
#define HOST_INTR_DETACH 457u /* arg[1] = handle */
#define HOST_INTR_MASK 458u  /* arg[1] = handle, flags = 1: masked */
#define HOST_DMA_ALLOC 459u  /* size                                             value[0] = handle, value[1] = bus, size, segUi.. */
#define HOST_DMA_FREE 460u   /* arg[1] = handle */
#define HOST_REGISTER 461u   /* arg[1] = DRV_CLASS_*, body = name NUL            value[0] = handle */
#define HOST_UNREGISTER 462u /* arg[1] = handle */
#define HOST_BLOCK_DONE 463u /* arg[1] = request, arg[2] = status, body = what was read */
#define HOST_READY 464u      /* arg[1] = handle */
#define HOST_TTY_INPUT 465u  /* arg[1] = handle, body                            diag = taken */
#define HOST_NET_INPUT 466u  /* arg[1] = handle, body */

/* From the home to the host. */
#define HOSTED_WATCH 470u    /* never answered: fails when the host is gone */
#define HOSTED_START 471u    /* body = DrvDeviceInfo, or nothing: probe and init; body = why not */
#define HOSTED_STOP 472u     /* unload */
#define HOSTED_EVENT 473u    /* flags = DRV_EVENT_* */
#define HOSTED_INTERRUPT 474u /* arg[1] = the host's name for the handler: diag = BUS_INTR_* */
/* Calls of a registered device; arg[1] = its handle. */
#define HOSTED_GEOMETRY 480u /* body = DrvBlockGeometry */
#define HOSTED_SUBMIT 481u   /* flags = DRV_BLOCK_*, size = sectors, offset = sector, arg[2] = request, body = data to write */
#define HOSTED_READ 482u     /* offset, size: diag = bytes, body */
#define HOSTED_WRITE 483u    /* offset, body: diag = bytes */
#define HOSTED_CONTROL 484u  /* arg[2] = command, body: body */
#define HOSTED_OUTPUT 485u   /* body: diag = bytes */
#define HOSTED_SETTINGS 486u /* arg[2] = baud, arg[3] = c_cflag */
#define HOSTED_NET_INFO 487u /* body = DrvNetInfo */
#define HOSTED_SEND 488u     /* body */
#define HOSTED_CLOCK_GET 489u /* value[0] = seconds */
#define HOSTED_CLOCK_SET 490u /* arg[2] = seconds */
#define HOSTED_ENTROPY 491u  /* size: diag = bytes, body */
#define HOSTED_WINDOW 492u   /* value[0], value[1] = rows, columns */

#define MIX_HOST_MATCHES 16u
typedef struct MixHostMatch { char model[32]; uint32_t id, pad; } MixHostMatch;
typedef struct MixHostDriver {
    char name[32];
    uint32_t matchCount, pad;
    MixHostMatch match[MIX_HOST_MATCHES];
} MixHostDriver;
#endif
