/* uart16550: a serial port (National Semiconductor PC16550D). Queues on, an interrupt for input and, while output waits, for an
 * empty transmitter. */
#include "driver.h"
#include <string.h>

DRV_NOTE("uart16550", "1.0.0");

enum { DATA = 0, ENABLE = 1, CAUSE = 2, QUEUES = 2, LINE = 3, MODEM = 4, STATUS = 5 };
enum { E_INPUT = 1, E_OUTPUT = 2, E_LINE = 4, S_INPUT = 1, S_OUTPUT = 0x20, L_8BITS = 3, L_DIVISOR = 0x80, M_OUT2 = 8, M_READY = 3 };

/* Nanoseconds until the port is looked at without an interrupt; and while there are none. */
enum { LOOK_AGAIN = 100000000, LOOK_OFTEN = 5000000 };

typedef struct Uart {
    const DrvServices *s;
    DrvHandle device, intr, timeout;
    uint64_t patience;
    unsigned char output[1024]; /* a ring */
    uint32_t head, tail;
} Uart;

/* As much as the queue holds: the far end may have no more room than that. */
static void send(Uart *u) {
    const DrvServices *s = u->s;
    for (int i = 0; i < 16 && u->head != u->tail && s->load8(s->self, STATUS) & S_OUTPUT; i++) {
        s->store8(s->self, DATA, u->output[u->tail++ % sizeof u->output]);
    }
    s->store8(s->self, ENABLE, E_INPUT | E_LINE | (u->head != u->tail ? E_OUTPUT : 0));
}

static int32_t serve(Uart *u) {
    const DrvServices *s = u->s;
    int32_t claimed = BUS_INTR_UNCLAIMED;
    for (int rounds = 0; rounds < 64; rounds++) {       /* bounded: a stuck port is not ours to wait for */
        uint8_t cause = s->load8(s->self, CAUSE) & 0x0f;
        unsigned char input[64];
        uint32_t count = 0;
        if (cause & 1) break;
        claimed = BUS_INTR_CLAIMED;
        while (count < sizeof input && s->load8(s->self, STATUS) & S_INPUT) input[count++] = s->load8(s->self, DATA);
        if (count > 0) s->ttyInput(s->self, u->device, input, count);
        if (u->head != u->tail) {
            send(u);
            if (u->head == u->tail) s->ttyReady(s->self, u->device);
        }
    }
    return claimed;
}

static int32_t interrupt(void *cookie) {
    Uart *u = cookie;
    int32_t claimed = serve(u);
    if (claimed == BUS_INTR_CLAIMED) u->patience = LOOK_AGAIN;
    return claimed;
}

/* A byte whose interrupt was lost does not wait for the next one. */
static void lookAgain(void *cookie) {
    Uart *u = cookie;
    serve(u);
    u->s->timeoutSet(u->s->self, lookAgain, u, u->patience, &u->timeout);
}

static void event(void *instance, uint32_t event) {
    Uart *u = instance;
    if (event == DRV_EVENT_DEFECTIVE) u->patience = LOOK_OFTEN;
}

static int32_t output(void *instance, const void *bytes, uint32_t count) {
    Uart *u = instance;
    const unsigned char *from = bytes;
    uint32_t taken = 0;
    while (taken < count && u->head - u->tail < sizeof u->output) u->output[u->head++ % sizeof u->output] = from[taken++];
    send(u);
    serve(u);
    return (int32_t)taken;
}

static int32_t settings(void *instance, uint32_t baud, uint32_t cflag) {
    Uart *u = instance;
    const DrvServices *s = u->s;
    uint32_t divisor = baud ? 115200 / baud : 1;
    if (divisor < 1) divisor = 1;
    if (divisor > 0xffff) divisor = 0xffff;
    uint8_t line = L_8BITS | (cflag & 0100 ? 4 : 0) | (cflag & 0400 ? 8 : cflag & 01000 ? 8 : 0);
    s->store8(s->self, LINE, line | L_DIVISOR);
    s->store8(s->self, DATA, (uint8_t)divisor);
    s->store8(s->self, ENABLE, (uint8_t)(divisor >> 8));
    s->store8(s->self, LINE, line);
    send(u);
    return DRV_OK;
}

static const DrvTtyOps ops = { sizeof ops, output, settings, NULL };

static int32_t unload(void *instance) {
    Uart *u = instance;
    const DrvServices *s = u->s;
    if (u->device) {
        int32_t result = s->deviceUnregister(s->self, u->device);
        if (result < 0) return result;
    }
    s->store8(s->self, ENABLE, 0);
    s->store8(s->self, MODEM, 0);
    if (u->timeout) s->timeoutCancel(s->self, u->timeout);
    if (u->intr) s->intrDetach(s->self, u->intr);
    s->memFree(s->self, u);
    return DRV_OK;
}

static int32_t init(const DrvServices *s, void **instance) {
    DrvDeviceInfo info = { .size = sizeof info };
    Uart *u = s->memAlloc(s->self, sizeof *u);
    if (!u) return DRV_ENOMEM;
    u->s = s;
    u->patience = LOOK_AGAIN;
    s->store8(s->self, ENABLE, 0);
    s->store8(s->self, LINE, L_8BITS);
    s->store8(s->self, QUEUES, 0xc7);
    int32_t result = s->intrAttach(s->self, 0, 30, interrupt, u, &u->intr);
    if (result >= 0) result = s->timeoutSet(s->self, lookAgain, u, LOOK_AGAIN, &u->timeout);
    if (result >= 0) result = s->deviceInfo(s->self, &info);
    if (result >= 0) {
        result = s->deviceRegister(s->self, DRV_CLASS_TTY, info.name, &ops, &u->device);
        s->store8(s->self, MODEM, M_OUT2 | M_READY);
        s->store8(s->self, ENABLE, E_INPUT | E_LINE);
    }
    if (result < 0) unload(u);
    *instance = u;
    return result;
}

static int32_t probe(const DrvServices *s) {
    s->store8(s->self, 7, 0x5a);
    return s->load8(s->self, 7) == 0x5a ? DRV_OK : DRV_ENODEV;
}

static const DrvMatch match[] = { { "ns16550a", 0 } };
const DrvDriver drv_driver = { sizeof drv_driver, DRV_ABI_MAJOR, DRV_ABI_MINOR, "uart16550", "serial ports",
                               match, 1, probe, init, unload, event };
