import CChorus

extension Actor {
    /// On the calling thread, with its own arguments: nothing is copied here. `signature`: the one by which the arguments
    /// were laid out, if that was done elsewhere.
    func raise(
        _ number: UInt32, _ function: UInt32, _ args: UnsafePointer<UInt64>?, signature: UInt32?, _ result: inout Int64
    ) throws(KnError) -> Int32 {
        if deleted.load(ordering: .relaxed) { throw .deadActor }
        let site = self.site
        guard let trap = site.traps.find(UInt64(number)) else { throw .unknown }
        let thread = Thread.current(site, in: self)
        if let frame = thread.frame, frame.pointee.depth >= HandlerFrame.most { throw .noMemory }
        let specific = try trap.specific(function)
        if let signature, signature != specific?.signature ?? 0 { return Trap.stale }
        let words = specific.map { Int($0.entry.count) } ?? Int(K_TRAPWORDS)
        guard let args = words > 0 ? args : UnsafePointer(bitPattern: 8) else { throw .fault }
        guard trap.gate.enter(site.host) else { throw .unknown }
        let began = site.trace.begin()
        let code = thread.inside(trap.gate, nil, abortable: true, caller: .passUnretained(self)) {
            if let specific { return trap.call(specific, args, words) }
            guard case .general(let handler) = trap.handler else { return K_ENOSYS }
            return trap.call(handler, thread, function, args, &result)
        }
        trap.gate.leave(site.host)
        site.trace(handler: K_HDL_TRAP, trap.owner.cap.ui, function, bytes: number, code, thread, since: began)
        // It may have been cut short.
        if code < 0, trap.owner.isDeleted { return K_EDEADSERVER }
        if specific != nil { result = Int64(code) }
        return code
    }
}

extension Trap {
    /// Of `raise`: the trap has another signature by now. No result of a call.
    static let stale: Int32 = -1998

    fileprivate func call(_ specific: Specific, _ args: UnsafePointer<UInt64>, _ count: Int) -> Int32 {
        guard let binder = owner.site.trapBinder else { return K_ENOSYS }
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Int(K_SIG_ARGMAX)) { room in
            guard let slots = room.baseAddress else { return K_ENOMEM }
            slots[0] = UInt64(UInt(bitPattern: cookie))
            (slots + 1).update(from: args, count: count)
            return binder.call(owner, specific.entry, specific.signature, slots)
        }
    }

    fileprivate func call(
        _ handler: KnTrapHdl, _ thread: Thread, _ function: UInt32, _ args: UnsafePointer<UInt64>,
        _ result: inout Int64
    ) -> Int32 {
        var frame = KnTrapFrame()
        frame.thread = thread.li
        frame.threadCookie = thread.cookie.load(ordering: .relaxed)
        frame.number = UInt64(function)
        frame.args = (args[0], args[1], args[2], args[3], args[4], args[5])
        let code = handler(cookie, &frame)
        // Only a UNIX thread has a trap that could be completed later, or a context.
        guard code <= K_OK else { return K_EINVAL }
        result = frame.result
        return code
    }
}

extension Site {
    /// `trapRaise` of an actor whose arguments have been brought here by `signature`; `stale` if that is the trap's no more.
    public func raise(
        _ number: UInt32, _ function: UInt32, by actor: Actor, signature: UInt32, _ args: UnsafePointer<UInt64>
    ) -> Int32 {
        var result: Int64 = 0
        do throws(KnError) {
            let code = try actor.raise(number, function, args, signature: signature, &result)
            // A general handler's result goes where its last word points.
            if signature == 0, let place = UnsafeMutablePointer<Int64>(bitPattern: UInt(args[Int(K_TRAPWORDS)])) {
                place.pointee = result
            }
            return code
        } catch { return error.rawValue }
    }
}
