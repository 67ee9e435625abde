import CChorus
import Synchronization

extension Site {
    /// To an actor here, or to one of another site.
    func migrate(
        _ source: Actor, _ li: KnPortLid, to target: UnsafePointer<KnCap>?, by caller: Actor, withQueue: Bool
    ) throws(KnError) -> (li: KnPortLid, sequence: UInt32) {
        do throws(KnError) {
            return try migrate(source, li, caller.target(target), withQueue: withQueue)
        } catch {
            guard error == .unknown, let cap = target?.pointee, actors.find(cap.ui.raw) == nil,
                let number = sites.elsewhere(cap)
            else { throw error }
            return try sites.migrate(source, li, to: cap, at: number, withQueue: withQueue)
        }
    }

    /// Re-attaches a port; group membership stays, the port arrives disabled. Returns the new LI and the sequence
    /// number: messages received at the source, plus one.
    func migrate(
        _ source: Actor, _ li: KnPortLid, _ target: Actor, withQueue: Bool
    ) throws(KnError) -> (li: KnPortLid, sequence: UInt32) {
        guard source !== target else { throw .invalid }
        let port = try source.port(li)
        guard !port.isDefault else { throw .invalid }
        let limit = target.limits.ports
        func move(_ from: inout Room, _ to: inout Room) -> (Int32, UInt32) {
            guard from.ports[li] === port else { return (K_EUNKNOWN, 0) }
            if to.closed { return (K_EDEADACTOR, 0) }
            if limit != 0, to.ports.count > Int(limit) { return (K_ENOMEM, 0) }
            // Messages are a handler's from the moment they are sent: there is no point to cut at.
            guard port.connection == .none else { return (K_EINVAL, 0) }
            if port.late != nil { return (K_EBUSY, 0) }
            from.ports[li] = nil
            from.endReceivers(port, K_EMIGRATED)
            if !withQueue { from.drop(port, K_EMIGRATED) }
            let sequence = port.sequence
            port.priority = nil
            port.received = 0
            port.handled.store(0, ordering: .relaxed)
            port.li = to.freeLi()
            to.ports[port.li] = port
            port.owner.withLock { $0 = target }
            return (port.li, sequence)
        }
        let (result, sequence) =
            source.cap.ui.raw < target.cap.ui.raw
            ? source.room.withLock { from in target.room.withLock { to in move(&from, &to) } }
            : target.room.withLock { to in source.room.withLock { from in move(&from, &to) } }
        if result < 0 { throw KnError(rawValue: result) }
        return (result, sequence)
    }
}
