import ActorKit
import CMiXFile
import Synchronization

/// A file system in memory: metadata here, the data of regular files in nucleus segments.
class Tmpfs: FileSystem, @unchecked Sendable {
    // Sendable: `lock` guards every node of the tree.
    let id: UInt16
    let nucleus: Nucleus
    let lock = Lock()
    private let firstIno: UInt64
    private let nextIno: Atomic<UInt64>
    /// Set once in `plant`, before the tree is used.
    private var rootNode: TmpNode?
    private(set) var options: TmpfsOptions
    /// Where `root` leads when the tree was never planted or is discarded.
    private lazy var nowhere = Inode(fs: self, ino: 0, type: Linux.S_IFDIR)

    init(id: UInt16, nucleus: Nucleus, options: TmpfsOptions = TmpfsOptions(), firstIno: UInt64 = 1) {
        self.id = id
        self.nucleus = nucleus
        self.options = options
        self.firstIno = firstIno
        nextIno = Atomic(firstIno)
    }

    /// A planted tree with an empty root.
    static func make(id: UInt16, nucleus: Nucleus, options: TmpfsOptions = TmpfsOptions()) -> Tmpfs {
        let tree = Tmpfs(id: id, nucleus: nucleus, options: options)
        tree.plant(
            TmpNode(
                tree: tree, ino: tree.newIno(),
                NewNode(mode: Linux.S_IFDIR | options.mode, uid: options.uid, gid: options.gid)))
        return tree
    }

    var typeName: String { "tmpfs" }
    var isShared: Bool { false }
    var root: Inode { rootNode ?? nowhere }
    var top: TmpNode? { rootNode }

    func plant(_ root: TmpNode) {
        root.nlink = 2
        rootNode = root
    }

    func newIno() -> UInt64 { nextIno.add(1, ordering: .relaxed).oldValue }
    func reserveInos(through ino: UInt64) {
        while true {
            let current = nextIno.load(ordering: .relaxed)
            if current > ino { return }
            if nextIno.compareExchange(expected: current, desired: ino + 1, ordering: .relaxed).exchanged { return }
        }
    }

    /// A node of this tree's own class; Overlay makes its own.
    func newNode(_ new: NewNode) -> TmpNode { TmpNode(tree: self, ino: newIno(), new) }

    func statistics() throws(Errno) -> MixStatfs {
        let memory = MemoryInfo.read()
        var out = MixStatfs()
        out.type = 0x0102_1994  // TMPFS_MAGIC
        out.bsize = 4096
        out.frsize = 4096
        out.blocks = (options.size ?? memory.total / 2) / 4096
        out.bfree = min(out.blocks, memory.available / 4096)
        out.bavail = out.bfree
        out.files = memory.total / 8192
        out.ffree = out.files - min(out.files, nextIno.load(ordering: .relaxed) - firstIno)
        out.namelen = 255
        out.fsid = UInt64(id)
        return out
    }

    /// Breaks the cycles between directories and their entries, so that nodes that nobody holds go.
    func discard() {
        lock.lock()
        var stack: [TmpNode] = rootNode.map { [$0] } ?? []
        while let node = stack.popLast() {
            stack.append(contentsOf: node.entries.values)
            node.entries.removeAll()
            node.parent = nil  // and no chain of parents that would be freed recursively
        }
        lock.unlock()
    }
}

/// Mount options of tmpfs(5).
struct TmpfsOptions {
    var mode: UInt32 = 0o1777
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    var size: UInt64?

    /// Unknown options are an error, as mount(8) reports them; common ones without a meaning here are taken.
    init(parsing text: String = "") throws(Errno) {
        for option in text.split(separator: ",") {
            let parts = option.split(separator: "=", maxSplits: 1)
            let value = parts.count > 1 ? String(parts[1]) : ""
            switch parts[0] {
            case "mode":
                guard let mode = UInt32(value, radix: 8), mode <= 0o7777 else { throw .EINVAL }
                self.mode = mode
            case "uid":
                guard let uid = UInt32(value) else { throw .EINVAL }
                self.uid = uid
            case "gid":
                guard let gid = UInt32(value) else { throw .EINVAL }
                self.gid = gid
            case "size":
                guard let size = Self.bytes(value) else { throw .EINVAL }
                self.size = size
            default: continue
            }
        }
    }

    init() {}

    private static func bytes(_ text: String) -> UInt64? {
        if text.hasSuffix("%") {
            guard let percent = UInt64(text.dropLast()), percent <= 100 else { return nil }
            return MemoryInfo.read().total / 100 * percent
        }
        let shift: UInt64
        switch text.last {
        case "k", "K": shift = 10
        case "m", "M": shift = 20
        case "g", "G": shift = 30
        default: return UInt64(text)
        }
        guard let number = UInt64(text.dropLast()), number < 1 << 30 else { return nil }
        return number << shift
    }
}

/// The host's memory, from /proc/meminfo: the truth for a site that has no limit of its own.
struct MemoryInfo {
    var total: UInt64 = 0
    var available: UInt64 = 0

    static func read() -> MemoryInfo {
        var info = MemoryInfo()
        for line in hostText("/proc/meminfo", limit: 4096).split(separator: 0x0a).prefix(3) {
            let words = line.split(separator: 0x20)
            guard words.count >= 2, let kib = UInt64(String(decoding: words[1], as: UTF8.self)) else { continue }
            if words[0].elementsEqual("MemTotal:".utf8) { info.total = kib << 10 }
            if words[0].elementsEqual("MemAvailable:".utf8) { info.available = kib << 10 }
        }
        return info
    }
}
