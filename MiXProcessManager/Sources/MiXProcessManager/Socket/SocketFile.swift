import CMiXFile
import CMiXSocket
import Synchronization

/// A socket that is open here: an object of the Socket Manager (mix/mixSocket.h).
final class SocketFile: RemoteObject, @unchecked Sendable {
    // Sendable: see RemoteObject; the time limits are atomic.
    let family: UInt32
    let type: UInt32
    /// SO_RCVTIMEO and SO_SNDTIMEO in nanoseconds; 0: no limit. The waiting is done here.
    let receiveLimit = Atomic<UInt64>(0)
    let sendLimit = Atomic<UInt64>(0)

    static let stream: UInt32 = 1
    static let datagram: UInt32 = 2
    static let unix: UInt32 = 1

    var isStream: Bool { type == Self.stream }

    init(_ manager: ProcessManager, family: UInt32, type: UInt32, key: MixKey, inode: UInt64, nonBlocking: Bool) {
        self.family = family
        self.type = type
        var reply = MixObjReply()
        reply.key = key
        reply.mode = FileMode.socket | 0o777
        reply.ino = inode
        super.init(
            manager, server: manager.groups.socket, reply: reply,
            flags: FileFlags.readWrite | (nonBlocking ? FileFlags.nonBlocking : 0))
    }

    /// A request to the server. Where it is no more the connection is lost.
    func ask(
        _ request: MixObjRequest, body: UnsafeRawBufferPointer? = nil, reply: UnsafeMutableRawBufferPointer? = nil
    ) throws(Errno) -> (MixObjReply, Int) {
        do {
            return try manager.objectCall(server, request, body: body, reply: reply)
        } catch {
            throw error == .EIO ? .ECONNRESET : error
        }
    }

    func ask(_ request: MixObjRequest, body: [UInt8], room: Int = 0) throws(Errno) -> (MixObjReply, [UInt8]) {
        do {
            return try manager.objectCall(server, request, body: body, room: room)
        } catch {
            throw error == .EIO ? .ECONNRESET : error
        }
    }

    override func read(_ call: Call, _ ranges: UserRanges, at offset: Int64?) throws(Errno) -> Outcome {
        if offset != nil { throw .ESPIPE }
        return try receive(call, ranges, flags: 0) { (message) throws(Errno) in
            manager.rights.drop(message.parts.rights.map(\.token))
        }
    }

    override func write(_ call: Call, _ ranges: UserRanges, at offset: Int64?) throws(Errno) -> Outcome {
        if offset != nil { throw .ESPIPE }
        return try send(call, SocketMessage(), ranges, flags: 0)
    }

    override func peek(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64?, _ cred: MixCred) throws(Errno) -> Int
    {
        var request = request(UInt32(SOCK_RECV), cred)
        request.flags = UInt32(SOCK_NOWAIT) | MessageFlags.peek
        let received = try fetch(request, count: buffer.count)
        buffer.copyBytes(from: received.prefix(buffer.count))
        return received.count
    }

    override func skip(_ count: Int) throws(Errno) {
        var request = request(UInt32(SOCK_RECV), MixCred())
        request.flags = UInt32(SOCK_NOWAIT)
        _ = try fetch(request, count: count)
    }

    override func push(_ bytes: UnsafeRawBufferPointer, at offset: Int64?, _ call: Call, _ cred: MixCred) throws(Errno)
        -> Int
    {
        var request = request(UInt32(SOCK_SEND), cred)
        request.flags = UInt32(SOCK_NOWAIT)
        do {
            return Int(try ask(request, body: bytes).0.diag)
        } catch {
            if error == .EPIPE { call.raise(Signal.pipe) }
            throw error
        }
    }

    /// Data alone, for splice(2) and its like.
    private func fetch(_ request: MixObjRequest, count: Int) throws(Errno) -> [UInt8] {
        var request = request
        let wanted = min(count, Int(SOCK_DATA_MAX))
        request.size = UInt64(wanted)
        let (reply, bytes) = try ask(request, body: [], room: wanted + SocketMessage.mostInFront)
        guard let parts = SocketMessage.split(reply, bytes) else { throw .EIO }
        if request.flags & MessageFlags.peek == 0 { manager.rights.drop(parts.rights.map(\.token)) }
        return [UInt8](bytes[parts.dataAt...])
    }

    override func ioctl(_ call: Call, _ command: UInt32, _ argument: UInt64) throws(Errno) -> Outcome {
        switch command {
        case 0x8901, 0x8902: return .zero  // FIOSETOWN, SIOCSPGRP: no SIGIO is sent
        case 0x8903, 0x8904:
            try call.writeStruct(Int32(0), at: argument)
            return .zero
        case 0x8912: return try interfaceList(call, argument)
        case 0x8910...0x8970:
            var request = request(OBJ_IOCTL, call.process.mixCred())
            request.arg.0 = UInt64(command)
            let (_, answer) = try ask(request, body: try call.copyIn(argument, count: 40), room: 40)
            try call.copyOut(answer, to: argument)
            return .zero
        default: return try super.ioctl(call, command, argument)
        }
    }

    /// SIOCGIFCONF (netdevice(7)): struct ifconf { int length; void *list; }; no list asks for the length.
    private func interfaceList(_ call: Call, _ argument: UInt64) throws(Errno) -> Outcome {
        let room = try call.readStruct(Int32.self, at: argument)
        let place = try call.readStruct(UInt64.self, at: argument + 8)
        var request = request(OBJ_IOCTL, call.process.mixCred())
        request.arg.0 = 0x8912
        let (_, list) = try ask(request, body: [], room: 40 * 64)
        let whole = place == 0 ? list.count : min(list.count, Int(max(0, room))) / 40 * 40
        if place != 0 { try call.copyOut([UInt8](list.prefix(whole)), to: place) }
        try call.writeStruct(Int32(whole), at: argument)
        return .zero
    }

    override func linkText(_ root: MixKey) -> [UInt8] { [UInt8]("socket:[\(inode)]".utf8) }
}

/// Flags of send(2) and recv(2).
enum MessageFlags {
    static let outOfBand: UInt32 = 0x1
    static let peek: UInt32 = 0x2
    static let controlTruncated: UInt32 = 0x8
    static let truncated: UInt32 = 0x20
    static let doNotWait: UInt32 = 0x40
    static let endOfRecord: UInt32 = 0x80
    static let waitAll: UInt32 = 0x100
    static let noSignal: UInt32 = 0x4000
    static let waitForOne: UInt32 = 0x10000
    static let closeOnExec: UInt32 = 0x4000_0000
}

extension Errno {
    static let ECONNRESET = Errno(104), EADDRINUSE = Errno(98), ECONNREFUSED = Errno(111)
    static let EISCONN = Errno(106), ETOOMANYREFS = Errno(109), ENOBUFS = Errno(105)
}
