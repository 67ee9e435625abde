import CDriverGuard

/// An instance whose driver's timeouts are in its ledger, whichever process the driver is in.
protocol TimeoutOwner: AnyObject, Sendable {
    /// Reached with the instance's lock held only, as in each call of the driver.
    var ledger: Ledger { get set }
    var timeouts: Timeouts { get }
    func newHandle() -> UInt64
    func call(_ body: (UnsafeMutablePointer<DrvSelf>, UnsafeMutableRawPointer?, inout DrvFault) -> Int32) -> Int32
}

extension TimeoutOwner {
    /// DrvServices.timeoutSet, inside a call of the driver.
    func setTimeout(
        _ function: @escaping DrvTimeoutFn, _ cookie: UnsafeMutableRawPointer?, after nanoseconds: UInt64,
        _ timeout: UnsafeMutablePointer<UInt64>
    ) -> Int32 {
        guard ledger.timeouts.count < Ledger.mostEntries else { return DRV_ENOMEM }
        let handle = newHandle()
        nonisolated(unsafe) let cookie = cookie  // the driver's own; it comes back to the driver alone
        let isSet = timeouts.set(handle, at: monotonicNow() &+ min(nanoseconds, 1 << 60)) { [self] in
            _ = call { own, _, fault in
                // Taken back meanwhile.
                guard ledger.timeouts.remove(handle) != nil else { return DRV_OK }
                return drv_call_timeout(own, function, cookie, &fault)
            }
        }
        guard isSet else { return DRV_ENOMEM }
        ledger.timeouts.insert(handle)
        timeout.pointee = handle
        return DRV_OK
    }

    /// DrvServices.timeoutCancel, inside a call of the driver.
    func cancelTimeout(_ handle: UInt64) -> Int32 {
        guard ledger.timeouts.remove(handle) != nil else { return DRV_EINVAL }
        _ = timeouts.cancel(handle)
        return DRV_OK
    }
}

extension DriverInstance: TimeoutOwner {
    var timeouts: Timeouts { server.timeouts }
    func newHandle() -> UInt64 { server.newHandle() }
}

extension HostInstance: TimeoutOwner {
    var timeouts: Timeouts { host.timeouts }
    func newHandle() -> UInt64 { host.newName() }
}
