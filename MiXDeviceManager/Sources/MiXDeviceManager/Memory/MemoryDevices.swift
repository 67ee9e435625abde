import CMiXDevice
import CMiXFile
import Glibc

/// Devices without state (mem(4), null(4), full(4), random(4)). The raw value is the minor of major 1.
enum MemoryDevice: UInt32, CaseIterable {
    case null = 3
    case zero = 5
    case full = 7
    case random = 8
    case urandom = 9
    case kmsg = 11

    var name: String {
        switch self {
        case .null: "null"
        case .zero: "zero"
        case .full: "full"
        case .random: "random"
        case .urandom: "urandom"
        case .kmsg: "kmsg"
        }
    }

    var mode: UInt32 { S_IFCHR | (self == .kmsg ? 0o644 : 0o666) }
    var key: UInt64 { deviceKey(1, rawValue) }
}

extension DeviceManager {
    @inline(__always)
    func serve(_ device: MemoryDevice, _ exchange: inout Exchange) -> Int64 {
        switch exchange.op {
        case OBJ_READ: return read(device, &exchange)
        case OBJ_WRITE: return write(device, &exchange)
        default: return control(device, &exchange)
        }
    }

    @inline(__always)
    private func read(_ device: MemoryDevice, _ exchange: inout Exchange) -> Int64 {
        let target = exchange.target
        switch device {
        case .null:
            return 0
        case .zero, .full:
            if let base = target.baseAddress { memset(base, 0, target.count) }
        case .random, .urandom:
            guard fillRandom(target) else { return failure(EIO) }
        case .kmsg:
            return failure(EAGAIN)  // an empty log
        }
        exchange.replied = target.count
        return Int64(target.count)
    }

    private func fillRandom(_ target: UnsafeMutableRawBufferPointer) -> Bool {
        guard let base = target.baseAddress, target.count > 0 else { return true }
        if nucleus.sysRandom(base, UInt32(target.count)) >= 0 { return true }
        var done = 0
        while done < target.count {
            let count = min(256, target.count - done)  // what getentropy(3) gives at once
            guard getentropy(base + done, count) == 0 else { return false }
            done += count
        }
        return true
    }

    @inline(__always)
    private func write(_ device: MemoryDevice, _ exchange: inout Exchange) -> Int64 {
        if device == .full { return failure(ENOSPC) }
        if device == .kmsg { log(exchange.body) }
        exchange.reply.pointee.value.0 = exchange.request.pointee.offset &+ UInt64(exchange.body.count)
        return Int64(exchange.body.count)
    }

    /// One record of /dev/kmsg: an optional <N> level, then text.
    private func log(_ text: UnsafeRawBufferPointer) {
        var line = String(decoding: text.prefix(1000), as: UTF8.self)
        var level: Int32 = 2
        if line.first == "<", let close = line.prefix(6).firstIndex(of: ">") {
            let number = Int(line[line.index(after: line.startIndex)..<close]) ?? 6
            line = String(line[line.index(after: close)...])
            level = [0, 0, 0, 0, 1, 2, 2, 3][number & 7]
        }
        while line.last == "\n" { line.removeLast() }
        nucleus.sysLog(level, line)
    }

    @inline(never)
    private func control(_ device: MemoryDevice, _ exchange: inout Exchange) -> Int64 {
        let reply = exchange.reply
        switch exchange.op {
        case OBJ_OPEN, OBJ_DUP:
            reply.pointee.key = MixKey(object: device.key, tag: 0)
            reply.pointee.mode = device.mode
            reply.pointee.devMajor = 1
            reply.pointee.devMinor = device.rawValue
            reply.pointee.ino = device.key
            return 0
        case OBJ_CLOSE, OBJ_SETATTR:
            return 0
        case OBJ_WATCH:
            // Ready for ever: no watch is kept.
            reply.pointee.events =
                (device == .kmsg ? Poll.output : Poll.input | Poll.output)
                & UInt32(truncatingIfNeeded: exchange.request.pointee.arg.0)
            return 0
        case OBJ_STAT:
            return exchange.put(nodeStat(mode: device.mode, major: 1, minor: device.rawValue))
        case OBJ_STATFS:
            return statfs(&exchange)
        case OBJ_PATH:
            return exchange.put("/dev/" + device.name)
        case OBJ_IOCTL where device == .random || device == .urandom:
            guard UInt32(truncatingIfNeeded: exchange.request.pointee.arg.0) == 0x8004_5200 else {
                return failure(EINVAL)
            }
            return exchange.put(Int32(256))  // RNDGETENTCNT
        default:
            return refuse(exchange.op)
        }
    }
}

/// struct MixStat of a character device.
func nodeStat(mode: UInt32, major: UInt32, minor: UInt32, uid: UInt32 = 0, gid: UInt32 = 0) -> MixStat {
    var stat = MixStat()
    stat.dev = 5
    stat.ino = deviceKey(major, minor)
    stat.rdev = deviceKey(major, minor)
    stat.nlink = 1
    stat.mode = mode
    stat.uid = uid
    stat.gid = gid
    stat.blksize = 4096
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    stat.atimeSec = Int64(now.tv_sec)
    stat.mtimeSec = Int64(now.tv_sec)
    stat.ctimeSec = Int64(now.tv_sec)
    return stat
}
