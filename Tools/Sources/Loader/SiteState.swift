import CChorus
import Glibc

/// A server's state, carried from one instance to another (knActor.h).
extension Site {
    /// K_OK while the actor answers.
    public func heartbeat(_ cap: KnCap) -> Int32 {
        var cap = cap
        return boot.pointee.actorHeartbeat?(handle, &cap) ?? K_ENOSYS
    }

    /// The messages of its state, in order.
    public func exportState(_ cap: KnCap) throws(LoadError) -> [[UInt8]] {
        var cap = cap
        var messages: [[UInt8]] = []
        var buffer = [UInt8](repeating: 0, count: Int(K_CMSGSIZEMAX))
        while true {
            var size = K_CMSGSIZEMAX
            let result = boot.pointee.actorExport?(handle, &cap, UInt32(messages.count), &buffer, &size) ?? K_ENOSYS
            if result < 0 { throw LoadError("state message \(messages.count) is not given: \(nucleusCode(result))") }
            if size == 0 { return messages }
            messages.append(Array(buffer.prefix(Int(size))))
        }
    }

    public func importState(_ cap: KnCap, _ messages: [[UInt8]]) throws(LoadError) {
        var cap = cap
        for (index, message) in (messages + [[]]).enumerated() {
            let result =
                boot.pointee.actorImport?(handle, &cap, UInt32(index), message, UInt32(message.count)) ?? K_ENOSYS
            if result < 0 { throw LoadError("state message \(index) is not taken: \(nucleusCode(result))") }
        }
    }
}
