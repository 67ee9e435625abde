import ActorKit
import CChorus

extension ProcessManager {
    private var cookie: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    private static func instance(_ cookie: UnsafeMutableRawPointer?) -> ProcessManager? {
        cookie.map { Unmanaged<ProcessManager>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Opens the gate: threads, traps, exceptions, aborts and the port. Undoes what it did when something fails.
    func connect() -> Int32 {
        timers.afterBatch = { [unowned self] in drain() }
        let steps: [() -> Int32] = [
            { self.timers.start(self.nucleus) }, connectTraps, connectFaults, connectPort,
        ]
        for step in steps {
            let code = step()
            if code < 0 {
                disconnect()
                return code
            }
        }
        return K_OK
    }

    private func connectTraps() -> Int32 {
        let code = nucleus.svTrapConnect(
            K_TRAP_SYSCALL,
            { cookie, frame in
                guard let manager = ProcessManager.instance(cookie), let frame else { return K_PARKED }
                let code = manager.trap(frame)
                manager.drain()
                return code
            }, cookie)
        guard code >= 0 else { return code }
        let signatures = TrapSignatures.all()
        return nucleus.svTrapSignatures(K_TRAP_SYSCALL, 0, signatures, UInt32(signatures.count))
    }

    private func connectFaults() -> Int32 {
        let code = nucleus.svExcHandler(
            { cookie, frame in
                guard let manager = ProcessManager.instance(cookie), let frame else { return K_PARKED }
                return manager.enter { manager.exception(frame.pointee) }
            }, cookie)
        guard code >= 0 else { return code }
        return nucleus.svAbortHandler(
            { cookie, _, threadCookie in
                guard let manager = ProcessManager.instance(cookie) else { return K_PARKED }
                return manager.enter { manager.aborted(threadCookie) }
            }, cookie)
    }

    private func connectPort() -> Int32 {
        var code = nucleus.grpAllocate(K_STATSYS, &group, K_STAMP_PROCESS)
        guard code >= 0 else { return code }
        port = nucleus.portCreate(nil, &portUi)
        guard port > 0 else { return port }
        code = nucleus.svMsgHandler(
            port,
            { cookie, _, annex, body, size, replyAnnex, replyBody, replySize in
                guard let manager = ProcessManager.instance(cookie), let annex else { return K_EINVAL }
                return manager.enter {
                    manager.message(
                        annex, UnsafeRawBufferPointer(start: body, count: body == nil ? 0 : Int(size)), replyAnnex,
                        replyBody, replySize)
                }
            }, cookie)
        guard code >= 0 else { return code }
        return nucleus.grpPortInsert(&group, &portUi)
    }

    /// Closes the gate; the nucleus drains who is inside.
    func disconnect() {
        if port > 0 {
            nucleus.grpPortRemove(&group, &portUi)
            nucleus.svMsgHandler(port, nil, nil)
            nucleus.portDelete(nil, port)
            port = 0
        }
        nucleus.svTrapDisConnect(K_TRAP_SYSCALL)
        nucleus.svExcHandler(nil, nil)
        nucleus.svAbortHandler(nil, nil)
        timers.stop()
    }

    /// Shutdown of the server: all processes end with it.
    func shutdown() {
        let all = tree.withLock { Array(processes.values) }
        for process in all where !process.isZombie { endProcess(process, status: WaitStatus.killed(Signal.kill)) }
        disconnect()
    }
}
