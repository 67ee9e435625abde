import CMiXFile
import CMiXSocket

/// send(2), recv(2) and their relatives.
enum SocketMessageCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (44, "sendto", sendTo),
        (45, "recvfrom", receiveFrom),
        (
            46, "sendmsg",
            { (call) throws(Errno) in
                try send(call, try call.socket(0), try MessageHeader(call, at: call[1]), flags: call.uint(2))
            }
        ),
        (
            47, "recvmsg",
            { (call) throws(Errno) in
                try receive(
                    call, try call.socket(0), try MessageHeader(call, at: call[1]), at: call[1], flags: call.uint(2))
            }
        ),
        (307, "sendmmsg", sendMany),
        (299, "recvmmsg", receiveMany),
    ]

    @Sendable private static func sendTo(_ call: Call) throws(Errno) -> Outcome {
        let socket = try call.socket(0)
        var message = SocketMessage()
        if call[4] != 0 && !(call.kept is Progress) {
            message.address = try call.socketAddress(call[4], size: call.uint(5))
            try resolve(call, socket, &message)
        }
        return try socket.send(call, message, try call.range(1, 2), flags: call.uint(3))
    }

    @Sendable private static func receiveFrom(_ call: Call) throws(Errno) -> Outcome {
        let socket = try call.socket(0)
        return try socket.receive(call, try call.range(1, 2), flags: call.uint(3)) { (message) throws(Errno) in
            if call.uint(3) & MessageFlags.peek == 0 { call.manager.rights.drop(message.parts.rights.map(\.token)) }
            if call[4] != 0 { try call.put(address: message.parts.address, at: call[4], size: call[5]) }
        }
    }

    /// A path is looked up here; a connected stream has no use for a name.
    private static func resolve(_ call: Call, _ socket: SocketFile, _ message: inout SocketMessage) throws(Errno) {
        if message.address.isEmpty || socket.isStream && socket.family != SocketFile.unix {
            return message.address = []
        }
        if socket.family == SocketFile.unix, let path = SocketPath(message.address) {
            let node = try path.find(call)
            message.node = (node.device, node.inode)
        }
    }

    // MARK: struct msghdr

    private static func send(_ call: Call, _ socket: SocketFile, _ header: MessageHeader, flags: UInt32) throws(Errno)
        -> Outcome
    {
        if call.kept is Progress { return try socket.send(call, SocketMessage(), header.ranges, flags: flags) }
        var message = SocketMessage()
        message.address = try header.name(call)
        try resolve(call, socket, &message)
        let control = try ControlMessages.read(call, header, socket)
        message.credentials = control.credentials
        message.control = control.records
        if !control.descriptors.isEmpty {
            if socket.isStream && header.ranges.total == 0 { return .zero }
            message.rights = try call.manager.rights.put(
                control.descriptors, uid: call.process.credentials.uid,
                limit: call.process.credentials.isPrivileged ? Int.max / 2 : Int(min(call.descriptorLimit, 1 << 20)))
        }
        do throws(Errno) {
            let outcome = try socket.send(call, message, header.ranges, flags: flags)
            // What parks is made anew when it goes on; what was taken belongs to the message.
            if case .park = outcome, !(call.kept is Progress) { call.manager.rights.drop(message.rights.map(\.token)) }
            return outcome
        } catch {
            call.manager.rights.drop(message.rights.map(\.token))
            throw error
        }
    }

    private static func receive(
        _ call: Call, _ socket: SocketFile, _ header: MessageHeader, at address: UInt64, flags: UInt32
    ) throws(Errno) -> Outcome {
        try socket.receive(call, header.ranges, flags: flags) { (message) throws(Errno) in
            var told = message.flags | flags & MessageFlags.closeOnExec
            if socket.type == 5 && message.flags & MessageFlags.truncated == 0 && !message.parts.address.isEmpty {
                told |= MessageFlags.endOfRecord
            }
            let used = try ControlMessages.write(call, header, socket, message, flags: flags, &told)
            if header.nameAddress != 0 {
                try call.copyOut([UInt8](message.parts.address.prefix(Int(header.nameSize))), to: header.nameAddress)
                try call.writeStruct(UInt32(message.parts.address.count), at: address + 8)
            }
            try call.writeStruct(UInt64(used), at: address + 40)
            try call.writeStruct(told & ~MessageFlags.closeOnExec | flags & MessageFlags.closeOnExec, at: address + 48)
        }
    }

    // MARK: Several at a time

    @Sendable private static func sendMany(_ call: Call) throws(Errno) -> Outcome {
        let socket = try call.socket(0)
        return try each(call, call.kept as? ManyProgress ?? ManyProgress()) { (place, _) throws(Errno) in
            try send(call, socket, try MessageHeader(call, at: place), flags: call.uint(3))
        }
    }

    @Sendable private static func receiveMany(_ call: Call) throws(Errno) -> Outcome {
        let socket = try call.socket(0)
        let progress = call.kept as? ManyProgress ?? ManyProgress()
        if call[4] != 0 && progress.deadline == nil {
            progress.deadline = try PollCalls.timeout(call, at: call[4]).deadline
        }
        return try each(call, progress) { (place, done) throws(Errno) in
            var flags = call.uint(3)
            if done > 0 && flags & MessageFlags.waitForOne != 0 { flags |= MessageFlags.doNotWait }
            return try receive(
                call, socket, try MessageHeader(call, at: place), at: place, flags: flags & ~MessageFlags.waitForOne)
        }
    }

    /// Each struct mmsghdr in turn: its place and how many were done before. What stops a later one is told by their number.
    private static func each(
        _ call: Call, _ progress: ManyProgress, _ transfer: (UInt64, Int) throws(Errno) -> Outcome
    ) throws(Errno) -> Outcome {
        let count = min(Int(call.uint(2)), 1024)
        call.kept = progress.inner
        while progress.done < count {
            let place = call[1] &+ UInt64(progress.done * 64)
            do throws(Errno) {
                let outcome = try transfer(place, progress.done)
                guard case .done(let size) = outcome else {
                    if progress.done > 0 && call.interrupted { break }
                    progress.inner = call.kept
                    call.kept = progress
                    return outcome
                }
                call.kept = nil
                try call.writeStruct(UInt32(truncatingIfNeeded: size), at: place + 56)
                progress.done += 1
                // The time limit is only looked at between messages (recvmmsg(2), BUGS).
                if let deadline = progress.deadline, call.manager.clock.monotonic() >= deadline { break }
            } catch {
                if progress.done == 0 { throw error }
                break
            }
        }
        return .done(value: progress.done)
    }

    private final class ManyProgress {
        var done = 0
        var inner: AnyObject?
        var deadline: UInt64?
    }
}
