import Glibc

/// What the three System V mechanisms have in common (sysvipc(7)). Fields are guarded by `lock`.
class IpcObject: @unchecked Sendable {
    // Sendable: see above.
    let lock = Lock()
    let id: Int32
    var permission: IpcPermission
    var isRemoved = false
    /// `…_ctime`: made, or changed by IPC_SET.
    var changed: Int64
    /// Everyone who waits for it to change.
    let queue = WaitQueue()

    init(id: Int32, permission: IpcPermission) {
        self.id = id
        self.permission = permission
        changed = Self.now()
    }

    static func now() -> Int64 { Int64(time(nil)) }

    /// Called once, without locks, after it has gone from its table.
    func removed() { queue.wake() }
}

/// IPC_* and what goes with them.
enum Ipc {
    static let create: UInt32 = 0o1000, exclusive: UInt32 = 0o2000, noWait: UInt32 = 0o4000
    static let remove: Int32 = 0, set: Int32 = 1, stat: Int32 = 2, info: Int32 = 3
    static let read: UInt32 = 0o444, write: UInt32 = 0o222
    /// Objects of one kind (IPCMNI).
    static let most = 32768
}

/// `struct ipc64_perm`.
struct IpcPermission {
    var key: Int32
    var uid: UInt32
    var gid: UInt32
    let creatorUid: UInt32
    let creatorGid: UInt32
    var mode: UInt32

    static let size = 48
    /// SHM_DEST: goes when the last one detaches.
    static let doomed: UInt32 = 0o1000

    init(key: Int32, mode: UInt32, creator: Credentials) {
        self.key = key
        self.mode = mode & 0o777
        (uid, gid) = (creator.euid, creator.egid)
        (creatorUid, creatorGid) = (creator.euid, creator.egid)
    }

    /// EACCES unless the bits of `wanted` (as in a mode, whichever class) are granted.
    func check(_ who: Credentials, _ wanted: UInt32) throws(Errno) {
        let asked = wanted >> 6 | wanted >> 3 | wanted
        var granted = mode
        if who.euid == creatorUid || who.euid == uid {
            granted >>= 6
        } else if [gid, creatorGid].contains(where: { $0 == who.egid || who.groups.contains($0) }) {
            granted >>= 3
        }
        guard asked & ~granted & 7 == 0 || who.has(Credentials.capIpcOwner) else { throw .EACCES }
    }

    /// EPERM unless `who` may remove it or change its owner.
    func checkOwner(_ who: Credentials) throws(Errno) {
        guard who.euid == creatorUid || who.euid == uid || who.has(Credentials.capSysAdmin) else { throw .EPERM }
    }

    func write(to bytes: inout [UInt8], id: Int32) {
        bytes.withUnsafeMutableBytes {
            $0.storeBytes(of: key, toByteOffset: 0, as: Int32.self)
            $0.storeBytes(of: uid, toByteOffset: 4, as: UInt32.self)
            $0.storeBytes(of: gid, toByteOffset: 8, as: UInt32.self)
            $0.storeBytes(of: creatorUid, toByteOffset: 12, as: UInt32.self)
            $0.storeBytes(of: creatorGid, toByteOffset: 16, as: UInt32.self)
            $0.storeBytes(of: mode, toByteOffset: 20, as: UInt32.self)
            $0.storeBytes(of: UInt16(truncatingIfNeeded: id >> 15), toByteOffset: 24, as: UInt16.self)
        }
    }

    /// IPC_SET: owner and permissions, no more.
    mutating func take(from bytes: [UInt8]) {
        bytes.withUnsafeBytes {
            uid = $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
            gid = $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
            mode = mode & ~0o777 | $0.loadUnaligned(fromByteOffset: 20, as: UInt32.self) & 0o777
        }
    }
}

extension Credentials {
    static let capIpcLock = 14, capIpcOwner = 15
}

/// A wait on an object, kept across re-dispatches: that it has gone is EIDRM then, not EINVAL.
final class IpcWait<Object: IpcObject> {
    let object: Object
    init(_ object: Object) { self.object = object }
}
