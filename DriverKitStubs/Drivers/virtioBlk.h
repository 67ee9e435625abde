/* virtioBlk.h: what drives a virtio disk (VIRTIO 1.2, section 5.2), wherever its interrupts come from: many requests at a time, with
 * flush and discard. Data goes through DMA memory of the driver's own; a lost interrupt costs time, not the request. */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H
#include "virtio.h"

enum { F_READONLY = 1u << 5, F_FLUSH = 1u << 9, F_DISCARD = 1u << 13 };
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_DISCARD = 11 };
#define DEPTH 32u               /* requests at a time: three descriptors each */
#define MOST 256u               /* sectors of one request */
#define LOOK_AGAIN 20000000u    /* nanoseconds until the ring is looked at without an interrupt */
#define LOOK_OFTEN 1000000u     /* while there are none */

typedef struct Head { uint32_t type, reserved; uint64_t sector; } Head;
typedef struct Discard { uint64_t sector; uint32_t count, flags; } Discard;

typedef struct Slot {           /* a request under way, in DMA memory beside its data */
    Head head;
    Discard discard;
    uint8_t status;
} Slot;

typedef struct Disk {
    const DrvServices *s;
    DrvHandle device, intr, slotsDma, dataDma, timeout;
    VirtQueue queue;
    uint32_t features;
    uint64_t sectors;
    Slot *slots;
    uint64_t slotsBus, dataBus;
    unsigned char *data;        /* DEPTH * MOST * 512 */
    struct { DrvHandle request; void *to; uint32_t size; int used; } pending[DEPTH];   /* size: of what the device puts there */
    uint8_t slotOf[VQ_SIZE];    /* by head of the chain */
    uint32_t inFlight;
    uint64_t patience;          /* nanoseconds: LOOK_AGAIN, LOOK_OFTEN */
} Disk;

static void diskCollect(Disk *d) {
    uint32_t written;
    int32_t head;
    while ((head = virtTake(&d->queue, &written)) >= 0) {
        uint32_t slot = d->slotOf[head];
        if (slot >= DEPTH || !d->pending[slot].used) continue;  /* the device names one twice */
        uint8_t status = d->slots[slot].status;
        if (d->pending[slot].to && written < d->pending[slot].size + 1) status = 1;    /* less than was asked for */
        if (status == 0 && d->pending[slot].to) memcpy(d->pending[slot].to, d->data + slot * MOST * 512, d->pending[slot].size);
        d->pending[slot].used = 0;
        d->inFlight--;
        d->s->blockDone(d->s->self, d->pending[slot].request, status == 0 ? DRV_OK : status == 2 ? DRV_ENOTSUP : DRV_EIO);
    }
}

static void diskLookAgain(void *cookie) {
    Disk *d = cookie;
    d->timeout = 0;
    diskCollect(d);
    if (d->inFlight > 0) d->s->timeoutSet(d->s->self, diskLookAgain, d, d->patience, &d->timeout);
}

/* Of an instance's own interrupt handler, when its cause is acknowledged. */
static int32_t diskInterrupted(Disk *d) {
    d->patience = LOOK_AGAIN;
    diskCollect(d);
    return BUS_INTR_CLAIMED;
}

static int32_t diskGeometry(void *instance, DrvBlockGeometry *g) {
    Disk *d = instance;
    g->sectors = d->sectors;
    g->maxSectors = MOST;
    g->depth = DEPTH;
    g->flags = d->features & F_READONLY ? DRV_BLOCK_READONLY : 0;
    return DRV_OK;
}

static int32_t diskSubmit(void *instance, const DrvBlockRequest *r) {
    Disk *d = instance;
    uint32_t slot = 0;
    uint32_t size = r->count * 512;
    if (r->op == DRV_BLOCK_READ || r->op == DRV_BLOCK_WRITE) {
        if (r->count > MOST) return DRV_ERANGE;
    }
    if (r->op == DRV_BLOCK_WRITE && d->features & F_READONLY) return DRV_EROFS;
    if (r->op == DRV_BLOCK_FLUSH && !(d->features & F_FLUSH)) return DRV_ENOTSUP;
    if (r->op == DRV_BLOCK_DISCARD && !(d->features & F_DISCARD)) return DRV_ENOTSUP;
    while (slot < DEPTH && d->pending[slot].used) slot++;
    if (slot == DEPTH || d->queue.freeCount < 3) return DRV_EAGAIN;

    Slot *s = &d->slots[slot];
    uint64_t bus = d->slotsBus + slot * sizeof(Slot), data = d->dataBus + slot * MOST * 512u;
    VirtBuffer buffers[3];
    uint16_t count = 0;
    s->head = (Head){ T_IN, 0, r->sector };
    s->status = 0xff;
    buffers[count++] = (VirtBuffer){ bus + offsetof(Slot, head), sizeof(Head), 0 };
    switch (r->op) {
    case DRV_BLOCK_READ: buffers[count++] = (VirtBuffer){ data, size, VD_WRITE }; break;
    case DRV_BLOCK_WRITE:
        s->head.type = T_OUT;
        memcpy(d->data + slot * MOST * 512u, r->data, size);
        buffers[count++] = (VirtBuffer){ data, size, 0 };
        break;
    case DRV_BLOCK_FLUSH:
        s->head.type = T_FLUSH;
        s->head.sector = 0;
        break;
    case DRV_BLOCK_DISCARD:
        s->head.type = T_DISCARD;
        s->head.sector = 0;
        s->discard = (Discard){ r->sector, r->count, 0 };
        buffers[count++] = (VirtBuffer){ bus + offsetof(Slot, discard), sizeof(Discard), 0 };
        break;
    default: return DRV_ENOTSUP;
    }
    buffers[count++] = (VirtBuffer){ bus + offsetof(Slot, status), 1, VD_WRITE };
    int32_t head = virtPut(&d->queue, buffers, count);
    if (head < 0) return head;
    d->pending[slot].request = r->request;
    d->pending[slot].to = r->op == DRV_BLOCK_READ ? r->data : NULL;
    d->pending[slot].size = size;
    d->pending[slot].used = 1;
    d->slotOf[head] = (uint8_t)slot;
    d->inFlight++;
    d->s->store32(d->s->self, VM_NOTIFY, 0);
    if (!d->timeout) d->s->timeoutSet(d->s->self, diskLookAgain, d, d->patience, &d->timeout);
    return DRV_OK;
}

/* Its line is masked: what the device has done is seen by looking, until an interrupt comes again. */
static void diskEvent(void *instance, uint32_t event) {
    Disk *d = instance;
    if (event == DRV_EVENT_DEFECTIVE) d->patience = LOOK_OFTEN;
}

static const DrvBlockOps diskOps = { sizeof diskOps, diskGeometry, diskSubmit };

static int32_t diskUnload(void *instance) {
    Disk *d = instance;
    const DrvServices *s = d->s;
    if (d->device) {
        int32_t result = s->deviceUnregister(s->self, d->device);
        if (result < 0) return result;
    }
    s->store32(s->self, VM_STATUS, 0);
    if (d->timeout) s->timeoutCancel(s->self, d->timeout);
    if (d->intr) s->intrDetach(s->self, d->intr);
    if (d->queue.dma) s->dmaFree(s->self, d->queue.dma);
    if (d->slotsDma) s->dmaFree(s->self, d->slotsDma);
    if (d->dataDma) s->dmaFree(s->self, d->dataDma);
    s->memFree(s->self, d);
    return DRV_OK;
}

static int32_t diskStart(Disk *d, DrvIntrFn interrupt, const char *name) {
    const DrvServices *s = d->s;
    void *slots, *data;
    int32_t result = virtBegin(s, F_READONLY | F_FLUSH | F_DISCARD, &d->features);
    if (result >= 0) result = virtQueueMake(&d->queue, s, 0);
    if (result >= 0) result = s->dmaAlloc(s->self, DEPTH * sizeof(Slot), &slots, &d->slotsBus, &d->slotsDma);
    if (result >= 0) d->slots = slots, result = s->dmaAlloc(s->self, DEPTH * MOST * 512u, &data, &d->dataBus, &d->dataDma);
    if (result >= 0) d->data = data, result = s->intrAttach(s->self, 0, 10, interrupt, d, &d->intr);
    if (result < 0) return result;
    d->sectors = s->load32(s->self, VM_CONFIGURATION) | (uint64_t)s->load32(s->self, VM_CONFIGURATION + 4) << 32;
    virtStart(s);
    return s->deviceRegister(s->self, DRV_CLASS_BLOCK, name, &diskOps, &d->device);
}

/* An instance whose disk is called `name`; `interrupt` gets the Disk and ends in diskInterrupted. */
static int32_t diskInit(const DrvServices *s, void **instance, DrvIntrFn interrupt, const char *name) {
    Disk *d = s->memAlloc(s->self, sizeof *d);
    if (!d) return DRV_ENOMEM;
    d->s = s;
    d->patience = LOOK_AGAIN;
    int32_t result = diskStart(d, interrupt, name);
    if (result < 0) diskUnload(d);
    *instance = d;
    return result;
}
#endif
