import CChorus
import CMiXFile

/// Commands of ioctl(2): how their argument travels, and those that concern descriptors only.
enum Ioctl {
    static let nonBlocking: UInt32 = 0x5421  // FIONBIO
    static let closeOnExec: UInt32 = 0x5451  // FIOCLEX
    static let keepOnExec: UInt32 = 0x5450  // FIONCLEX
    static let async: UInt32 = 0x5452  // FIOASYNC
    static let bytesReadable: UInt32 = 0x541b  // FIONREAD

    static let openPeer: UInt32 = 0x5441  // TIOCGPTPEER
    static let noTerminal: UInt32 = 0x5422  // TIOCNOTTY

    static let table: [(Int, String, SystemCallHandler)] = [(16, "ioctl", ioctl)]

    @Sendable private static func ioctl(_ call: Call) throws(Errno) -> Outcome {
        let description = try call.openDescription(0)
        let argument = call[2]
        switch call.uint(1) {
        case closeOnExec, keepOnExec:
            try call.process.files.setCloseOnExec(Int(call.int(0)), call.uint(1) == closeOnExec)
            return .zero
        case nonBlocking:
            let on = try call.readStruct(Int32.self, at: argument) != 0
            description.setFlags(
                on ? description.flags | FileFlags.nonBlocking : description.flags & ~FileFlags.nonBlocking)
            return .zero
        case async: return .zero
        default: return try description.ioctl(call, call.uint(1), argument)
        }
    }

    /// Bytes that go in and come out by the argument's address; nil: the argument is a value.
    struct Shape: Equatable {
        var input = 0
        var output = 0
    }

    static func shape(_ command: UInt32) -> Shape? {
        // Commands older than the encoding of asm-generic/ioctl.h (asm-generic/ioctls.h, linux/fs.h).
        switch command {
        case 0x5401: return Shape(output: 36)  // TCGETS: struct termios of the kernel
        case 0x5402, 0x5403, 0x5404: return Shape(input: 36)
        case 0x5405: return Shape(output: 18)  // TCGETA: struct termio
        case 0x5406, 0x5407, 0x5408: return Shape(input: 18)
        case 0x540f, 0x5411, 0x5415, 0x5419, 0x541b, 0x5424, 0x5429, 0x5460: return Shape(output: 4)
        case 0x5410, 0x5416, 0x5417, 0x5418, 0x541a, 0x5420, 0x5421, 0x5423: return Shape(input: 4)
        case 0x545d: return Shape(output: 80)  // TIOCGICOUNT
        case 0x5412: return Shape(input: 1)  // TIOCSTI
        case 0x5413: return Shape(output: 8)  // TIOCGWINSZ
        case 0x5414: return Shape(input: 8)
        case 0x541c: return Shape(input: 1)  // TIOCLINUX
        case 0x541e: return Shape(output: 72)  // TIOCGSERIAL
        case 0x541f: return Shape(input: 72)
        case 0x5456: return Shape(output: 36)  // TIOCGLCKTRMIOS
        case 0x5457: return Shape(input: 36)
        case 0x125e: return Shape(output: 4)  // BLKROGET
        case 0x1260: return Shape(output: 8)  // BLKGETSIZE
        case 0x1268, 0x127b: return Shape(output: 4)  // BLKSSZGET, BLKPBSZGET
        case 0x1277: return Shape(input: 16)  // BLKDISCARD
        case 0x8913, 0x8921, 0x8927: return Shape(input: 40, output: 40)  // SIOCGIFFLAGS, -MTU, -HWADDR: struct ifreq
        default: break
        }
        // TIOCSIG is encoded as if its argument were an address, but takes a value (ioctl_tty(2)).
        if command < 0x10000 || command == 0x4004_5436 { return nil }
        let size = Int(command >> 16 & 0x3fff)
        let (writes, reads) = (command & 0x4000_0000 != 0, command & 0x8000_0000 != 0)
        if size == 0 || !writes && !reads { return nil }
        return Shape(input: writes ? size : 0, output: reads ? size : 0)
    }
}

/// ioctl of a server's object: OBJ_IOCTL with what the command's shape says.
enum RemoteIoctl {
    static func run(_ object: RemoteObject, _ call: Call, _ command: UInt32, _ argument: UInt64) throws(Errno)
        -> Outcome
    {
        let shape = Ioctl.shape(command)
        var request = object.request(OBJ_IOCTL, call.process.mixCred())
        request.arg.0 = UInt64(command)
        request.arg.1 = argument
        var input: [UInt8] = []
        if let shape {
            request.size = UInt64(shape.output)
            if shape.input > 0 { input = try call.copyIn(argument, count: shape.input) }
        }
        var armed = false
        while true {
            do {
                let (reply, output) = try call.manager.objectCall(
                    object.server, request, body: input, room: shape?.output ?? 0)
                if command == Ioctl.openPeer {
                    let peer = RemoteObject(
                        call.manager, server: object.server, reply: reply,
                        flags: UInt32(truncatingIfNeeded: argument) & ~FileFlags.closeOnExec)
                    return .done(
                        value: try call.install(
                            peer, closeOnExec: UInt32(truncatingIfNeeded: argument) & FileFlags.closeOnExec != 0))
                }
                if !output.isEmpty { try call.copyOut(output, to: argument) }
                if command == Ioctl.noTerminal { giveUpTerminal(call.process) }
                return .done(reply.diag)
            } catch {
                // Draining output (TCSETSW, TCSBRK) waits, whatever O_NONBLOCK says.
                if error == .EAGAIN && object.isNonBlocking { throw error }
                if let outcome = try object.waitOrFail(call, error, PollBits.output, "ioctl", &armed) { return outcome }
            }
        }
    }

    /// A leader has given up its session's (the server did it), a member only its own.
    private static func giveUpTerminal(_ process: Process) {
        process.manager.withTree { if process.sid != process.pid { process.isWithoutTerminal = true } }
    }
}
