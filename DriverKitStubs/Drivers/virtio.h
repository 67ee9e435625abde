/* virtio.h: what virtio drivers share: the registers of virtio over MMIO (VIRTIO 1.2, section 4.2) and a split virtqueue
 * (section 2.7), from the driver's side. */
#ifndef VIRTIO_H
#define VIRTIO_H
#include "driver.h"
#include <string.h>

enum { VM_MAGIC = 0x000, VM_VERSION = 0x004, VM_DEVICE = 0x008, VM_FEATURES = 0x010, VM_FEATURES_SELECT = 0x014,
       VM_ACCEPT = 0x020, VM_ACCEPT_SELECT = 0x024, VM_QUEUE = 0x030, VM_QUEUE_MAX = 0x034, VM_QUEUE_SIZE = 0x038,
       VM_QUEUE_READY = 0x044, VM_NOTIFY = 0x050, VM_INTERRUPTS = 0x060, VM_ACKNOWLEDGE = 0x064, VM_STATUS = 0x070,
       VM_DESCRIPTORS = 0x080, VM_AVAILABLE = 0x090, VM_USED = 0x0a0, VM_CONFIGURATION = 0x100 };
enum { VS_ACKNOWLEDGE = 1, VS_DRIVER = 2, VS_DRIVER_OK = 4, VS_FEATURES_OK = 8, VS_NEEDS_RESET = 64, VS_FAILED = 128 };
enum { VD_NEXT = 1, VD_WRITE = 2 };
#define VQ_SIZE 128u

typedef struct VirtDescriptor { uint64_t address; uint32_t size; uint16_t flags, next; } VirtDescriptor;
typedef struct VirtUsed { uint32_t head, written; } VirtUsed;

/* The rings lie in one piece of DMA memory. */
typedef struct VirtRings {
    VirtDescriptor descriptors[VQ_SIZE];
    struct { uint16_t flags, index, ring[VQ_SIZE], event; } available;
    _Alignas(8) struct { uint16_t flags, index; VirtUsed ring[VQ_SIZE]; uint16_t event; } used;
} VirtRings;

typedef struct VirtQueue {
    const DrvServices *s;
    uint32_t number;
    VirtRings *rings;
    uint64_t bus;
    DrvHandle dma;
    uint16_t seen;              /* of the used ring */
    uint16_t next, freeCount;   /* chain of free descriptors */
} VirtQueue;

/* Reset, features. DRV_OK with the device waiting for its queues; `wanted`: bits below 32 that the driver would like. */
static inline int32_t virtBegin(const DrvServices *s, uint32_t wanted, uint32_t *accepted) {
    if (s->load32(s->self, VM_MAGIC) != 0x74726976 || s->load32(s->self, VM_VERSION) != 2) return DRV_ENODEV;
    s->store32(s->self, VM_STATUS, 0);
    s->store32(s->self, VM_STATUS, VS_ACKNOWLEDGE);
    s->store32(s->self, VM_STATUS, VS_ACKNOWLEDGE | VS_DRIVER);
    s->store32(s->self, VM_FEATURES_SELECT, 0);
    *accepted = s->load32(s->self, VM_FEATURES) & wanted;
    s->store32(s->self, VM_FEATURES_SELECT, 1);
    if (!(s->load32(s->self, VM_FEATURES) & 1)) return DRV_ENODEV;      /* VIRTIO_F_VERSION_1 */
    s->store32(s->self, VM_ACCEPT_SELECT, 0);
    s->store32(s->self, VM_ACCEPT, *accepted);
    s->store32(s->self, VM_ACCEPT_SELECT, 1);
    s->store32(s->self, VM_ACCEPT, 1);
    s->store32(s->self, VM_STATUS, VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK);
    return s->load32(s->self, VM_STATUS) & VS_FEATURES_OK ? DRV_OK : DRV_ENODEV;
}

static inline void virtAddress(const DrvServices *s, uint32_t at, uint64_t address) {
    s->store32(s->self, at, (uint32_t)address);
    s->store32(s->self, at + 4, (uint32_t)(address >> 32));
}

static inline int32_t virtQueueMake(VirtQueue *q, const DrvServices *s, uint32_t number) {
    void *memory;
    q->s = s;
    q->number = number;
    s->store32(s->self, VM_QUEUE, number);
    if (s->load32(s->self, VM_QUEUE_MAX) < VQ_SIZE) return DRV_ENOTSUP;
    int32_t result = s->dmaAlloc(s->self, sizeof(VirtRings), &memory, &q->bus, &q->dma);
    if (result < 0) return result;
    q->rings = memory;
    q->seen = 0;
    q->next = 0;
    q->freeCount = VQ_SIZE;
    for (uint16_t i = 0; i < VQ_SIZE; i++) q->rings->descriptors[i].next = (uint16_t)(i + 1);
    s->store32(s->self, VM_QUEUE_SIZE, VQ_SIZE);
    virtAddress(s, VM_DESCRIPTORS, q->bus + offsetof(VirtRings, descriptors));
    virtAddress(s, VM_AVAILABLE, q->bus + offsetof(VirtRings, available));
    virtAddress(s, VM_USED, q->bus + offsetof(VirtRings, used));
    s->store32(s->self, VM_QUEUE_READY, 1);
    return DRV_OK;
}

static inline void virtStart(const DrvServices *s) {
    s->store32(s->self, VM_STATUS, VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK | VS_DRIVER_OK);
}

typedef struct VirtBuffer { uint64_t bus; uint32_t size; uint16_t flags; } VirtBuffer;

/* Makes a chain available. Its head, or DRV_EAGAIN while the queue has no room. */
static inline int32_t virtPut(VirtQueue *q, const VirtBuffer *buffers, uint16_t count) {
    if (count == 0 || count > q->freeCount) return DRV_EAGAIN;
    uint16_t head = q->next, at = head;
    for (uint16_t i = 0; i < count; i++) {
        VirtDescriptor *d = &q->rings->descriptors[at];
        uint16_t following = d->next;
        d->address = buffers[i].bus;
        d->size = buffers[i].size;
        d->flags = (uint16_t)(buffers[i].flags | (i + 1 < count ? VD_NEXT : 0));
        at = following;
    }
    q->next = at;
    q->freeCount = (uint16_t)(q->freeCount - count);
    uint16_t index = q->rings->available.index;
    q->rings->available.ring[index % VQ_SIZE] = head;
    __atomic_store_n(&q->rings->available.index, (uint16_t)(index + 1), __ATOMIC_RELEASE);
    return head;
}

/* The next chain that the device is done with: its head, or DRV_EAGAIN; DRV_EIO where it names none of ours. */
static inline int32_t virtTake(VirtQueue *q, uint32_t *written) {
    if (__atomic_load_n(&q->rings->used.index, __ATOMIC_ACQUIRE) == q->seen) return DRV_EAGAIN;
    VirtUsed used = q->rings->used.ring[q->seen++ % VQ_SIZE];
    if (used.head >= VQ_SIZE) return DRV_EIO;
    uint16_t last = (uint16_t)used.head, count = 1;
    while (q->rings->descriptors[last].flags & VD_NEXT && count < VQ_SIZE) {
        last = q->rings->descriptors[last].next;
        if (last >= VQ_SIZE) return DRV_EIO;
        count++;
    }
    q->rings->descriptors[last].next = q->next;
    q->next = (uint16_t)used.head;
    q->freeCount = (uint16_t)(q->freeCount + count);
    *written = used.written;
    return (int32_t)used.head;
}
#endif
