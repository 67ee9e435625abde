/* drvSwift.h: the entry of a driver in Embedded Swift, which can write neither a note nor a table of constants. Compiled by itself, as C:
 *
 *     cc -c -x c -fPIC -DDRV_SWIFT_NAME='"edu"' -DDRV_SWIFT_VERSION='"1.0.0"' -DDRV_SWIFT_INFO='"what it does"' \
 *        -DDRV_SWIFT_MODEL='"edu"' -o entry.o driver/drvSwift.h
 *
 * Without DRV_SWIFT_MODEL it is a driver without a device. The driver has functions @c(drvProbe), @c(drvInit), @c(drvUnload), @c(drvEvent);
 * Services.swift beside this file gives it the services as methods. Link with driver.map: nothing of Swift is to be seen from outside. */
#ifndef DRV_SWIFT_H
#define DRV_SWIFT_H
#include "drvEntry.h"
#ifdef DRV_SWIFT_NAME
__attribute__((visibility("hidden"))) int32_t drvProbe(const DrvServices *services);
__attribute__((visibility("hidden"))) int32_t drvInit(const DrvServices *services, void **instance);
__attribute__((visibility("hidden"))) int32_t drvUnload(void *instance);
__attribute__((visibility("hidden"))) void drvEvent(void *instance, uint32_t event);

DRV_NOTE(DRV_SWIFT_NAME, DRV_SWIFT_VERSION);
const uint32_t drv_flags = DRV_OWN_STACK;
#ifdef DRV_SWIFT_MODEL
#ifndef DRV_SWIFT_ID
#define DRV_SWIFT_ID 0
#endif
static const DrvMatch drvMatch[] = { { DRV_SWIFT_MODEL, DRV_SWIFT_ID } };
#define DRV_SWIFT_MATCH drvMatch, 1
#else
#define DRV_SWIFT_MATCH NULL, 0
#endif
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, DRV_SWIFT_NAME, DRV_SWIFT_INFO,
                               DRV_SWIFT_MATCH, drvProbe, drvInit, drvUnload, drvEvent };
#endif
#endif
