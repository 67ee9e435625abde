import CMiXFile
import Glibc

extension DeviceManager {
    /// /dev/ptmx: a new pair. Its node appears under /dev/pts.
    func openMaster(_ exchange: inout Exchange) -> Int64 {
        let cred = exchange.request.pointee.cred
        let master = PtyMaster(effects: effects)
        let (effects, timer) = (effects, timer)
        let slave: Terminal? = terminals.withLock { table in
            guard let number = table.firstFree() else { return nil }
            let terminal = Terminal(
                number: number, name: "pts/\(number - 1)", major: 136, minor: UInt32(number - 1), far: master,
                effects: effects, timer: timer)
            table.add(terminal)
            table.masters[number] = master
            return terminal
        }
        guard let slave else { return failure(ENOSPC) }
        slave.state.withLock { ($0.uid, $0.gid) = (cred.uid, 5) }
        _ = call(FILE_DEV_REGISTER, node(slave))
        let reply = exchange.reply
        reply.pointee.key = MixKey(object: DeviceKey.masterBase | UInt64(slave.number), tag: master.secret)
        reply.pointee.mode = S_IFCHR | 0o666
        reply.pointee.devMajor = 5
        reply.pointee.devMinor = 2
        reply.pointee.ino = deviceKey(5, 2)
        return 0
    }

    /// Its node under /dev.
    func node(_ terminal: Terminal) -> DeviceNode {
        let (mode, uid, gid) = terminal.state.withLock { ($0.mode, $0.uid, $0.gid) }
        return DeviceNode(
            name: terminal.name, mode: S_IFCHR | mode, major: terminal.major, minor: terminal.minor, uid: uid, gid: gid)
    }

    func serveMaster(_ number: Int, _ tag: UInt64, _ exchange: inout Exchange) -> Int64 {
        let (master, slave) = terminals.withLock { ($0.masters[number], $0.terminal(number)) }
        guard let master, let slave, master.secret == tag else { return failure(EBADF) }
        switch exchange.op {
        case OBJ_READ: return master.read(slave, &exchange)
        case OBJ_WRITE: return master.write(slave, &exchange)
        case OBJ_WATCH: return master.watch(slave, &exchange)
        case OBJ_IOCTL: return ioctl(master, slave, &exchange)
        case OBJ_DUP:
            master.state.withLock { $0.opens += 1 }
            return 0
        case OBJ_OPEN:
            return openMaster(&exchange)
        case OBJ_CLOSE:
            return close(master, slave, owner: exchange.owner)
        case OBJ_STAT:
            return exchange.put(nodeStat(mode: S_IFCHR | 0o666, major: 5, minor: 2))
        case OBJ_STATFS:
            return statfs(&exchange)
        case OBJ_PATH:
            return exchange.put("/dev/ptmx")
        case OBJ_SETATTR:
            return 0
        default:
            return refuse(exchange.op)
        }
    }

    /// The last close hangs the slave up and takes its node away.
    private func close(_ master: PtyMaster, _ slave: Terminal, owner: UInt64) -> Int64 {
        let last = master.state.withLock { state in
            state.watches.disarm(owner: owner, event: .init())
            state.opens -= 1
            return state.opens == 0
        }
        guard last else { return 0 }
        hangUp(slave, forGood: true)
        _ = call(FILE_DEV_UNREGISTER, node(slave))
        terminals.withLock { $0.masters[slave.number] = nil }
        forget(slave)
        return 0
    }

    /// A slave without a master is forgotten when the last one that had it open closes it; then its number is free.
    func forget(_ slave: Terminal) {
        guard slave.number > 0 else { return }
        terminals.withLock { table in
            let unused = slave.state.withLock { $0.gone && $0.opens == 0 && $0.deadOpens <= 0 }
            if unused && table.masters[slave.number] == nil { table.remove(slave.number) }
        }
    }
}
