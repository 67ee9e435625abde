import CMiXFile

/// Whose permissions count in a request. Valid during the request only.
struct Caller {
    let cred: UnsafePointer<MixCred>
    /// The calling thread, 0 where the request does not tell.
    var thread: Int32 = 0

    var uid: UInt32 { cred.pointee.uid }
    var gid: UInt32 { cred.pointee.gid }
    var pid: Int32 { cred.pointee.pid }
    var isRoot: Bool { cred.pointee.capabilities & MIX_CAP_ROOT != 0 }

    var isAdministrator: Bool { cred.pointee.capabilities & MIX_CAP_ADMIN != 0 }
    var maySetCapabilities: Bool { cred.pointee.capabilities & MIX_CAP_SETFCAP != 0 }

    func isMember(of group: UInt32) -> Bool {
        if cred.pointee.gid == group { return true }
        let count = Int(min(cred.pointee.groupCount, 16))
        return withUnsafeBytes(of: cred.pointee.groups) { raw in
            let groups = raw.assumingMemoryBound(to: UInt32.self)
            for i in 0..<count where groups[i] == group { return true }
            return false
        }
    }

    /// R = 4, W = 2, X = 1 as in access(2).
    func may(_ mask: UInt32, _ p: Permissions) -> Bool {
        if isRoot {
            // path_resolution(7): root needs one execute bit somewhere to execute a file, nothing else.
            let isDirectory = p.mode & Linux.S_IFMT == Linux.S_IFDIR
            return mask & 1 == 0 || isDirectory || p.mode & 0o111 != 0
        }
        let bits: UInt32
        if uid == p.uid {
            bits = p.mode >> 6
        } else if isMember(of: p.gid) {
            bits = p.mode >> 3
        } else {
            bits = p.mode
        }
        return bits & mask == mask
    }

    func owns(_ p: Permissions) -> Bool { isRoot || uid == p.uid }
}
