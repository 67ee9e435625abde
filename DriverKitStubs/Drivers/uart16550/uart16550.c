/* uart16550: a serial port (National Semiconductor PC16550D). Queues on; an interrupt for input, for what is wrong with it, for
 * the modem's lines, and, while output waits, for an empty transmitter. */
#include "driver.h"
#include <string.h>

DRV_NOTE("uart16550", "1.1.0");

enum { DATA = 0, ENABLE = 1, CAUSE = 2, QUEUES = 2, LINE = 3, MODEM = 4, STATUS = 5, MODEM_STATUS = 6 };
enum { E_INPUT = 1, E_OUTPUT = 2, E_LINE = 4, E_MODEM = 8, S_INPUT = 1, S_PARITY = 4, S_FRAME = 8, S_BREAK = 0x10, S_OUTPUT = 0x20 };
enum { L_8BITS = 3, L_STOP = 4, L_PARITY = 8, L_EVEN = 0x10, L_BREAK = 0x40, L_DIVISOR = 0x80, M_DTR = 1, M_RTS = 2, M_OUT2 = 8, M_LOOP = 0x10 };
/* asm-generic/termbits.h, asm-generic/termios.h of Linux. */
enum { C_SIZE = 060, C_STOP = 0100, C_PARITY = 0400, C_ODD = 01000 };
enum { T_DTR = 2, T_RTS = 4, T_CTS = 0x20, T_CAR = 0x40, T_RNG = 0x80, T_DSR = 0x100, T_LOOP = 0x8000 };

/* Nanoseconds until the port is looked at without an interrupt; and while there are none. */
enum { LOOK_AGAIN = 100000000, LOOK_OFTEN = 5000000 };

typedef struct Uart {
    const DrvServices *s;
    DrvHandle device, intr, timeout;
    uint64_t patience;
    uint8_t line, modem;        /* what is in these registers */
    uint8_t wrong;              /* reading the status forgets it, so it is kept: S_PARITY, S_FRAME, S_BREAK of the next byte */
    unsigned char output[1024]; /* a ring */
    uint32_t head, tail;
    int waits;                  /* for an empty transmitter */
} Uart;

static uint8_t status(Uart *u) {
    uint8_t now = u->s->load8(u->s->self, STATUS);
    u->wrong |= now & (S_PARITY | S_FRAME | S_BREAK);
    return now;
}

/* As much as the queue holds: the far end may have no more room than that. */
static void send(Uart *u) {
    const DrvServices *s = u->s;
    int waited = u->waits;
    uint8_t now = status(u);
    for (int i = 0; i < 16 && u->head != u->tail && now & S_OUTPUT; i++) {
        s->store8(s->self, DATA, u->output[u->tail++ % sizeof u->output]);
        now = status(u);
    }
    u->waits = u->head != u->tail || !(now & S_OUTPUT);
    s->store8(s->self, ENABLE, E_INPUT | E_LINE | E_MODEM | (u->waits ? E_OUTPUT : 0));
    if (waited && !u->waits) s->ttyReady(s->self, u->device);
}

static void mark(Uart *u, uint32_t kind, uint32_t value) {
    if (DRV_HAS(u->s, ttyMark)) u->s->ttyMark(u->s->self, u->device, kind, value);
}

static void receive(Uart *u) {
    const DrvServices *s = u->s;
    unsigned char input[64];
    uint32_t count = 0;
    while (count < sizeof input && status(u) & S_INPUT) {
        uint8_t wrong = u->wrong, byte = s->load8(s->self, DATA);
        u->wrong = 0;
        if (!wrong) {
            input[count++] = byte;
            continue;
        }
        if (count > 0) s->ttyInput(s->self, u->device, input, count);
        count = 0;
        mark(u, wrong & S_BREAK ? DRV_TTY_BREAK : DRV_TTY_ERROR, wrong & S_BREAK ? 0 : byte);
    }
    if (count > 0) s->ttyInput(s->self, u->device, input, count);
}

/* The modem's lines, TIOCM_*. Reading them forgets that they changed, so whoever reads tells. */
static uint32_t modemLines(Uart *u) {
    uint8_t now = u->s->load8(u->s->self, MODEM_STATUS);
    uint32_t lines = (now & 0x10 ? T_CTS : 0) | (now & 0x20 ? T_DSR : 0) | (now & 0x40 ? T_RNG : 0) | (now & 0x80 ? T_CAR : 0);
    if (now & 0x0f) mark(u, DRV_TTY_MODEM, lines);
    return lines;
}

static int32_t serve(Uart *u) {
    const DrvServices *s = u->s;
    int32_t claimed = BUS_INTR_UNCLAIMED;
    for (int rounds = 0; rounds < 64; rounds++) {       /* bounded: a stuck port is not ours to wait for */
        uint8_t cause = s->load8(s->self, CAUSE) & 0x0f;
        if (cause & 1) break;
        claimed = BUS_INTR_CLAIMED;
        receive(u);
        if (cause == 0) modemLines(u);
        if (u->waits) send(u);
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

static int32_t pending(void *instance) {
    Uart *u = instance;
    return (int32_t)(u->head - u->tail) + (u->waits ? 1 : 0);
}

static int32_t settings(void *instance, uint32_t baud, uint32_t cflag) {
    Uart *u = instance;
    const DrvServices *s = u->s;
    u->line = (uint8_t)((cflag & C_SIZE) >> 4) | (cflag & C_STOP ? L_STOP : 0) |
              (cflag & C_PARITY ? L_PARITY | (cflag & C_ODD ? 0 : L_EVEN) : 0);
    if (baud) {
        uint32_t divisor = (115200 + baud / 2) / baud;
        if (divisor < 1) divisor = 1;
        if (divisor > 0xffff) divisor = 0xffff;
        s->store8(s->self, LINE, u->line | L_DIVISOR);
        s->store8(s->self, DATA, (uint8_t)divisor);
        s->store8(s->self, ENABLE, (uint8_t)(divisor >> 8));
    }
    s->store8(s->self, LINE, u->line);
    send(u);
    return DRV_OK;
}

static int32_t modem(void *instance, uint32_t set, uint32_t clear) {
    Uart *u = instance;
    const DrvServices *s = u->s;
    static const struct { uint32_t line; uint8_t bit; } outputs[] = { { T_DTR, M_DTR }, { T_RTS, M_RTS }, { T_LOOP, M_LOOP } };
    uint32_t lines = modemLines(u);
    for (unsigned i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        if (clear & outputs[i].line) u->modem &= (uint8_t)~outputs[i].bit;
        if (set & outputs[i].line) u->modem |= outputs[i].bit;
        if (u->modem & outputs[i].bit) lines |= outputs[i].line;
    }
    s->store8(s->self, MODEM, u->modem);
    return (int32_t)lines;
}

static int32_t sendBreak(void *instance, uint32_t on) {
    Uart *u = instance;
    u->s->store8(u->s->self, LINE, u->line | (on ? L_BREAK : 0));
    return DRV_OK;
}

static const DrvTtyOps ops = {
    .size = sizeof ops, .output = output, .settings = settings, .pending = pending, .modem = modem, .sendBreak = sendBreak,
};

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
    u->line = L_8BITS;
    u->modem = M_OUT2 | M_DTR | M_RTS;
    s->store8(s->self, ENABLE, 0);
    s->store8(s->self, LINE, u->line);
    s->store8(s->self, QUEUES, 0xc7);
    int32_t result = s->intrAttach(s->self, 0, 30, interrupt, u, &u->intr);
    if (result >= 0) result = s->timeoutSet(s->self, lookAgain, u, LOOK_AGAIN, &u->timeout);
    if (result >= 0) result = s->deviceInfo(s->self, &info);
    if (result >= 0) {
        result = s->deviceRegister(s->self, DRV_CLASS_TTY, info.name, &ops, &u->device);
        s->store8(s->self, MODEM, u->modem);
        s->store8(s->self, ENABLE, E_INPUT | E_LINE | E_MODEM);
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
