import CChorus
import Synchronization

extension Site {
    /// exec: the new program has nothing of the old one's ports, messages and groups. The default port stays, empty.
    public func renounce(_ actor: Actor, _ thread: Thread) {
        if thread.enterCall() {
            thread.dropMessage()
            thread.leaveCall()
        }
        let ports = actor.room.withLock { room -> [Port] in
            let others = room.ports.values.filter { !$0.isDefault }
            for port in others { room.detach(port, K_EPORTDELETED) }
            room.drop(actor.defaultPort, K_EPORTDELETED)
            for message in room.held.values { message.transaction?.fail(K_EDEADSERVER) }
            room.held = [:]
            room.saved = [:]
            return others
        }
        for port in ports { self.ports.remove(port.ui.raw) }
    }
}
