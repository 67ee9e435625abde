import CMiXFile
import Glibc
import Synchronization

/// Owner, permissions and times of what has no name at any server: pipes, memory files, message queues.
final class OwnAttributes: Sendable {
    private struct State {
        var permissions: UInt32
        var uid: UInt32
        var gid: UInt32
        var access: timespec
        var modification: timespec
        var change: timespec
    }
    private let state: Mutex<State>

    init(permissions: UInt32, owner: MixCred) {
        let now = Self.now()
        state = Mutex(
            State(
                permissions: permissions, uid: owner.uid, gid: owner.gid, access: now, modification: now, change: now))
    }

    private static func now() -> timespec {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return now
    }

    var permissions: UInt32 { state.withLock { $0.permissions } }

    var owner: (uid: UInt32, gid: UInt32) { state.withLock { ($0.uid, $0.gid) } }

    func fill(_ stat: inout MixStat) {
        let now = state.withLock { $0 }
        (stat.uid, stat.gid) = (now.uid, now.gid)
        (stat.atimeSec, stat.atimeNsec) = (Int64(now.access.tv_sec), UInt32(now.access.tv_nsec))
        (stat.mtimeSec, stat.mtimeNsec) = (Int64(now.modification.tv_sec), UInt32(now.modification.tv_nsec))
        (stat.ctimeSec, stat.ctimeNsec) = (Int64(now.change.tv_sec), UInt32(now.change.tv_nsec))
    }

    /// MIX_ATTR_* as a server would (chmod(2), chown(2), utimensat(2)).
    func change(
        _ flags: UInt32, mode: UInt32, uid: UInt32, gid: UInt32, _ times: MixTimes, _ who: Credentials
    ) throws(Errno) {
        let error: Errno? = state.withLock { old in
            let isOwner = who.fsuid == old.uid || who.has(Credentials.capFileOwner)
            let mayGive = who.has(Credentials.capChangeOwner)
            if flags & MIX_ATTR_MODE != 0, !isOwner { return .EPERM }
            if flags & MIX_ATTR_UID != 0, !mayGive, !(who.fsuid == old.uid && uid == old.uid) { return .EPERM }
            if flags & MIX_ATTR_GID != 0, !mayGive {
                let isOurs = gid == who.fsgid || who.groups.contains(gid) || gid == old.gid
                guard who.fsuid == old.uid, isOurs else { return .EPERM }
            }
            if flags & (MIX_ATTR_ATIME | MIX_ATTR_MTIME) != 0, !isOwner { return .EPERM }
            let now = Self.now()
            let time = { (seconds: Int64, nanoseconds: Int64) -> timespec in
                nanoseconds == 0x3fff_ffff ? now : timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds))
            }
            if flags & MIX_ATTR_MODE != 0 { old.permissions = mode & 0o7777 }
            if flags & MIX_ATTR_UID != 0 { old.uid = uid }
            if flags & MIX_ATTR_GID != 0 { old.gid = gid }
            if flags & MIX_ATTR_ATIME != 0 { old.access = time(times.atimeSec, times.atimeNsec) }
            if flags & MIX_ATTR_MTIME != 0 { old.modification = time(times.mtimeSec, times.mtimeNsec) }
            old.change = now
            return nil
        }
        if let error { throw error }
    }
}
