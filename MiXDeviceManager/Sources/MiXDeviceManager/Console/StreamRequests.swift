import CMiXDevice
import CMiXFile
import Glibc

extension DeviceManager {
    /// A request on one of the site's own descriptors that is no terminal.
    func serve(_ stream: HostStream, _ key: MixKey, _ exchange: inout Exchange) -> Int64 {
        switch exchange.op {
        case OBJ_READ: return stream.read(&exchange)
        case OBJ_WRITE: return stream.write(&exchange)
        case OBJ_WATCH: return stream.watch(&exchange)
        case OBJ_OPEN, OBJ_DUP:
            var status = stat()
            guard fstat(stream.descriptor, &status) == 0 else { return failure(errno) }
            exchange.reply.pointee.key = MixKey(object: key.object, tag: 0)
            exchange.reply.pointee.mode = status.st_mode
            exchange.reply.pointee.size =
                stream.type == S_IFREG ? UInt64(max(0, Int64(status.st_size) - stream.base)) : 0
            exchange.reply.pointee.ino = UInt64(status.st_ino)
            return 0
        case OBJ_CLOSE:
            stream.state.withLock { $0.watches.disarm(owner: exchange.owner, event: .init()) }
            return 0
        case OBJ_IOCTL:
            guard UInt32(truncatingIfNeeded: exchange.request.pointee.arg.0) == TtyCommand.fionread else {
                return failure(ENOTTY)
            }
            return exchange.put(Int32(stream.state.withLock { $0.input.count }))
        case OBJ_STAT:
            return hostStat(stream, &exchange)
        case OBJ_SETATTR:
            return 0
        case OBJ_PATH:
            let kinds = [S_IFIFO: "pipe", S_IFSOCK: "socket", S_IFREG: "file"]
            return exchange.put("\(kinds[stream.type] ?? "device"):[\(key.object & 3)]")
        case OBJ_STATFS:
            return statfs(&exchange)
        default:
            return refuse(exchange.op)
        }
    }

    private func hostStat(_ stream: HostStream, _ exchange: inout Exchange) -> Int64 {
        var status = stat()
        guard fstat(stream.descriptor, &status) == 0 else { return failure(errno) }
        var answer = MixStat()
        answer.dev = 6
        answer.ino = UInt64(status.st_ino)
        answer.nlink = UInt64(status.st_nlink)
        answer.size = stream.type == S_IFREG ? UInt64(max(0, Int64(status.st_size) - stream.base)) : 0
        answer.blocks = UInt64(max(0, Int64(status.st_blocks)))
        answer.mode = status.st_mode
        answer.blksize = 4096
        if stream.type == S_IFCHR {
            let device = UInt64(status.st_rdev)
            answer.rdev = (device >> 8 & 0xfff) << 32 | (device & 0xff) | (device >> 12 & 0xfff00)
        }
        answer.atimeSec = Int64(status.st_atim.tv_sec)
        answer.mtimeSec = Int64(status.st_mtim.tv_sec)
        answer.ctimeSec = Int64(status.st_ctim.tv_sec)
        answer.atimeNsec = UInt32(status.st_atim.tv_nsec)
        answer.mtimeNsec = UInt32(status.st_mtim.tv_nsec)
        answer.ctimeNsec = UInt32(status.st_ctim.tv_nsec)
        return exchange.put(answer)
    }
}
