/* The structures and numbers of driver ABI 1.0: where they were they stay. */
#include "driver.h"
#include "layout.h"


    AT(DrvDriver, size, 0) AT(DrvDriver, abiMajor, 4) AT(DrvDriver, abiMinor, 6) AT(DrvDriver, name, 8) AT(DrvDriver, info, 16)
    AT(DrvDriver, match, 24) AT(DrvDriver, matchCount, 32) AT(DrvDriver, probe, 40) AT(DrvDriver, init, 48)
    AT(DrvDriver, unload, 56) AT(DrvDriver, event, 64)
    AT(DrvServices, size, 0) AT(DrvServices, abiMajor, 4) AT(DrvServices, self, 8) AT(DrvServices, log, 16)
    AT(DrvServices, memAlloc, 24) AT(DrvServices, memFree, 32) AT(DrvServices, now, 40) AT(DrvServices, busyWait, 48)
    AT(DrvServices, timeoutSet, 56) AT(DrvServices, timeoutCancel, 64) AT(DrvServices, deviceInfo, 72)
    AT(DrvServices, load8, 80) AT(DrvServices, load64, 104) AT(DrvServices, store8, 112) AT(DrvServices, store64, 136)
    AT(DrvServices, intrAttach, 144) AT(DrvServices, intrUnmask, 168) AT(DrvServices, dmaAlloc, 176)
    AT(DrvServices, dmaFree, 184) AT(DrvServices, deviceRegister, 192) AT(DrvServices, deviceUnregister, 200)
    AT(DrvServices, blockDone, 208) AT(DrvServices, charReady, 216) AT(DrvServices, ttyInput, 224)
    AT(DrvServices, ttyReady, 232) AT(DrvServices, netInput, 240) AT(DrvServices, query, 248)
    AT(DrvBlockRequest, op, 0) AT(DrvBlockRequest, count, 4) AT(DrvBlockRequest, sector, 8) AT(DrvBlockRequest, data, 16)
    AT(DrvBlockRequest, request, 24) AT(DrvBlockGeometry, sectors, 8) AT(DrvBlockGeometry, maxSectors, 16)
    AT(DrvDeviceInfo, id, 4) AT(DrvDeviceInfo, name, 8) AT(DrvDeviceInfo, model, 40) AT(DrvDeviceInfo, registerSize, 72)
    AT(DrvNote, type, 8) AT(DrvNote, owner, 12) AT(DrvNote, kind, 20) AT(DrvNote, abiMajor, 24) AT(DrvNote, name, 28)

