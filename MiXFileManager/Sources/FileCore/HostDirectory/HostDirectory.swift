import ActorKit
import CFileHost
import CMiXFile
import Glibc

/// Which file of the host this is. The birth time tells a file from a later one with the same number; the mount tells two
/// views of one directory apart, since their parents differ.
struct HostId: Hashable, Sendable {
    let dev: UInt64
    let ino: UInt64
    let mount: UInt64
    let birth: Int64

    init(_ s: FmHostStat) {
        dev = s.dev
        ino = s.ino
        mount = s.mountId
        birth = s.btimeSec &* 1_000_000_000 &+ Int64(s.btimeNsec)
    }

    func hash(into hasher: inout Hasher) { hasher.combine(dev ^ ino &* 0x9e37_79b9_7f4a_7c15) }
}

/// A directory tree of the host. Every host call names one component relative to a descriptor that was reached the same
/// way from the root's descriptor, with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS and never following a link: nothing
/// outside the tree can be named.
final class HostDirectory: FileSystem, @unchecked Sendable {
    // Sendable: `lock` guards the tables and every inode.
    struct DentryKey: Hashable {
        let directory: ObjectIdentifier
        let name: Name
    }
    struct Dentry {
        let directory: HostInode  // keeps the identity in the key valid
        let inode: HostInode?  // nil: known not to be there
        let generation: UInt32
    }

    let id: UInt16
    let nucleus: Nucleus
    let path: String
    let readOnly: Bool
    let lock = Lock()
    private var rootInode: HostInode?
    private lazy var nowhere = Inode(fs: self, ino: 0, type: Linux.S_IFDIR)
    private var inodes: [HostId: HostInode] = [:]
    var dentries: [DentryKey: Dentry] = [:]
    /// Inodes that hold a descriptor, in order of opening; second chance by `HostInode.recent`.
    private var holders: [HostId] = []
    private var holderHead = 0
    private let holderLimit: Int
    /// Inodes that keep an idle segment, oldest first.
    private var segments: [HostId] = []
    private let segmentLimit = 64
    /// Host devices seen, in order: the root's first.
    private var devices: [UInt64] = []
    let hidesSystem: Bool
    private let sweepLimit = 65_536

    /// How long what was seen of the host is believed without asking again.
    let trust: UInt64

    init(id: UInt16, nucleus: Nucleus, path: String, readOnly: Bool, descriptorLimit: Int? = nil) throws(Errno) {
        self.id = id
        self.nucleus = nucleus
        self.path = path
        self.readOnly = readOnly
        trust = readOnly ? 1_000_000_000 : 0
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)  // RLIMIT_NOFILE
        holderLimit = descriptorLimit ?? max(16, min(1024, Int(min(limit.rlim_cur, 65536)) / 4))

        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 { throw Errno(errno) }
        var s = FmHostStat()
        if fm_stat(descriptor, "", Int32(FM_AT_EMPTY_PATH), &s) < 0 || Self.isSystem(descriptor) {
            close(descriptor)
            throw .EINVAL
        }
        var top = FmHostStat()
        let isHostRoot = fm_stat(-100, "/", 0, &top) == 0 && top.dev == s.dev && top.ino == s.ino
        hidesSystem = isHostRoot
        devices = [s.dev]
        let root = HostInode(tree: self, stat: s, parent: nil, name: nil)
        root.descriptor = descriptor
        root.isPinned = true
        rootInode = root
        inodes[root.hostId] = root
    }

    var typeName: String { "hostfs" }
    var root: Inode { rootInode ?? nowhere }
    var rootHost: HostInode? { rootInode }

    /// Kernel interfaces of the host: their contents never show (proc, sysfs, devpts, cgroup, debugfs, tracefs, security,
    /// bpf, pstore, configfs, selinuxfs, binfmt_misc, mqueue, efivarfs, fusectl; linux/magic.h).
    static func isSystem(_ descriptor: Int32) -> Bool {
        switch fm_fs_type(descriptor) {
        case 0x9fa0, 0x6265_6572, 0x1cd1, 0x27_e0eb, 0x6367_7270, 0x6462_6720, 0x7472_6163, 0x7363_6673, 0xcafe_4a11,
            0x6165_676c, 0x6265_6570, 0xf97c_ff8c, 0x4249_4e4d, 0x1980_0202, 0xde5e_81e4, 0x6573_5546:
            return true
        default: return false
        }
    }

    /// One number space for files of several host devices.
    func inoOf(_ s: FmHostStat) -> UInt64 {
        let index: Int
        if let known = devices.firstIndex(of: s.dev) {
            index = known
        } else {
            index = devices.count
            devices.append(s.dev)
        }
        return index == 0 ? s.ino : s.ino ^ UInt64(index) << 48
    }

    /// The one inode of a host file; `descriptor` (O_PATH) becomes its own, or is closed.
    func lockedInode(_ s: FmHostStat, descriptor: Int32, parent: HostInode, name: Name, hidden: Bool) -> HostInode {
        let key = HostId(s)
        if let known = inodes[key] {
            close(descriptor)
            return known
        }
        if inodes.count >= sweepLimit { lockedSweep() }
        let inode = HostInode(tree: self, stat: s, parent: parent, name: name)
        inode.isHidden = hidden
        inodes[key] = inode
        lockedHold(inode, descriptor)
        return inode
    }

    /// `inode` gets a descriptor; the least recently used one goes where there are too many.
    func lockedHold(_ inode: HostInode, _ descriptor: Int32) {
        inode.descriptor = descriptor
        inode.recent = true
        holders.append(inode.hostId)
        while holders.count - holderHead > holderLimit {
            let key = holders[holderHead]
            holderHead += 1
            guard let old = inodes[key], old.descriptor >= 0, !old.isPinned else { continue }
            if old.recent, old !== inode {
                old.recent = false
                holders.append(key)
                continue
            }
            if old === inode {
                holders.append(key)
                continue
            }
            close(old.descriptor)
            old.descriptor = -1
        }
        if holderHead > 1024, holderHead > holders.count / 2 {
            holders.removeFirst(holderHead)
            holderHead = 0
        }
    }

    func lockedKeepSegment(_ inode: HostInode) {
        segments.append(inode.hostId)
        if segments.count > segmentLimit {
            let key = segments.removeFirst()
            if key != inode.hostId { inodes[key]?.segment = nil }  // open instances hold it themselves
        }
    }

    /// Forgets what nobody uses.
    func lockedSweep() {
        dentries.removeAll()
        segments.removeAll()
        var gone = true
        while gone {
            gone = false
            var kept: [HostId: HostInode] = [:]
            kept.reserveCapacity(inodes.count)
            var all = inodes.map { $0 }
            inodes = [:]
            for i in 0..<all.count {
                if isKnownUniquelyReferenced(&all[i].value), !all[i].value.isPinned {
                    gone = true
                } else {
                    kept[all[i].key] = all[i].value
                }
            }
            inodes = kept
        }
    }

    var openDescriptors: Int {
        lock.lock()
        defer { lock.unlock() }
        return inodes.values.reduce(0) { $0 + ($1.descriptor >= 0 ? 1 : 0) }
    }

    func statistics() throws(Errno) -> MixStatfs {
        var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
        let result = withUnsafeMutableBytes(of: &words) { raw in
            fm_statfs(rootInode?.descriptor ?? -1, raw.assumingMemoryBound(to: UInt64.self).baseAddress)
        }
        _ = try check(result)
        var out = MixStatfs()
        out.type = words.0
        out.bsize = words.1
        out.blocks = words.2
        out.bfree = words.3
        out.bavail = words.4
        out.files = words.5
        out.ffree = words.6
        out.frsize = words.7
        out.fsid = UInt64(id)
        out.namelen = 255
        return out
    }

    func discard() {
        lock.lock()
        dentries.removeAll()
        segments.removeAll()
        for inode in inodes.values { inode.segment = nil }
        inodes.removeAll()
        lock.unlock()
    }
}
