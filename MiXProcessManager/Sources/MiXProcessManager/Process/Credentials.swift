import CMiXFile

/// User and group identities of a process (credentials(7)).
struct Credentials: Equatable {
    var uid: UInt32 = 0, euid: UInt32 = 0, suid: UInt32 = 0, fsuid: UInt32 = 0
    var gid: UInt32 = 0, egid: UInt32 = 0, sgid: UInt32 = 0, fsgid: UInt32 = 0
    var groups: [UInt32] = []
    /// Capability sets (capabilities(7)).
    var effective: UInt64 = Credentials.rootCapabilities
    var permitted: UInt64 = Credentials.rootCapabilities
    var inheritable: UInt64 = 0
    var bounding: UInt64 = Credentials.rootCapabilities
    var ambient: UInt64 = 0
    var secureBits: UInt32 = 0

    static let allCapabilities: UInt64 = (1 << 41) - 1
    /// Root is root as in a container: what is the host's is not its to have. CAP_SYS_MODULE, RAWIO, PACCT, NICE, TIME;
    /// CAP_PERFMON, CAP_BPF.
    static let rootCapabilities: UInt64 = [16, 17, 20, 23, 25, 38, 39].reduce(allCapabilities) { $0 & ~(1 << $1) }
    static let capSetPcap = 8, capSysChroot = 18, capMakeNode = 27, capFileOwner = 3, capChangeOwner = 0
    static let noRoot: UInt32 = 1, noSetUidFixup: UInt32 = 4, keepCapabilities: UInt32 = 16
    static let noAmbientRaise: UInt32 = 64
    static let capDacOverride = 1, capKill = 5, capSetGid = 6, capSetUid = 7, capSysAdmin = 21, capSysNice = 23
    static let capLease = 28, capSetFileCapabilities = 31
    static let capSysPtrace = 19, capSysResource = 24, capSysBoot = 22, capSysTime = 25

    func has(_ capability: Int) -> Bool { effective & (1 << UInt64(capability)) != 0 }
    /// Set-user-ID and set-group-ID programs; saved and file-system ids follow the effective ones.
    mutating func exec(uid newUid: UInt32?, gid newGid: UInt32?) {
        if newUid ?? euid != euid || newGid ?? egid != egid { ambient = 0 }
        if let newUid { euid = newUid }
        if let newGid { egid = newGid }
        suid = euid
        fsuid = euid
        sgid = egid
        fsgid = egid
        let isRoot = (uid == 0 || euid == 0) && secureBits & Self.noRoot == 0
        permitted = isRoot ? inheritable | bounding : ambient
        effective = isRoot && euid == 0 ? permitted : ambient
        secureBits &= ~Self.keepCapabilities
    }

    /// Leaving user 0 gives up what came with it, and coming back brings it back.
    mutating func fixCapabilities(from old: Credentials) {
        guard secureBits & Self.noSetUidFixup == 0 else { return }
        if [old.uid, old.euid, old.suid].contains(0), ![uid, euid, suid].contains(0) {
            if secureBits & Self.keepCapabilities == 0 {
                permitted = 0
                effective = 0
            }
            ambient = 0
        }
        if old.euid == 0, euid != 0 {
            effective = 0
        } else if old.euid != 0, euid == 0 {
            effective = permitted
        }
    }

    /// setfsuid(2): the capabilities for files go and come with user 0.
    mutating func setFileSystemUser(_ id: UInt32) {
        let files: UInt64 = [0, 1, 2, 3, 4, 9, 27, 32].reduce(0) { $0 | 1 << $1 }
        if secureBits & Self.noSetUidFixup == 0 {
            if fsuid == 0, id != 0 { effective &= ~files }
            if fsuid != 0, id == 0 { effective |= permitted & files }
        }
        fsuid = id
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
        cred.sid = isWithoutTerminal ? 0 : sid  // what servers need it for is its terminal
        cred.capabilities = credentials.isPrivileged ? MIX_CAP_ROOT : 0
        if credentials.has(Credentials.capSysAdmin) { cred.capabilities |= MIX_CAP_ADMIN }
        if credentials.has(Credentials.capSetFileCapabilities) { cred.capabilities |= MIX_CAP_SETFCAP }
        return cred
    }
}
