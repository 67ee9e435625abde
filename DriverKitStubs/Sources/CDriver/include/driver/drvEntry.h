/* drvEntry.h: what a driver object exports: one constant, `drv_driver`, and an ELF note that is read before it is loaded.
 *
 *     DRV_NOTE("edu", "1.0.0");
 *     static const DrvMatch match[] = { { "edu", 0 } };
 *     const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "edu", "what it does",
 *                                    match, 1, NULL, init, unload, event };
 *
 * Build: cc -std=c11 -shared -fPIC -fvisibility=hidden -Wl,-z,defs -o edu.so edu.c */
#ifndef DRV_ENTRY_H
#define DRV_ENTRY_H
#include "drvServices.h"

typedef struct DrvMatch {
    const char *model;          /* "virtio-mmio", "ns16550a", "mc146818", "edu" */
    uint32_t id;                /* DrvDeviceInfo.id; 0: any */
} DrvMatch;

typedef struct DrvDriver {
    uint32_t size;
    uint16_t abiMajor, abiMinor;
    const char *name, *info;    /* name: as in the note */
    const DrvMatch *match;      /* devices it can drive: one instance each. None: one instance without a device */
    uint32_t matchCount;
    /* May be NULL. DRV_OK: the device is really one of mine; it must be left as it was found. */
    int32_t (*probe)(const DrvServices *services);
    /* Makes an instance. DRV_OK, or an error having undone what it did. `services` is valid until unload. */
    int32_t (*init)(const DrvServices *services, void **instance);
    /* Quiesces the device and gives everything back; the instance is gone afterwards. DRV_EBUSY: not now. NULL: never. */
    int32_t (*unload)(void *instance);
    void (*event)(void *instance, uint32_t event);  /* DRV_EVENT_*; may be NULL */
} DrvDriver;

#define DRV_ENTRY "drv_driver"
/* Optional, since 1.1: bits of what the framework has to know before it calls the driver. */
#define DRV_FLAGS "drv_flags"
#define DRV_OWN_STACK 1u        /* calls run on a stack of the instance's own, and a fault leaves that as it is: for code that must not
                                 * be unwound, such as Swift's */
#ifndef DRV_FRAMEWORK           /* drivers declare them visible; the framework looks them up by name */
__attribute__((visibility("default"))) extern const DrvDriver drv_driver;
__attribute__((visibility("default"))) extern const uint32_t drv_flags;
#endif

/* The note: owner "CHORUS", of the kind driver (chorus/knNote.h has the same layout). Once an object, at file scope. */
typedef struct DrvNote {
    uint32_t ownerSize, size, type;
    char owner[8];
    uint32_t kind;
    uint16_t abiMajor, abiMinor;
    char name[32], version[24];
} DrvNote;
#define DRV_NOTE(name_, version_) \
    __attribute__((section(".note.chorus"), used, aligned(4), visibility("hidden"))) \
    const DrvNote drv_object_note = { 7, 64, 0x43484f52u, "CHORUS", 3, DRV_ABI_MAJOR, DRV_ABI_MINOR, name_, version_ }
#endif
