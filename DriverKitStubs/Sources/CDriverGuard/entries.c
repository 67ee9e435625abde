/* entries.c: one function for each way into a driver. Members behind the size that a table claims are not there. */
#define _GNU_SOURCE
#include "guard.h"

/* What these two leave in the register of a result is not looked at. */
typedef int32_t (*Event)(void *, uint32_t);
typedef int32_t (*Timeout)(void *);

#define IN(ops_, type_, member_) \
    ((ops_)->size >= offsetof(type_, member_) + sizeof (ops_)->member_ && (ops_)->member_ ? (ops_)->member_ : NULL)

int32_t drv_call_probe(DrvSelf *self, int32_t (*fn)(const DrvServices *), DrvFault *fault) {
    GUARDED(self, fault, RUN1(self, fn, &self->services));
}
int32_t drv_call_init(DrvSelf *self, int32_t (*fn)(const DrvServices *, void **), void **instance, DrvFault *fault) {
    GUARDED(self, fault, RUN2(self, fn, &self->services, instance));
}
int32_t drv_call_unload(DrvSelf *self, int32_t (*fn)(void *), void *instance, DrvFault *fault) {
    GUARDED(self, fault, RUN1(self, fn, instance));
}
int32_t drv_call_event(DrvSelf *self, void (*fn)(void *, uint32_t), void *instance, uint32_t event, DrvFault *fault) {
    GUARDED(self, fault, (RUN2(self, (Event)fn, instance, event), DRV_OK));
}
int32_t drv_call_interrupt(DrvSelf *self, DrvIntrFn fn, void *cookie, DrvFault *fault) { GUARDED(self, fault, RUN1(self, fn, cookie)); }
int32_t drv_call_timeout(DrvSelf *self, DrvTimeoutFn fn, void *cookie, DrvFault *fault) {
    GUARDED(self, fault, (RUN1(self, (Timeout)fn, cookie), DRV_OK));
}

#define OPS(run_, type_, member_, ...) \
    GUARDED(self, fault, IN(ops, type_, member_) ? run_(self, ops->member_, __VA_ARGS__) : DRV_ENOTSUP)

int32_t drv_call_geometry(DrvSelf *self, const DrvBlockOps *ops, void *instance, DrvBlockGeometry *out, DrvFault *fault) {
    OPS(RUN2, DrvBlockOps, geometry, instance, out);
}
int32_t drv_call_submit(DrvSelf *self, const DrvBlockOps *ops, void *instance, const DrvBlockRequest *request, DrvFault *fault) {
    OPS(RUN2, DrvBlockOps, submit, instance, request);
}
int32_t drv_call_read(DrvSelf *self, const DrvCharOps *ops, void *instance, void *bytes, uint32_t count, uint64_t offset, DrvFault *fault) {
    OPS(RUN4, DrvCharOps, read, instance, bytes, count, offset);
}
int32_t drv_call_write(DrvSelf *self, const DrvCharOps *ops, void *instance, const void *bytes, uint32_t count, uint64_t offset, DrvFault *fault) {
    OPS(RUN4, DrvCharOps, write, instance, bytes, count, offset);
}
int32_t drv_call_control(DrvSelf *self, const DrvCharOps *ops, void *instance, uint32_t command, void *data, uint32_t size, DrvFault *fault) {
    OPS(RUN4, DrvCharOps, control, instance, command, data, size);
}
int32_t drv_call_output(DrvSelf *self, const DrvTtyOps *ops, void *instance, const void *bytes, uint32_t count, DrvFault *fault) {
    OPS(RUN3, DrvTtyOps, output, instance, bytes, count);
}
int32_t drv_call_settings(DrvSelf *self, const DrvTtyOps *ops, void *instance, uint32_t baud, uint32_t cflag, DrvFault *fault) {
    OPS(RUN3, DrvTtyOps, settings, instance, baud, cflag);
}
int32_t drv_call_window(DrvSelf *self, const DrvTtyOps *ops, void *instance, uint16_t *rows, uint16_t *columns, DrvFault *fault) {
    OPS(RUN3, DrvTtyOps, window, instance, rows, columns);
}
int32_t drv_call_pending(DrvSelf *self, const DrvTtyOps *ops, void *instance, DrvFault *fault) {
    OPS(RUN1, DrvTtyOps, pending, instance);
}
int32_t drv_call_modem(DrvSelf *self, const DrvTtyOps *ops, void *instance, uint32_t set, uint32_t clear, DrvFault *fault) {
    OPS(RUN3, DrvTtyOps, modem, instance, set, clear);
}
int32_t drv_call_break(DrvSelf *self, const DrvTtyOps *ops, void *instance, uint32_t on, DrvFault *fault) {
    OPS(RUN2, DrvTtyOps, sendBreak, instance, on);
}
int32_t drv_call_net_info(DrvSelf *self, const DrvNetOps *ops, void *instance, DrvNetInfo *info, DrvFault *fault) {
    OPS(RUN2, DrvNetOps, info, instance, info);
}
int32_t drv_call_send(DrvSelf *self, const DrvNetOps *ops, void *instance, const void *frame, uint32_t count, DrvFault *fault) {
    OPS(RUN3, DrvNetOps, send, instance, frame, count);
}
int32_t drv_call_clock_get(DrvSelf *self, const DrvClockOps *ops, void *instance, int64_t *seconds, DrvFault *fault) {
    OPS(RUN2, DrvClockOps, get, instance, seconds);
}
int32_t drv_call_clock_set(DrvSelf *self, const DrvClockOps *ops, void *instance, int64_t seconds, DrvFault *fault) {
    OPS(RUN2, DrvClockOps, set, instance, seconds);
}
int32_t drv_call_entropy(DrvSelf *self, const DrvEntropyOps *ops, void *instance, void *bytes, uint32_t count, DrvFault *fault) {
    OPS(RUN3, DrvEntropyOps, read, instance, bytes, count);
}

int32_t drv_call_bus_info(DrvSelf *self, const DrvBusOps *ops, void *instance, DrvBusInfo *info, DrvFault *fault) {
    OPS(RUN2, DrvBusOps, info, instance, info);
}
int32_t drv_call_bus_load(DrvSelf *self, const DrvBusOps *ops, void *instance, uint32_t offset, uint32_t width, uint64_t *value, DrvFault *fault) {
    OPS(RUN4, DrvBusOps, load, instance, offset, width, value);
}
int32_t drv_call_bus_store(DrvSelf *self, const DrvBusOps *ops, void *instance, uint32_t offset, uint32_t width, uint64_t value, DrvFault *fault) {
    OPS(RUN4, DrvBusOps, store, instance, offset, width, value);
}
int32_t drv_call_bus_reset(DrvSelf *self, const DrvBusOps *ops, void *instance, DrvFault *fault) {
    OPS(RUN1, DrvBusOps, reset, instance);
}

int32_t drv_ops_size(DrvSelf *self, const void *ops, uint32_t *size, DrvFault *fault) {
    GUARDED(self, fault, (*size = *(const volatile uint32_t *)ops, DRV_OK));
}
