/* virtio-console: consoles (VIRTIO 1.2, section 5.3), port 0, as serial lines with a window. Nothing is lost: while the line takes
 * no more input, buffers are not given back, and the far end waits. */
#include "../virtio.h"

DRV_NOTE("virtio-console", "1.0.0");

enum { F_SIZE = 1u << 0, RECEIVE = 0, TRANSMIT = 1 };
#define COUNT 16u               /* buffers each way */
#define ROOM 512u
#define LOOK_AGAIN 10000000u    /* nanoseconds: input that was not taken is offered again, a lost interrupt made up for */

typedef struct Console {
    const DrvServices *s;
    DrvHandle device, intr, dma, timeout;
    VirtQueue receive, transmit;
    uint32_t features;
    unsigned char *input, *output;      /* COUNT * ROOM each */
    uint64_t inputBus, outputBus;
    uint8_t bufferOf[2][VQ_SIZE];       /* by queue and head of the chain */
    uint8_t slots[COUNT];               /* free ones of output */
    uint32_t freeSlots;
    int isFull;                         /* output was refused */
    uint32_t held, heldFrom, heldTo;    /* input that was not taken: buffer, bytes */
} Console;

static int32_t put(Console *c, VirtQueue *q, uint32_t number, uint32_t buffer, uint32_t size) {
    VirtBuffer b = { (number == RECEIVE ? c->inputBus : c->outputBus) + buffer * ROOM, size, number == RECEIVE ? VD_WRITE : 0 };
    int32_t head = virtPut(q, &b, 1);
    if (head >= 0) c->bufferOf[number][head] = (uint8_t)buffer;
    return head;
}

static void lookAgain(void *cookie);
static void later(Console *c) {
    if (!c->timeout) c->s->timeoutSet(c->s->self, lookAgain, c, LOOK_AGAIN, &c->timeout);
}

static void receive(Console *c) {
    const DrvServices *s = c->s;
    uint32_t count = 0;
    for (;;) {
        if (c->heldFrom == c->heldTo) {
            uint32_t written;
            int32_t head = virtTake(&c->receive, &written);
            if (head < 0) break;
            c->held = c->bufferOf[RECEIVE][head];
            c->heldFrom = 0;
            c->heldTo = written <= ROOM ? written : 0;          /* the device may claim anything */
        }
        if (c->heldFrom < c->heldTo) c->heldFrom += s->ttyInput(s->self, c->device, c->input + c->held * ROOM + c->heldFrom, c->heldTo - c->heldFrom);
        if (c->heldFrom < c->heldTo) {
            later(c);
            break;
        }
        put(c, &c->receive, RECEIVE, c->held, ROOM);
        count++;
    }
    if (count > 0) s->store32(s->self, VM_NOTIFY, RECEIVE);
}

static void collect(Console *c) {
    uint32_t written;
    int32_t head;
    while ((head = virtTake(&c->transmit, &written)) >= 0) {
        if (c->freeSlots < COUNT) c->slots[c->freeSlots++] = c->bufferOf[TRANSMIT][head];
    }
}

static void sent(Console *c) {
    collect(c);
    if (!c->isFull || c->freeSlots == 0) return;
    c->isFull = 0;
    c->s->ttyReady(c->s->self, c->device);
}

static void lookAgain(void *cookie) {
    Console *c = cookie;
    c->timeout = 0;
    receive(c);
    sent(c);
    if (c->isFull) later(c);
}

static int32_t interrupt(void *cookie) {
    Console *c = cookie;
    uint32_t bits = c->s->load32(c->s->self, VM_INTERRUPTS);
    if (bits == 0 || bits == ~0u) return BUS_INTR_UNCLAIMED;
    c->s->store32(c->s->self, VM_ACKNOWLEDGE, bits);
    receive(c);
    sent(c);
    return BUS_INTR_CLAIMED;
}

static int32_t output(void *instance, const void *bytes, uint32_t count) {
    Console *c = instance;
    const unsigned char *from = bytes;
    uint32_t taken = 0;
    collect(c);
    while (taken < count && c->freeSlots > 0) {
        uint32_t slot = c->slots[c->freeSlots - 1], size = count - taken < ROOM ? count - taken : ROOM;
        memcpy(c->output + slot * ROOM, from + taken, size);
        if (put(c, &c->transmit, TRANSMIT, slot, size) < 0) break;
        c->freeSlots--;
        taken += size;
    }
    if (taken > 0) c->s->store32(c->s->self, VM_NOTIFY, TRANSMIT);
    if (taken < count) {
        c->isFull = 1;
        later(c);
    }
    return (int32_t)taken;
}

static int32_t settings(void *instance, uint32_t baud, uint32_t cflag) {
    (void)instance, (void)baud, (void)cflag;    /* there is no wire */
    return DRV_OK;
}

static int32_t window(void *instance, uint16_t *rows, uint16_t *columns) {
    Console *c = instance;
    if (!(c->features & F_SIZE)) return DRV_ENOTSUP;
    *columns = c->s->load16(c->s->self, VM_CONFIGURATION);
    *rows = c->s->load16(c->s->self, VM_CONFIGURATION + 2);
    return DRV_OK;
}

static const DrvTtyOps ops = { .size = sizeof ops, .output = output, .settings = settings, .window = window };

static int32_t unload(void *instance) {
    Console *c = instance;
    const DrvServices *s = c->s;
    if (c->device) {
        int32_t result = s->deviceUnregister(s->self, c->device);
        if (result < 0) return result;
    }
    s->store32(s->self, VM_STATUS, 0);
    if (c->timeout) s->timeoutCancel(s->self, c->timeout);
    if (c->intr) s->intrDetach(s->self, c->intr);
    if (c->receive.dma) s->dmaFree(s->self, c->receive.dma);
    if (c->transmit.dma) s->dmaFree(s->self, c->transmit.dma);
    if (c->dma) s->dmaFree(s->self, c->dma);
    s->memFree(s->self, c);
    return DRV_OK;
}

static int32_t start(Console *c) {
    const DrvServices *s = c->s;
    void *memory;
    uint64_t bus;
    DrvDeviceInfo device = { .size = sizeof device };
    int32_t result = virtBegin(s, F_SIZE, &c->features);
    if (result >= 0) result = virtQueueMake(&c->receive, s, RECEIVE);
    if (result >= 0) result = virtQueueMake(&c->transmit, s, TRANSMIT);
    if (result >= 0) result = s->dmaAlloc(s->self, 2 * COUNT * ROOM, &memory, &bus, &c->dma);
    if (result >= 0) result = s->deviceInfo(s->self, &device);
    if (result >= 0) result = s->intrAttach(s->self, 0, 30, interrupt, c, &c->intr);
    if (result < 0) return result;
    c->input = memory;
    c->inputBus = bus;
    c->output = c->input + COUNT * ROOM;
    c->outputBus = bus + COUNT * ROOM;
    for (uint32_t i = 0; i < COUNT; i++) {
        c->slots[c->freeSlots++] = (uint8_t)i;
        put(c, &c->receive, RECEIVE, i, ROOM);
    }
    /* The device's name in the manifest is the terminal's: hvc0. */
    result = s->deviceRegister(s->self, DRV_CLASS_TTY, device.name, &ops, &c->device);
    if (result < 0) return result;
    virtStart(s);
    s->store32(s->self, VM_NOTIFY, RECEIVE);    /* what was there before us */
    return DRV_OK;
}

static int32_t init(const DrvServices *s, void **instance) {
    Console *c = s->memAlloc(s->self, sizeof *c);
    if (!c) return DRV_ENOMEM;
    c->s = s;
    int32_t result = start(c);
    if (result < 0) unload(c);
    *instance = c;
    return result;
}

static const DrvMatch match[] = { { "virtio-mmio", 3 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "virtio-console", "consoles as terminals",
                               match, 1, NULL, init, unload, NULL };
