import CMiXFile
import CMiXSocket

/// Control messages of sendmsg(2) and recvmsg(2): struct cmsghdr records (cmsg(3)).
enum ControlMessages {
    struct Sent {
        var descriptors: [OpenDescription] = []
        var credentials: (pid: Int32, uid: UInt32, gid: UInt32)?
        /// Records of the protocols, which are the Socket Manager's to understand.
        var records: [UInt8] = []
    }

    private static let headerSize = 16
    private static let rights: Int32 = 1  // SCM_RIGHTS
    private static let credentials: Int32 = 2  // SCM_CREDENTIALS
    private static func aligned(_ size: Int) -> Int { (size + 7) & ~7 }

    /// EINVAL: malformed; EBADF: a descriptor that is none; EPERM: credentials that are not the sender's (unix(7)).
    static func read(_ call: Call, _ header: MessageHeader, _ socket: SocketFile) throws(Errno) -> Sent {
        var sent = Sent()
        if header.controlSize < headerSize { return sent }
        let bytes = try call.copyIn(header.controlAddress, count: header.controlSize)
        let isWhole = try forEachRecord(bytes) { (level, type, data) throws(Errno) in
            switch (level, type) {
            case (1, rights):
                guard socket.family == SocketFile.unix else { throw .EINVAL }
                try add(call, data, &sent)
            case (1, credentials): sent.credentials = try check(call, data)
            case (1, _): throw .EINVAL
            default:
                put(level, type, data, size: headerSize + data.count, &sent.records)
                sent.records += [UInt8](repeating: 0, count: aligned(data.count) - data.count)
                if sent.records.count > 1024 { throw .ENOBUFS }
            }
        }
        guard isWhole else { throw .EINVAL }
        return sent
    }

    private static func add(_ call: Call, _ data: [UInt8], _ sent: inout Sent) throws(Errno) {
        let numbers = data.withUnsafeBytes { raw in
            (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self) }
        }
        guard sent.descriptors.count + numbers.count <= Int(SOCK_RIGHTS_MAX) else { throw .EINVAL }
        for number in numbers { sent.descriptors.append(try call.openDescription(number: number, allowPath: true)) }
    }

    private static func check(_ call: Call, _ data: [UInt8]) throws(Errno) -> (pid: Int32, uid: UInt32, gid: UInt32) {
        guard data.count >= 12 else { throw .EINVAL }
        let (pid, uid, gid) = data.withUnsafeBytes { raw in
            (
                raw.loadUnaligned(as: Int32.self), raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self),
                raw.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
            )
        }
        let mine = call.process.credentials
        let mayBe =
            mine.isPrivileged
            || pid == call.process.pid && [mine.uid, mine.euid, mine.suid].contains(uid)
                && [mine.gid, mine.egid, mine.sgid].contains(gid)
        guard mayBe else { throw .EPERM }
        return (pid, uid, gid)
    }

    /// Writes what came into the program's control buffer; descriptors that find no room are closed. Bytes used.
    static func write(
        _ call: Call, _ header: MessageHeader, _ socket: SocketFile, _ message: ReceivedMessage, flags: UInt32,
        _ told: inout UInt32
    ) throws(Errno) -> Int {
        var out: [UInt8] = []
        forEachRecord(message.parts.control) { (level, type, data) in
            append(level, type, data, &out, room: header.controlSize, &told)
        }
        if let known = message.credentials {
            let data = withUnsafeBytes(of: (known.pid, known.uid, known.gid)) { [UInt8]($0) }
            append(1, credentials, data, &out, room: header.controlSize, &told)
        }
        if !message.parts.rights.isEmpty { try install(call, header, message, flags: flags, &out, &told) }
        try call.copyOut(out, to: header.controlAddress)
        return out.count
    }

    /// Each record's level, type and data. False: one is longer than what is there.
    @discardableResult
    private static func forEachRecord<Failure: Error>(
        _ bytes: [UInt8], _ body: (Int32, Int32, [UInt8]) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        var at = 0
        while bytes.count - at >= headerSize {
            let (size, level, type) = bytes.withUnsafeBytes { raw in
                (
                    raw.loadUnaligned(fromByteOffset: at, as: UInt64.self),
                    raw.loadUnaligned(fromByteOffset: at + 8, as: Int32.self),
                    raw.loadUnaligned(fromByteOffset: at + 12, as: Int32.self)
                )
            }
            guard size >= UInt64(headerSize), size <= UInt64(bytes.count - at) else { return false }
            try body(level, type, [UInt8](bytes[(at + headerSize)..<(at + Int(size))]))
            at += aligned(Int(size))
        }
        return true
    }

    /// A record of `size` bytes, which its data may exceed.
    private static func put(_ level: Int32, _ type: Int32, _ data: [UInt8], size: Int, _ out: inout [UInt8]) {
        withUnsafeBytes(of: UInt64(size)) { out += $0 }
        withUnsafeBytes(of: (level, type)) { out += $0 }
        out += data.prefix(size - headerSize)
    }

    /// A record is cut where the buffer ends.
    private static func append(
        _ level: Int32, _ type: Int32, _ data: [UInt8], _ out: inout [UInt8], room: Int, _ told: inout UInt32
    ) {
        let free = room - out.count
        guard free >= headerSize else {
            told |= MessageFlags.controlTruncated
            return
        }
        let size = min(headerSize + data.count, free)
        if size < headerSize + data.count { told |= MessageFlags.controlTruncated }
        put(level, type, data, size: size, &out)
        out += [UInt8](repeating: 0, count: min(aligned(size) - size, room - out.count))
    }

    /// Gives the process descriptors for what came. Those without a number or without room in the buffer are closed (unix(7), BUGS).
    private static func install(
        _ call: Call, _ header: MessageHeader, _ message: ReceivedMessage, flags: UInt32, _ out: inout [UInt8],
        _ told: inout UInt32
    ) throws(Errno) {
        let descriptions = call.manager.rights.take(message.parts.rights, stays: flags & MessageFlags.peek != 0)
        let places = max(0, header.controlSize - out.count - headerSize) / 4
        var numbers: [UInt8] = []
        for (index, description) in descriptions.enumerated() {
            guard index < places, numbers.count == index * 4 else {
                description.drop()
                continue
            }
            if let number = try? call.install(description, closeOnExec: flags & MessageFlags.closeOnExec != 0) {
                withUnsafeBytes(of: Int32(number)) { numbers += $0 }
            }
        }
        if numbers.count < message.parts.rights.count * 4 { told |= MessageFlags.controlTruncated }
        if !numbers.isEmpty { append(1, rights, numbers, &out, room: header.controlSize, &told) }
    }
}
