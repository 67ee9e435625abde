import CMiXFile
import Glibc

/// mq_open(2) and its kin.
enum PosixQueueCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (240, "mq_open", open), (241, "mq_unlink", unlink), (242, "mq_timedsend", send),
        (243, "mq_timedreceive", receive), (244, "mq_notify", notify), (245, "mq_getsetattr", attributes),
    ]
    /// msg_max, msgsize_max and their ceilings for CAP_SYS_RESOURCE; msg_default, msgsize_default.
    private static let usual = (most: 10, size: 8192), ceiling = (most: 65536, size: 1 << 24)

    /// `struct mq_attr` but its reserved words: flags, maxmsg, msgsize, curmsgs.
    private typealias Attributes = (flags: Int64, most: Int64, size: Int64, count: Int64)

    private static func name(_ call: Call) throws(Errno) -> [UInt8] {
        let name = try call.copyString(call[0])
        if name.isEmpty { throw .ENOENT }
        guard !name.contains(0x2f), name != [0x2e], name != [0x2e, 0x2e] else { throw .EACCES }
        guard name.count <= 255 else { throw .ENAMETOOLONG }
        return name
    }

    @Sendable private static func open(_ call: Call) throws(Errno) -> Outcome {
        let flags = call.uint(1)
        let creates = flags & FileFlags.create != 0
        var attributes: Attributes?
        if creates, call[3] != 0 { attributes = try call.readStruct(Attributes.self, at: call[3]) }
        let name = try name(call)
        let (manager, process) = (call.manager, call.process)
        try process.files.checkRoom(limit: call.descriptorLimit)
        var queue = manager.ipc.queues.find(name)
        if queue == nil, creates {
            queue = try make(call, name, attributes)
            if let queue { return try install(call, queue, flags) }
            queue = manager.ipc.queues.find(name)  // somebody was faster
        }
        guard let queue else { throw .ENOENT }
        if creates, flags & FileFlags.exclusive != 0 { throw .EEXIST }
        guard flags & FileFlags.accessMode != 3 else { throw .EINVAL }
        try check(queue, process.credentials, wanted: [4, 2, 6][Int(flags & FileFlags.accessMode)])
        return try install(call, queue, flags)
    }

    private static func make(_ call: Call, _ name: [UInt8], _ attributes: Attributes?) throws(Errno) -> PosixQueue? {
        let process = call.process
        let privileged = process.credentials.has(Credentials.capSysResource)
        let (most, size) = (attributes?.most ?? Int64(usual.most), attributes?.size ?? Int64(usual.size))
        let bound = privileged ? ceiling : usual
        guard 1...Int64(bound.most) ~= most, 1...Int64(bound.size) ~= size else { throw .EINVAL }
        let queues = call.manager.ipc.queues
        let owner = process.mixCred()
        let weight = PosixQueue.Weight(uid: process.credentials.uid, most: Int(most), size: Int(size))
        return try queues.add(
            PosixQueue(
                name: name, most: Int(most), size: Int(size), mode: call.uint(2) & 0o777 & ~process.umask,
                owner: owner, weight, queues),
            name, weight, limit: process.limits[.messageQueue].soft, privileged: privileged)
    }

    private static func install(_ call: Call, _ queue: PosixQueue, _ flags: UInt32) throws(Errno) -> Outcome {
        guard flags & FileFlags.accessMode != 3 else { throw .EINVAL }
        let file = PosixQueueFile(
            call.manager, queue, flags: flags & (FileFlags.accessMode | FileFlags.nonBlocking))
        return .done(value: try call.install(file, closeOnExec: true))
    }

    private static func check(_ queue: PosixQueue, _ who: Credentials, wanted: UInt32) throws(Errno) {
        var granted = queue.attributes.permissions
        let owner = queue.attributes.owner
        if who.fsuid == owner.uid {
            granted >>= 6
        } else if who.fsgid == owner.gid || who.groups.contains(owner.gid) {
            granted >>= 3
        }
        guard wanted & ~granted & 7 == 0 || who.isPrivileged else { throw .EACCES }
    }

    /// As of a file in a directory with the sticky bit.
    @Sendable private static func unlink(_ call: Call) throws(Errno) -> Outcome {
        let name = try name(call)
        guard let queue = call.manager.ipc.queues.find(name) else { throw .ENOENT }
        let who = call.process.credentials
        guard who.fsuid == queue.attributes.owner.uid || who.isPrivileged else { throw .EPERM }
        call.manager.ipc.queues.remove(queue)
        return .zero
    }

    /// The queue behind a descriptor; EBADF for anything else.
    private static func file(_ call: Call) throws(Errno) -> PosixQueueFile {
        guard let file = try call.openDescription(0) as? PosixQueueFile else { throw .EBADF }
        return file
    }

    /// The absolute time in argument 4, by CLOCK_REALTIME, as a deadline of ours. It is looked at even where nothing waits.
    private static func deadline(_ call: Call) throws(Errno) -> UInt64? {
        guard call[4] != 0 else { return nil }
        let value = try TimeCalls.duration(call, call[4])
        let now = call.manager.clock.realTime()
        return call.deadline(after: value > now ? value - now : 0)
    }

    @Sendable private static func send(_ call: Call) throws(Errno) -> Outcome {
        let deadline = try deadline(call)
        let priority = call.uint(3)
        guard priority < PosixQueue.mostPriority else { throw .EINVAL }
        let file = try file(call)
        guard file.isWritable else { throw .EBADF }
        let queue = file.queue
        guard call[2] <= UInt64(queue.size) else { throw .EMSGSIZE }
        let text = try call.copyIn(call[1], count: Int(call[2]))
        var told: PosixQueue.Registration?
        let isSent = try queue.lock.withLock { () throws(Errno) -> Bool in
            guard !queue.isFull else {
                if file.isNonBlocking { throw .EAGAIN }
                if call.timedOut || deadline.map({ $0 <= call.manager.clock.monotonic() }) ?? false { throw .ETIMEDOUT }
                call.enlist(on: queue.senders)
                return false
            }
            // Who waits in mq_receive gets it without anybody being told (mq_notify(3)).
            if queue.count == 0, queue.receivers.isEmpty, let registration = queue.registration {
                told = registration
                queue.registration = nil
            }
            queue.insert(PosixQueue.Message(priority: priority, text: text))
            return true
        }
        guard isSent else {
            return .park(Wait(on: [queue.senders], until: deadline, restart: .restart, for: "mq_timedsend"))
        }
        queue.receivers.wake()
        queue.source.notify()
        if let told, let signal = told.signal {
            let info = SignalInfo(
                signal: signal, code: SignalInfo.messageQueue,
                detail: .sender(pid: call.process.pid, uid: call.process.credentials.uid, value: told.value))
            call.manager.withTree { _ = call.manager.postLocked(info, to: told.process) }
        }
        return .zero
    }

    @Sendable private static func receive(_ call: Call) throws(Errno) -> Outcome {
        let deadline = try deadline(call)
        let file = try file(call)
        guard file.isReadable else { throw .EBADF }
        let queue = file.queue
        guard call[2] >= UInt64(queue.size) else { throw .EMSGSIZE }
        let message = try queue.lock.withLock { () throws(Errno) -> PosixQueue.Message? in
            if let message = queue.take() { return message }
            if file.isNonBlocking { throw .EAGAIN }
            if call.timedOut || deadline.map({ $0 <= call.manager.clock.monotonic() }) ?? false { throw .ETIMEDOUT }
            call.enlist(on: queue.receivers)
            return nil
        }
        guard let message else {
            return .park(Wait(on: [queue.receivers], until: deadline, restart: .restart, for: "mq_timedreceive"))
        }
        queue.senders.wake()
        queue.source.notify()
        try call.copyOut(message.text, to: call[1])
        if call[3] != 0 { try call.writeStruct(message.priority, at: call[3]) }
        return .done(value: message.text.count)
    }

    @Sendable private static func notify(_ call: Call) throws(Errno) -> Outcome {
        var registration: PosixQueue.Registration?
        if call[1] != 0 {
            let event = try call.readStruct((UInt64, Int32, Int32).self, at: call[1])
            switch event.2 {
            case 0:  // SIGEV_SIGNAL
                guard Signal.isValid(event.1) else { throw .EINVAL }
                registration = PosixQueue.Registration(process: call.process, signal: event.1, value: event.0)
            case 1: registration = PosixQueue.Registration(process: call.process, signal: nil, value: event.0)
            case 2: throw .EBADF  // SIGEV_THREAD comes with a netlink socket, and there are none
            default: throw .EINVAL
            }
        }
        let queue = try file(call).queue
        try queue.lock.withLock { () throws(Errno) in
            if registration == nil {
                if queue.registration?.process === call.process { queue.registration = nil }
            } else {
                guard queue.registration == nil else { throw .EBUSY }
                queue.registration = registration
            }
        }
        call.process.files.markLocked(by: call.process.mixCred())
        return .zero
    }

    @Sendable private static func attributes(_ call: Call) throws(Errno) -> Outcome {
        var new: Attributes?
        if call[1] != 0 {
            let given = try call.readStruct(Attributes.self, at: call[1])
            guard given.flags & ~Int64(FileFlags.nonBlocking) == 0 else { throw .EINVAL }
            new = given
        }
        let file = try file(call)
        let queue = file.queue
        let count = queue.lock.withLock { queue.count }
        let old = (
            Int64(file.flags & FileFlags.nonBlocking), Int64(queue.most), Int64(queue.size), Int64(count), Int64(0),
            Int64(0), Int64(0), Int64(0)
        )
        if let new {
            file.setFlags(file.flags & ~FileFlags.nonBlocking | UInt32(new.flags))
        }
        if call[2] != 0 { try call.writeStruct(old, at: call[2]) }
        return .zero
    }
}
