/// msgget(2), msgsnd(2), msgrcv(2), msgctl(2).
enum MessageCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (68, "msgget", get), (69, "msgsnd", send), (70, "msgrcv", receive), (71, "msgctl", control),
    ]
    private static let noError: UInt32 = 0o10000, except: UInt32 = 0o20000, copy: UInt32 = 0o40000

    @Sendable private static func get(_ call: Call) throws(Errno) -> Outcome {
        let id = try call.manager.ipc.messages.get(
            key: call.int(0), flags: call.uint(1), call.process.credentials
        ) { (_) throws(Errno) in
        } make: { (id, permission) throws(Errno) in
            MessageQueue(id: id, permission: permission)
        }
        return .done(value: id)
    }

    private static func queue(_ call: Call) throws(Errno) -> MessageQueue {
        if let waiting = call.kept as? IpcWait<MessageQueue> { return waiting.object }
        return try call.manager.ipc.messages.find(call.int(0))
    }

    /// Enlists under the queue's lock.
    private static func wait(_ call: Call, _ queue: MessageQueue, _ reason: StaticString) -> Outcome {
        call.kept = IpcWait(queue)
        call.enlist(on: queue.queue)
        return .park(Wait(on: [queue.queue], restart: .interrupt, for: reason))
    }

    @Sendable private static func send(_ call: Call) throws(Errno) -> Outcome {
        let type = try call.readStruct(Int64.self, at: call[1])
        guard call[2] <= MessageQueue.longest, type >= 1, call.int(0) >= 0 else { throw .EINVAL }
        let message = MessageQueue.Message(type: type, text: try call.copyIn(call[1] &+ 8, count: Int(call[2])))
        let queue = try queue(call)
        let outcome = try queue.lock.withLock { () throws(Errno) -> Outcome in
            guard !queue.isRemoved else { throw .EIDRM }
            try queue.permission.check(call.process.credentials, Ipc.write)
            if queue.append(message, by: call.process.pid) { return .zero }
            if call.uint(3) & Ipc.noWait != 0 { throw .EAGAIN }
            return wait(call, queue, "do_msgsnd")
        }
        if case .done = outcome { queue.queue.wake() }
        return outcome
    }

    @Sendable private static func receive(_ call: Call) throws(Errno) -> Outcome {
        let flags = call.uint(4)
        guard call.int(0) >= 0, call.long(2) >= 0 else { throw .EINVAL }
        if flags & copy != 0, flags & except != 0 || flags & Ipc.noWait == 0 { throw .EINVAL }
        let queue = try queue(call)
        let room = Int(clamping: call.long(2))
        var taken: MessageQueue.Message?
        let outcome = try queue.lock.withLock { () throws(Errno) -> Outcome in
            guard !queue.isRemoved else { throw .EIDRM }
            try queue.permission.check(call.process.credentials, Ipc.read)
            let index =
                flags & copy != 0
                ? queue.messages.indices.first { Int64($0) == call.long(3) }
                : queue.index(of: call.long(3), except: flags & except != 0)
            guard let index else {
                if flags & Ipc.noWait != 0 { throw .ENOMSG }
                return wait(call, queue, "do_msgrcv")
            }
            let size = queue.messages[index].text.count
            guard size <= room || flags & noError != 0 else { throw .E2BIG }
            taken = flags & copy != 0 ? queue.messages[index] : queue.take(index, by: call.process.pid)
            return .done(value: min(size, room))
        }
        guard let taken else { return outcome }
        queue.queue.wake()
        try call.writeStruct(taken.type, at: call[1])
        try call.copyOut(Array(taken.text.prefix(room)), to: call[1] &+ 8)
        return outcome
    }

    // MARK: msgctl

    @Sendable private static func control(_ call: Call) throws(Errno) -> Outcome {
        let table = call.manager.ipc.messages
        let who = call.process.credentials
        switch call.int(1) {
        case Ipc.info, 12:  // MSG_INFO
            let all = table.all
            let counts = all.map { queue in queue.lock.withLock { (queue.messages.count, queue.bytes) } }
            // struct msginfo: pool, map, max, mnb, mni, ssz, tql, seg
            let usual = [32000 * 16384 / 1024, 16384, 8192, 16384, 32000, 16, 16384]
            var words = usual.map(Int32.init)
            if call.int(1) == 12 {
                words[0] = Int32(all.count)
                words[1] = Int32(clamping: counts.reduce(0) { $0 + $1.0 })
                words[6] = Int32(clamping: counts.reduce(0) { $0 + $1.1 })
            }
            try call.copyOut((words + [0xffff]).withUnsafeBytes { Array($0) }, to: call[2])
            return .done(value: table.highest)
        case 11, 13:  // MSG_STAT, MSG_STAT_ANY
            let queue = try table.at(call.int(0))
            if call.int(1) == 11 { try check(queue, who) }
            try call.copyOut(queue.describe(), to: call[2])
            return .done(value: queue.id)
        case Ipc.stat:
            let queue = try table.find(call.int(0))
            try check(queue, who)
            try call.copyOut(queue.describe(), to: call[2])
        case Ipc.set:
            let given = try call.copyIn(call[2], count: 120)
            let room = given.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 88, as: UInt64.self) }
            let queue = try table.find(call.int(0))
            try queue.lock.withLock { () throws(Errno) in
                try queue.permission.checkOwner(who)
                guard room <= MessageQueue.usualRoom || who.has(Credentials.capSysResource) else { throw .EPERM }
                queue.permission.take(from: given)
                queue.room = Int(clamping: room)
                queue.changed = IpcObject.now()
            }
            queue.queue.wake()
        case Ipc.remove:
            let queue = try table.find(call.int(0))
            try queue.lock.withLock { () throws(Errno) in try queue.permission.checkOwner(who) }
            table.remove(queue)
        default: throw .EINVAL
        }
        return .zero
    }

    private static func check(_ queue: MessageQueue, _ who: Credentials) throws(Errno) {
        try queue.lock.withLock { () throws(Errno) in try queue.permission.check(who, Ipc.read) }
    }
}
