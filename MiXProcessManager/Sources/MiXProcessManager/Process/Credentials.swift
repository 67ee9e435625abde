import CMiXFile

/// User and group identities of a process (credentials(7)).
struct Credentials: Equatable {
    var uid: UInt32 = 0, euid: UInt32 = 0, suid: UInt32 = 0, fsuid: UInt32 = 0
    var gid: UInt32 = 0, egid: UInt32 = 0, sgid: UInt32 = 0, fsgid: UInt32 = 0
    var groups: [UInt32] = []
    /// Capability sets: all for root, none else, unless capset(2) dropped some.
    var effective: UInt64 = Credentials.allCapabilities
    var permitted: UInt64 = Credentials.allCapabilities
    var inheritable: UInt64 = 0

    static let allCapabilities: UInt64 = (1 << 41) - 1
    static let capDacOverride = 1, capKill = 5, capSetGid = 6, capSetUid = 7, capSysAdmin = 21, capSysNice = 23
    static let capSysResource = 24, capSysBoot = 22, capSysTime = 25

    func has(_ capability: Int) -> Bool { effective & (1 << UInt64(capability)) != 0 }
    /// Set-user-ID and set-group-ID programs; saved and file-system ids follow the effective ones.
    mutating func exec(uid newUid: UInt32?, gid newGid: UInt32?) {
        if let newUid {
            euid = newUid
            if newUid == 0 {
                effective = Self.allCapabilities
                permitted = Self.allCapabilities
            } else {
                effective = 0
                permitted = 0
            }
        }
        if let newGid { egid = newGid }
        suid = euid
        fsuid = euid
        sgid = egid
        fsgid = egid
    }
    var isPrivileged: Bool { has(Self.capDacOverride) }
}

extension Process {
    /// Whose permissions a request counts with: the file-system ids.
    func mixCred() -> MixCred {
        let credentials = self.credentials
        var cred = MixCred()
        cred.uid = credentials.fsuid
        cred.gid = credentials.fsgid
        cred.umask = umask
        cred.groupCount = UInt32(min(credentials.groups.count, 16))
        withUnsafeMutableBytes(of: &cred.groups) { bytes in
            for (index, group) in credentials.groups.prefix(16).enumerated() {
                bytes.storeBytes(of: group, toByteOffset: index * 4, as: UInt32.self)
            }
        }
        cred.pid = pid
        cred.pgrp = pgrp
        cred.sid = sid
        cred.capabilities = credentials.isPrivileged ? MIX_CAP_ROOT : 0
        return cred
    }
}
