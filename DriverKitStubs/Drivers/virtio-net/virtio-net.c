/* virtio-net: network devices (VIRTIO 1.2, section 5.1), one pair of queues, frames as they are. A buffer lies ready for each frame
 * that the ring can hold; sent frames are collected when the next one is sent, so that sending costs no interrupt. */
#include "../virtio.h"

DRV_NOTE("virtio-net", "1.0.0");

enum { F_MTU = 1u << 3, F_MAC = 1u << 5, F_STATUS = 1u << 16 };
enum { C_MAC = VM_CONFIGURATION, C_STATUS = VM_CONFIGURATION + 6, C_MTU = VM_CONFIGURATION + 10, LINK_UP = 1 };
enum { I_QUEUE = 1, I_CONFIGURATION = 2, RECEIVE = 0, TRANSMIT = 1, NO_INTERRUPT = 1 };
#define HEAD 12u                /* struct virtio_net_hdr: all zero, as no offloads are agreed on */
#define LOOK_AGAIN 50000000u    /* nanoseconds until a full ring is looked at without an interrupt */

typedef struct Net {
    const DrvServices *s;
    DrvHandle device, intr, receiveDma, transmitDma, timeout;
    VirtQueue receive, transmit;
    uint32_t features, room;    /* room: bytes of a buffer, head and frame */
    unsigned char *input, *output;
    uint64_t inputBus, outputBus;
    uint8_t bufferOf[VQ_SIZE];  /* of the receive ring, by head of the chain */
    uint8_t slotOf[VQ_SIZE];    /* of the transmit ring */
    uint8_t slots[VQ_SIZE];     /* free ones */
    uint32_t freeSlots;
    int wantsRoom, isBroken;
    uint16_t mtu;
    uint8_t address[6];
} Net;

static int32_t offer(Net *n, uint32_t buffer) {
    VirtBuffer b = { n->inputBus + (uint64_t)buffer * n->room, n->room, VD_WRITE };
    int32_t head = virtPut(&n->receive, &b, 1);
    if (head >= 0) n->bufferOf[head] = (uint8_t)buffer;
    return head;
}

static void receive(Net *n) {
    uint32_t written, count = 0;
    int32_t head;
    while ((head = virtTake(&n->receive, &written)) >= 0) {
        uint32_t buffer = n->bufferOf[head];
        /* The device may claim anything. */
        if (written > HEAD && written <= n->room) n->s->netInput(n->s->self, n->device, n->input + buffer * n->room + HEAD, written - HEAD);
        offer(n, buffer);
        count++;
    }
    if (count > 0) n->s->store32(n->s->self, VM_NOTIFY, RECEIVE);
}

/* Slots of what has been sent. */
static void collect(Net *n) {
    uint32_t written;
    int32_t head;
    while ((head = virtTake(&n->transmit, &written)) >= 0) {
        if (n->freeSlots < VQ_SIZE) n->slots[n->freeSlots++] = n->slotOf[head];
    }
}

static void roomAgain(Net *n) {
    collect(n);
    if (!n->wantsRoom || n->freeSlots == 0) return;
    n->wantsRoom = 0;
    n->transmit.rings->available.flags = NO_INTERRUPT;
    n->s->charReady(n->s->self, n->device);
}

static void lookAgain(void *cookie) {
    Net *n = cookie;
    n->timeout = 0;
    roomAgain(n);
    if (n->wantsRoom) n->s->timeoutSet(n->s->self, lookAgain, n, LOOK_AGAIN, &n->timeout);
}

static int32_t interrupt(void *cookie) {
    Net *n = cookie;
    uint32_t bits = n->s->load32(n->s->self, VM_INTERRUPTS);
    if (bits == 0 || bits == ~0u) return BUS_INTR_UNCLAIMED;
    n->s->store32(n->s->self, VM_ACKNOWLEDGE, bits);
    if (bits & I_CONFIGURATION) {
        if (!n->isBroken && n->s->load32(n->s->self, VM_STATUS) & VS_NEEDS_RESET) {
            n->isBroken = 1;
            n->s->log(n->s->self, 0, "the device needs a reset");
        }
        n->s->charReady(n->s->self, n->device);         /* the link went up or down */
    }
    receive(n);
    roomAgain(n);
    return BUS_INTR_CLAIMED;
}

static int32_t info(void *instance, DrvNetInfo *out) {
    Net *n = instance;
    memcpy(out->address, n->address, sizeof out->address);
    out->mtu = n->mtu;
    if (out->size >= offsetof(DrvNetInfo, flags) + sizeof out->flags) {
        int isUp = !(n->features & F_STATUS) || n->s->load16(n->s->self, C_STATUS) & LINK_UP;
        out->flags = isUp && !n->isBroken ? DRV_NET_UP : 0;
    }
    return DRV_OK;
}

static int32_t sendFrame(void *instance, const void *frame, uint32_t count) {
    Net *n = instance;
    if (n->isBroken) return DRV_EIO;
    if (count > n->room - HEAD) return DRV_ERANGE;
    collect(n);
    if (n->freeSlots == 0) {
        n->wantsRoom = 1;
        n->transmit.rings->available.flags = 0;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        collect(n);     /* what came before the device saw that */
        if (n->freeSlots == 0) {
            if (!n->timeout) n->s->timeoutSet(n->s->self, lookAgain, n, LOOK_AGAIN, &n->timeout);
            return DRV_EAGAIN;
        }
        n->wantsRoom = 0;
        n->transmit.rings->available.flags = NO_INTERRUPT;
    }
    uint32_t slot = n->slots[n->freeSlots - 1];
    VirtBuffer b = { n->outputBus + (uint64_t)slot * n->room, HEAD + count, 0 };
    memcpy(n->output + slot * n->room + HEAD, frame, count);    /* the head before it stays zero */
    int32_t head = virtPut(&n->transmit, &b, 1);
    if (head < 0) return head;
    n->slotOf[head] = (uint8_t)slot;
    n->freeSlots--;
    n->s->store32(n->s->self, VM_NOTIFY, TRANSMIT);
    return DRV_OK;
}

static const DrvNetOps ops = { sizeof ops, info, sendFrame };

static int32_t unload(void *instance) {
    Net *n = instance;
    const DrvServices *s = n->s;
    if (n->device) {
        int32_t result = s->deviceUnregister(s->self, n->device);
        if (result < 0) return result;
    }
    s->store32(s->self, VM_STATUS, 0);
    if (n->timeout) s->timeoutCancel(s->self, n->timeout);
    if (n->intr) s->intrDetach(s->self, n->intr);
    if (n->receive.dma) s->dmaFree(s->self, n->receive.dma);
    if (n->transmit.dma) s->dmaFree(s->self, n->transmit.dma);
    if (n->receiveDma) s->dmaFree(s->self, n->receiveDma);
    if (n->transmitDma) s->dmaFree(s->self, n->transmitDma);
    s->memFree(s->self, n);
    return DRV_OK;
}

static int32_t start(Net *n) {
    const DrvServices *s = n->s;
    void *input, *output;
    DrvDeviceInfo device = { .size = sizeof device };
    int32_t result = virtBegin(s, F_MTU | F_MAC | F_STATUS, &n->features);
    if (result < 0) return result;
    if (!(n->features & F_MAC)) return DRV_ENOTSUP;
    for (uint32_t i = 0; i < 6; i++) n->address[i] = s->load8(s->self, C_MAC + i);
    n->mtu = n->features & F_MTU ? s->load16(s->self, C_MTU) : 1500;
    n->room = (HEAD + 14u + 4u + n->mtu + 63u) & ~63u;          /* header and an 802.1Q tag */
    result = virtQueueMake(&n->receive, s, RECEIVE);
    if (result >= 0) result = virtQueueMake(&n->transmit, s, TRANSMIT);
    if (result >= 0) result = s->dmaAlloc(s->self, VQ_SIZE * n->room, &input, &n->inputBus, &n->receiveDma);
    if (result >= 0) n->input = input, result = s->dmaAlloc(s->self, VQ_SIZE * n->room, &output, &n->outputBus, &n->transmitDma);
    if (result >= 0) n->output = output, result = s->intrAttach(s->self, 0, 10, interrupt, n, &n->intr);
    if (result >= 0) result = s->deviceInfo(s->self, &device);
    if (result < 0) return result;
    for (uint32_t i = 0; i < VQ_SIZE; i++) {
        n->slots[n->freeSlots++] = (uint8_t)i;
        offer(n, i);
    }
    n->transmit.rings->available.flags = NO_INTERRUPT;
    /* The device's name in the manifest is the link's. */
    result = s->deviceRegister(s->self, DRV_CLASS_NET, device.name, &ops, &n->device);
    if (result < 0) return result;
    virtStart(s);
    return DRV_OK;
}

static int32_t init(const DrvServices *s, void **instance) {
    Net *n = s->memAlloc(s->self, sizeof *n);
    if (!n) return DRV_ENOMEM;
    n->s = s;
    int32_t result = start(n);
    if (result < 0) unload(n);
    *instance = n;
    return result;
}

static const DrvMatch match[] = { { "virtio-mmio", 1 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "virtio-net", "virtio network devices",
                               match, 1, NULL, init, unload, NULL };
