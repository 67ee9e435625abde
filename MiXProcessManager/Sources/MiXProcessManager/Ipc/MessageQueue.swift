/// A System V message queue. Guarded by `lock`.
final class MessageQueue: IpcObject, @unchecked Sendable {
    // Sendable: see above.
    struct Message {
        var type: Int64
        var text: [UInt8]
    }
    private(set) var messages: [Message] = []
    private(set) var bytes = 0
    /// `msg_qbytes`: room, in bytes and in messages.
    var room = MessageQueue.usualRoom
    private(set) var sent: (pid: Int32, time: Int64) = (0, 0)
    private(set) var received: (pid: Int32, time: Int64) = (0, 0)

    static let longest = 8192, usualRoom = 16384  // MSGMAX, MSGMNB

    /// False when there is no room. Under the lock.
    func append(_ message: Message, by pid: Int32) -> Bool {
        guard bytes + message.text.count <= room, messages.count < room else { return false }
        messages.append(message)
        bytes += message.text.count
        sent = (pid, Self.now())
        return true
    }

    /// Which message msgrcv(2) means by `type`. Under the lock.
    func index(of type: Int64, except: Bool) -> Int? {
        if type == 0 { return messages.isEmpty ? nil : 0 }
        if type > 0 { return messages.firstIndex { ($0.type == type) != except } }
        let bound = type == .min ? Int64.max : -type
        var best: Int?
        for (index, message) in messages.enumerated() where message.type <= bound {
            if best.map({ message.type < messages[$0].type }) ?? true { best = index }
        }
        return best
    }

    func take(_ index: Int, by pid: Int32) -> Message {
        let message = messages.remove(at: index)
        bytes -= message.text.count
        received = (pid, Self.now())
        return message
    }

    /// `struct msqid64_ds`.
    func describe() -> [UInt8] {
        lock.withLock {
            var place = [UInt8](repeating: 0, count: 120)
            permission.write(to: &place, id: id)
            place.withUnsafeMutableBytes {
                $0.storeBytes(of: sent.time, toByteOffset: 48, as: Int64.self)
                $0.storeBytes(of: received.time, toByteOffset: 56, as: Int64.self)
                $0.storeBytes(of: changed, toByteOffset: 64, as: Int64.self)
                $0.storeBytes(of: UInt64(bytes), toByteOffset: 72, as: UInt64.self)
                $0.storeBytes(of: UInt64(messages.count), toByteOffset: 80, as: UInt64.self)
                $0.storeBytes(of: UInt64(room), toByteOffset: 88, as: UInt64.self)
                $0.storeBytes(of: sent.pid, toByteOffset: 96, as: Int32.self)
                $0.storeBytes(of: received.pid, toByteOffset: 100, as: Int32.self)
            }
            return place
        }
    }
}
