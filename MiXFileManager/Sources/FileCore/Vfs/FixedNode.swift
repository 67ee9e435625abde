import CMiXFile

/// A directory, text or link of a tree that is known beforehand (procfs, sysfs). Texts are made when they are read.
class FixedNode: Inode, @unchecked Sendable {
    // Sendable: built once, then constant.
    enum Kind {
        case directory
        case text(@Sendable (Caller) -> [UInt8])
        case link([UInt8])

        var type: UInt32 {
            switch self {
            case .directory: return Linux.S_IFDIR
            case .text: return Linux.S_IFREG
            case .link: return Linux.S_IFLNK
            }
        }
    }

    private let kind: Kind
    private let parent: FixedNode?
    private let name: Name?
    private(set) var children: [(name: Name, node: Inode)] = []
    private let born = FileTime.now

    init(_ fs: any FileSystem, ino: UInt64, _ kind: Kind = .directory, name: Name? = nil, parent: FixedNode? = nil) {
        self.kind = kind
        self.parent = parent
        self.name = name
        super.init(fs: fs, ino: ino, type: kind.type)
    }

    /// Adds what is missing of a path below this directory, and its last part; `ino` counts.
    func plant(_ path: String, _ kind: Kind, ino: inout UInt64) {
        var at = self
        let parts = path.split(separator: "/")
        for (index, part) in parts.enumerated() {
            let name = Name(String(part))
            if let known = at.children.first(where: { $0.name == name })?.node as? FixedNode {
                at = known
                continue
            }
            ino += 1
            let made = FixedNode(fs, ino: ino, index == parts.count - 1 ? kind : .directory, name: name, parent: at)
            at.add(made, as: name)
            at = made
        }
    }

    func add(_ node: Inode, as name: Name) { children.append((name, node)) }

    override var isGenerated: Bool { isRegular }
    override var parentDirectory: Inode { parent ?? self }
    override var nameInParent: Name? { name }

    override func attributes() throws(Errno) -> Attributes {
        var a = Attributes()
        a.dev = fs.dev
        a.ino = ino
        a.mode = type | (isDirectory ? 0o555 : isSymlink ? 0o777 : 0o444)
        a.nlink = isDirectory ? 2 : 1
        a.blksize = 1024
        a.atime = born
        a.mtime = born
        a.ctime = born
        return a
    }

    override func lookup(_ name: Name, _ caller: Caller) throws(Errno) -> Inode {
        guard isDirectory else { throw .ENOTDIR }
        if let child = children.first(where: { $0.name == name }) { return child.node }
        throw .ENOENT
    }

    override func list(after cookie: UInt64, _ caller: Caller, _ sink: DirectorySink) throws(Errno) {
        guard isDirectory else { throw .ENOTDIR }
        for (index, child) in children.enumerated() where UInt64(index) + 3 > cookie {
            if !sink(child.name, child.node.ino, Linux.direntType(child.node.type), UInt64(index) + 3) { return }
        }
    }

    override func generate(_ caller: Caller) throws(Errno) -> [UInt8] {
        guard case .text(let make) = kind else { throw .EISDIR }
        return make(caller)
    }

    override func readLink(_ caller: Caller) throws(Errno) -> [UInt8] {
        guard case .link(let target) = kind else { throw .EINVAL }
        return target
    }
}
