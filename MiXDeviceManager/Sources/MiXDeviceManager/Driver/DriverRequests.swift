import CChorus
import CMiXDriver
import CMiXFile
import Glibc

/// The block and character switch: requests on attached devices go to their drivers.
extension DeviceManager {
    func openAttached(_ device: AttachedDevice, _ exchange: inout Exchange) -> Int64 {
        if let terminal = device.terminal { return open(terminal, controlling: true, &exchange) }
        let readies = device.state.withLock { $0.readies }
        let answer = driverCall(DRV_OPEN, device, flags: exchange.request.pointee.flags)
        guard answer.diag >= 0 else { return answer.diag }
        // Nothing has come yet for who opens a link.
        if device.class_ == .net { device.answered(failure(EAGAIN), since: readies, writing: false) }
        device.state.withLock { $0.opens += 1 }
        let reply = exchange.reply
        reply.pointee.key = MixKey(object: device.key, tag: device.secret)
        reply.pointee.mode = device.node.mode
        reply.pointee.devMajor = device.node.major
        reply.pointee.devMinor = device.node.minor
        reply.pointee.ino = deviceKey(device.node.major, device.node.minor)
        // By way of the site's cache of the device, unless that is not wanted (open(2), O_DIRECT).
        if device.class_ == .block, exchange.request.pointee.flags & 0o40000 == 0 {
            reply.pointee.size = answer.reply.size
            (reply.pointee.segUiHead, reply.pointee.segUiTail) = (answer.reply.segUiHead, answer.reply.segUiTail)
            (reply.pointee.segKeyHead, reply.pointee.segKeyTail) = (answer.reply.segKeyHead, answer.reply.segKeyTail)
        }
        return 0
    }

    func serve(_ device: AttachedDevice, _ exchange: inout Exchange) -> Int64 {
        let request = exchange.request.pointee
        switch exchange.op {
        case OBJ_READ: return read(device, &exchange)
        case OBJ_WRITE:
            let readies = device.state.withLock { $0.readies }
            let answer = driverCall(DRV_WRITE, device, offset: request.offset, body: exchange.body)
            device.answered(answer.diag, since: readies, writing: true)
            guard answer.diag >= 0 else { return answer.diag }
            exchange.reply.pointee.value.0 = request.offset &+ UInt64(answer.diag)
            return answer.diag
        case OBJ_IOCTL: return ioctl(device, &exchange)
        case OBJ_SYNC: return device.class_ == .block ? driverCall(DRV_FLUSH, device).diag : failure(EINVAL)
        case OBJ_WATCH: return watch(device, &exchange)
        case OBJ_OPEN: return openAttached(device, &exchange)
        case OBJ_DUP:
            let answer = driverCall(DRV_OPEN, device)
            if answer.diag >= 0 { device.state.withLock { $0.opens += 1 } }
            return min(answer.diag, 0)
        case OBJ_CLOSE:
            let last = device.state.withLock { state in
                state.watches.disarm(owner: exchange.owner, event: .init())
                state.opens -= 1
                return !state.isGone
            }
            if last { _ = driverCall(DRV_CLOSE, device) }
            return 0
        case OBJ_STAT:
            let node = device.node
            return exchange.put(
                nodeStat(mode: node.mode, major: node.major, minor: node.minor, uid: node.uid, gid: node.gid))
        case OBJ_PATH: return exchange.put("/dev/\(device.name)")
        case OBJ_STATFS: return statfs(&exchange)
        case OBJ_SETATTR: return 0
        case OBJ_ALLOCATE where device.class_ == .block: return failure(ENODEV)
        default: return refuse(exchange.op)
        }
    }

    private func read(_ device: AttachedDevice, _ exchange: inout Exchange) -> Int64 {
        let target = exchange.target
        if target.count == 0 { return 0 }
        // A clock is read by ioctl; read(2) waits for its alarms, of which it has none.
        if device.class_ == .clock { return failure(EINVAL) }
        let readies = device.state.withLock { $0.readies }
        let answer = driverCall(
            DRV_READ, device, offset: exchange.request.pointee.offset, size: UInt64(target.count), room: target)
        // A link says how many frames are left.
        let isLast = device.class_ == .net && answer.diag >= 0 && answer.reply.value.0 == 0
        device.answered(isLast ? failure(EAGAIN) : answer.diag, since: readies, writing: false)
        exchange.replied = answer.diag > 0 ? answer.size : 0
        return answer.diag
    }

    private func watch(_ device: AttachedDevice, _ exchange: inout Exchange) -> Int64 {
        let request = exchange.request.pointee
        let mask = UInt32(truncatingIfNeeded: request.arg.0)
        let event = KnUniqueId(
            uiHead: UInt32(truncatingIfNeeded: request.arg.2), uiTail: UInt32(truncatingIfNeeded: request.arg.3))
        var gathered = Effects()
        let now: UInt32 = device.state.withLock { state in
            let now = mask == 0 ? 0 : state.events & (mask | Poll.always)
            if mask & ~now != 0 {
                state.watches.arm(owner: exchange.owner, event: event, mask: mask & ~now, &gathered.posts)
            } else {
                state.watches.disarm(owner: exchange.owner, event: event)
            }
            return now
        }
        effects.perform(gathered)
        exchange.reply.pointee.events = now
        return 0
    }

    private func ioctl(_ device: AttachedDevice, _ exchange: inout Exchange) -> Int64 {
        let command = UInt32(truncatingIfNeeded: exchange.request.pointee.arg.0)
        switch device.class_ {
        case .block: return blockIoctl(device, command, &exchange)
        case .clock: return clockIoctl(device, command, &exchange)
        case .net: return linkIoctl(device, command, &exchange)
        case .char:
            let answer = driverCall(
                DRV_CONTROL, device, arg: (UInt64(command), 0), body: exchange.body, room: exchange.room)
            exchange.replied = answer.diag >= 0 ? answer.size : 0
            return answer.diag
        default: return failure(ENOTTY)
        }
    }

    /// linux/fs.h.
    private func blockIoctl(_ device: AttachedDevice, _ command: UInt32, _ exchange: inout Exchange) -> Int64 {
        switch command {
        case 0x1268: return exchange.put(Int32(512))  // BLKSSZGET
        case 0x127b: return exchange.put(UInt32(512))  // BLKPBSZGET
        case 0x1261: return driverCall(DRV_FLUSH, device, flags: 1).diag  // BLKFLSBUF
        case 0x1260, 0x8008_1272:  // BLKGETSIZE in sectors, BLKGETSIZE64 in bytes
            let answer = driverCall(DRV_OPEN, device)
            guard answer.diag >= 0 else { return answer.diag }
            _ = driverCall(DRV_CLOSE, device)
            return exchange.put(command == 0x1260 ? answer.reply.size / 512 : answer.reply.size)
        case 0x125e:  // BLKROGET
            let answer = driverCall(DRV_OPEN, device, flags: UInt32(O_RDWR))
            if answer.diag >= 0 { _ = driverCall(DRV_CLOSE, device) }
            return exchange.put(Int32(answer.diag == failure(EACCES) ? 1 : 0))
        case 0x1277:  // BLKDISCARD: offset and length
            guard exchange.body.count >= 16 else { return failure(EFAULT) }
            let offset = exchange.body.loadUnaligned(as: UInt64.self)
            let size = exchange.body.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            return driverCall(DRV_DISCARD, device, offset: offset, size: size).diag
        default: return failure(ENOTTY)
        }
    }

    /// struct rtc_time of linux/rtc.h.
    private struct RtcTime: BitwiseCopyable {
        var sec: Int32 = 0
        var min: Int32 = 0
        var hour: Int32 = 0
        var mday: Int32 = 0
        var mon: Int32 = 0
        var year: Int32 = 0
        var wday: Int32 = 0
        var yday: Int32 = 0
        var isdst: Int32 = 0
    }

    private func clockIoctl(_ device: AttachedDevice, _ command: UInt32, _ exchange: inout Exchange) -> Int64 {
        switch command {
        case 0x8024_7009:  // RTC_RD_TIME
            let answer = driverCall(DRV_READ, device)
            guard answer.diag >= 0 else { return answer.diag }
            var seconds = time_t(Int64(bitPattern: answer.reply.value.1))
            var parts = tm()
            gmtime_r(&seconds, &parts)
            return exchange.put(
                RtcTime(
                    sec: parts.tm_sec, min: parts.tm_min, hour: parts.tm_hour, mday: parts.tm_mday, mon: parts.tm_mon,
                    year: parts.tm_year, wday: parts.tm_wday, yday: parts.tm_yday))
        case 0x4024_700a:  // RTC_SET_TIME
            guard exchange.request.pointee.cred.capabilities & MIX_CAP_ROOT != 0 else { return failure(EACCES) }
            guard let wanted = exchange.get(RtcTime.self) else { return failure(EFAULT) }
            guard (0...59).contains(wanted.sec), (0...59).contains(wanted.min), (0...23).contains(wanted.hour),
                (1...31).contains(wanted.mday), (0...11).contains(wanted.mon), (70...8099).contains(wanted.year)
            else { return failure(EINVAL) }
            var parts = tm()
            (parts.tm_sec, parts.tm_min, parts.tm_hour) = (wanted.sec, wanted.min, wanted.hour)
            (parts.tm_mday, parts.tm_mon, parts.tm_year) = (wanted.mday, wanted.mon, wanted.year)
            return driverCall(DRV_WRITE, device, arg: (UInt64(bitPattern: Int64(timegm(&parts))), 0)).diag
        default: return failure(ENOTTY)
        }
    }
}
