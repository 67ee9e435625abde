import CChorus
import Synchronization

/// Calls of processes about ports and groups.
extension ProcessCall {
    func portCall() throws(KnError) -> Int32 {
        let site = thread.site
        switch op {
        case K_USR_PORTCREATE:
            try own(word(0))
            let port = try site.createPort(actor)
            let li = port.withRoom { _, _ in port.li } ?? K_EUNKNOWN
            do throws(KnError) { try memory.write(port.ui, to: word(1)) } catch {
                try site.deletePort(actor, li, thread)
                throw error
            }
            return li
        case K_USR_PORTDELETE:
            try own(word(0))
            try site.deletePort(actor, int(1), thread)
            return K_OK
        case K_USR_PORTENABLE:
            try own(word(0))
            guard int(2) >= 0 else { throw .invalid }
            return try actor.port(int(1)).enable(int(2))
        case K_USR_PORTDISABLE:
            try own(word(0))
            return try actor.port(int(1)).enable(nil)
        case K_USR_PORTLI:
            let port = try site.port(memory.read(KnUniqueId(), from: word(0)))
            return port.withRoom { [actor] _, owner in owner === actor ? port.li : K_EUNKNOWN } ?? K_EUNKNOWN
        default:
            try memory.write(actor.port(int(1)).ui, to: word(0))
            return K_OK
        }
    }

    func groupCall() throws(KnError) -> Int32 {
        let site = thread.site
        switch op {
        case K_USR_GRPALLOCATE:
            guard int(0) == K_DYNAMIC || int(0) == K_STATUSER else { throw int(0) == K_STATSYS ? .privilege : .invalid }
            let cap = int(0) == K_DYNAMIC ? site.newGroupCap() : site.staticCap(.staticUserGroup, uint(2))
            try memory.write(cap, to: word(1))
            return K_OK
        case K_USR_GRPNAME:
            // Never a system group's: whoever has that may ask a server for anything.
            try memory.write(site.staticCap(.staticUserGroup, uint(0)).ui, to: word(1))
            return K_OK
        default:
            let cap = try memory.read(KnCap(), from: word(0))
            let port = try actor.member(memory.read(KnUniqueId(), from: word(1)))
            if op == K_USR_GRPPORTINSERT {
                try site.join(port, cap)
            } else {
                try site.remove(port, site.group(cap))
            }
            return K_OK
        }
    }

    /// K_MYACTOR, or the process's own capability.
    private func own(_ address: UInt64) throws(KnError) {
        if address == 0 { return }
        let cap = try memory.read(KnCap(), from: address)
        guard cap.ui == actor.cap.ui, cap.key == actor.cap.key else { throw .privilege }
    }
}

extension Port {
    /// nil disables.
    func enable(_ priority: Int32?) -> Int32 {
        let done: Void? = withRoom { room, _ in
            self.priority = priority
            if priority != nil { room.dispatch(self)?.send() }
        }
        return done == nil ? K_EUNKNOWN : K_OK
    }
}
