import CMiXDevice
import CMiXDriver
import CMiXFile
import Glibc

extension DeviceManager {
    /// Serves one request; the result is its `diag`.
    @inline(__always)
    func serve(_ exchange: inout Exchange) -> Int64 {
        let key = exchange.request.pointee.key
        // Memory devices first: they are the ones that are asked a million times.
        if key.object >> 32 == 1, let device = MemoryDevice(rawValue: UInt32(truncatingIfNeeded: key.object)) {
            return serve(device, &exchange)
        }
        return serveOther(key, &exchange)
    }

    @inline(never)
    private func serveOther(_ key: MixKey, _ exchange: inout Exchange) -> Int64 {
        switch exchange.op {
        case DEV_CONSOLE_WINSIZE:
            let size = exchange.request.pointee.arg.0
            console.terminal.hostResized(rows: UInt16(truncatingIfNeeded: size >> 16), columns: UInt16(size & 0xffff))
            return 0
        case DEV_CONSOLE_DRAIN:
            let busy = !console.drained || streams.contains { $0.map { !$0.drained } ?? false }
            return busy ? failure(EAGAIN) : 0
        case TTY_SESSION_END, TTY_CONTROLLING, TTY_SET_CONTROLLING:
            return serveSession(&exchange)
        case DEV_ATTACH: return attach(&exchange)
        case DEV_DETACH: return detach(exchange.request.pointee.arg.0)
        case DEV_READY:
            driverReady(
                exchange.request.pointee.arg.0, UInt32(truncatingIfNeeded: exchange.request.pointee.arg.2))
            return 0
        default:
            break
        }
        guard let device = DeviceKey(key) else { return failure(EBADF) }
        switch device {
        case .memory(let device):
            return serve(device, &exchange)
        case .terminal(let number, let byTty):
            guard let terminal = terminals.withLock({ $0.terminal(number) }) else { return failure(EBADF) }
            if byTty, exchange.op == OBJ_STAT {
                return exchange.put(nodeStat(mode: S_IFCHR | 0o666, major: 5, minor: 0))
            }
            if byTty, exchange.op == OBJ_PATH { return exchange.put("/dev/tty") }
            return serve(terminal, key.tag, &exchange)
        case .master(let number):
            return serveMaster(number, key.tag, &exchange)
        case .stdio(let number):
            // A terminal is reopened under a key of its own; a stream keeps this one.
            guard number < streams.count, let stream = streams[number] else { return openNode(device, &exchange) }
            return serve(stream, key, &exchange)
        case .attached(let handle):
            guard let found = attached.withLock({ $0.device(handle) }), found.secret == key.tag else {
                return failure(EBADF)
            }
            return serve(found, &exchange)
        case .controllingTerminal, .consoleNode, .ptmxNode, .slaveNode, .attachedNode:
            return openNode(device, &exchange)
        }
    }

    /// Nodes that lead to a terminal: all one can do with them is open them.
    private func openNode(_ device: DeviceKey, _ exchange: inout Exchange) -> Int64 {
        guard exchange.op == OBJ_OPEN else { return failure(EBADF) }
        switch device {
        case .controllingTerminal:
            let sid = exchange.request.pointee.cred.sid
            guard let terminal = terminals.withLock({ $0.controlling(sid) }) else { return failure(ENXIO) }
            let diag = open(terminal, controlling: false, &exchange)
            exchange.reply.pointee.key.object = DeviceKey.byTtyBase | UInt64(terminal.number)
            (exchange.reply.pointee.devMajor, exchange.reply.pointee.devMinor) = (5, 0)
            exchange.reply.pointee.ino = deviceKey(5, 0)
            return diag
        case .stdio(let number) where !console.isTerminal(number):
            return failure(ENXIO)  // closed on the host
        case .consoleNode, .stdio:
            return open(console.terminal, controlling: true, &exchange)
        case .ptmxNode:
            return openMaster(&exchange)
        case .attachedNode(let node):
            guard let found = attached.withLock({ $0.device(node: node) }) else { return failure(ENXIO) }
            return openAttached(found, &exchange)
        case .slaveNode(let number):
            let (slave, master) = terminals.withLock { ($0.terminal(number + 1), $0.masters[number + 1]) }
            guard let terminal = slave, let master, !master.locked else { return failure(EIO) }
            return open(terminal, controlling: true, &exchange)
        default:
            return failure(ENXIO)
        }
    }

    /// What most character devices answer to requests that make no sense for them.
    func refuse(_ op: UInt32) -> Int64 {
        switch op {
        case OBJ_IOCTL: failure(ENOTTY)
        case OBJ_READDIR: failure(ENOTDIR)
        case OBJ_TRUNC, OBJ_SYNC: failure(EINVAL)
        case OBJ_LOCK: failure(ENOLCK)
        case OBJ_ALLOCATE, OBJ_SEGMENT: failure(ENODEV)
        case OBJ_XATTR: failure(EOPNOTSUPP)
        default: failure(ENOSYS)
        }
    }

    /// struct MixStatfs of the file system device nodes live in.
    func statfs(_ exchange: inout Exchange) -> Int64 {
        var answer = MixStatfs()
        answer.type = 0x0102_1994  // TMPFS_MAGIC
        answer.bsize = 4096
        answer.frsize = 4096
        answer.namelen = 255
        return exchange.put(answer)
    }
}
