import CChorus
import CMiXDevice
import CMiXFile
import Glibc
import TerminalLine

extension DeviceManager {
    /// A request on an opened terminal; `tag` is the key's.
    func serve(_ terminal: Terminal, _ tag: UInt64, _ exchange: inout Exchange) -> Int64 {
        switch exchange.op {
        case OBJ_READ: return terminal.read(tag, &exchange)
        case OBJ_WRITE: return terminal.write(tag, &exchange)
        case OBJ_IOCTL: return ioctl(terminal, tag, &exchange)
        case OBJ_WATCH: return terminal.watch(tag, &exchange)
        case OBJ_OPEN: return open(terminal, controlling: true, &exchange)
        case OBJ_DUP:
            return terminal.state.withLock { state in
                guard state.keyState(tag) != .foreign else { return failure(EBADF) }
                if state.keyState(tag) == .live { state.opens += 1 } else { state.deadOpens += 1 }
                return 0
            }
        case OBJ_CLOSE:
            let diag = terminal.close(tag, owner: exchange.owner)
            forget(terminal)
            return diag
        case OBJ_STAT:
            let (mode, uid, gid) = terminal.state.withLock { ($0.mode, $0.uid, $0.gid) }
            return exchange.put(
                nodeStat(mode: S_IFCHR | mode, major: terminal.major, minor: terminal.minor, uid: uid, gid: gid))
        case OBJ_SETATTR:
            let diag = terminal.setAttributes(exchange.request)
            if diag >= 0, terminal.number != 0, !terminal.state.withLock({ $0.gone }) {
                _ = call(FILE_DEV_REGISTER, node(terminal))  // what its name has is the same
            }
            return diag
        case OBJ_STATFS: return statfs(&exchange)
        case OBJ_PATH: return exchange.put("/dev/" + terminal.name)
        default: return refuse(exchange.op)
        }
    }
}

extension Terminal.State {
    /// What was kept of an owner's blocked call.
    fileprivate mutating func forget(_ owner: UInt64) {
        readers[owner] = nil
        cutOff.remove(owner)
        drainers.remove(owner)
    }
}

extension Terminal {
    /// Armed first, then looked at, in one hold of the lock: no change falls between.
    func watch(_ tag: UInt64, _ exchange: inout Exchange) -> Int64 {
        let request = exchange.request
        let owner = exchange.owner
        let mask = UInt32(truncatingIfNeeded: request.pointee.arg.0)
        let event = KnUniqueId(
            uiHead: UInt32(truncatingIfNeeded: request.pointee.arg.2),
            uiTail: UInt32(truncatingIfNeeded: request.pointee.arg.3))
        let events: UInt32? = change { state, effects in
            let key = state.keyState(tag)
            if key == .foreign { return nil }
            if mask == 0 {
                state.watches.disarm(owner: owner, event: event)
                state.forget(owner)
                return 0
            }
            if key == .hungUp { return Poll.input | Poll.output | Poll.error | Poll.hangUp }
            let now = state.events(owner, far) & (mask | Poll.always)
            // What is true already needs no watch: the reply says it. The rest of the mask does.
            if mask & ~now != 0 {
                state.watches.arm(owner: owner, event: event, mask: mask & ~now, &effects.posts)
            } else {
                state.watches.disarm(owner: owner, event: event)
            }
            return now
        }
        guard let events else { return failure(EBADF) }
        exchange.reply.pointee.events = events
        return 0
    }

    func close(_ tag: UInt64, owner: UInt64) -> Int64 {
        let last: Bool? = state.withLock { state in
            guard state.keyState(tag) != .foreign else { return nil }
            state.watches.disarm(owner: owner, event: KnUniqueId())
            state.forget(owner)
            guard state.keyState(tag) == .live, state.opens > 0 else {
                state.deadOpens -= 1
                return false
            }
            state.opens -= 1
            // A pseudo-terminal lives as long as its master.
            if state.opens == 0, far.kind != .pseudo { (state.exclusive, state.locked) = (false, nil) }
            return state.opens == 0
        }
        guard let last else { return failure(EBADF) }
        far.closed(self, last: last)
        return 0
    }

    /// fchmod and fchown, as login(1), mesg(1) and grantpt(3) do them.
    func setAttributes(_ request: UnsafePointer<MixObjRequest>) -> Int64 {
        let what = request.pointee.flags
        let cred = request.pointee.cred
        let mode = UInt32(truncatingIfNeeded: request.pointee.arg.0)
        let uid = UInt32(truncatingIfNeeded: request.pointee.arg.1)
        let gid = UInt32(truncatingIfNeeded: request.pointee.arg.1 >> 32)
        return state.withLock { state in
            guard cred.uid == state.uid || cred.isRoot else {
                return failure(EPERM)
            }
            if what & MIX_ATTR_MODE != 0 { state.mode = mode & 0o7777 }
            if what & MIX_ATTR_UID != 0 { state.uid = uid }
            if what & MIX_ATTR_GID != 0 { state.gid = gid }
            return 0
        }
    }
}
