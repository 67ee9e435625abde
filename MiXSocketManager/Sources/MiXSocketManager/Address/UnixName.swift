/// A name of AF_UNIX (unix(7)): a path, whose node in the file system tells it from others, or an abstract name.
struct UnixName: Equatable {
    /// Dev and ino of the node.
    struct Node: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    /// What behind `sun_family` was given: of a path without its NUL; an abstract name begins with one.
    let bytes: [UInt8]
    /// Of a path.
    let node: Node?

    static func == (a: UnixName, b: UnixName) -> Bool { a.bytes == b.bytes && a.node == b.node }

    /// `sun_path` as getsockname(2) gives it: a path ends with a NUL.
    var encoded: [UInt8] { node == nil ? bytes : bytes + [0] }

    /// nil: only a family, which asks for an abstract name to be chosen. EINVAL: too short or too long.
    static func decode(_ bytes: UnsafeRawBufferPointer, node: Node) throws(Errno) -> UnixName? {
        guard let family = Address.family(of: bytes) else { throw .EINVAL }
        if family != Family.unix.rawValue { throw .EINVAL }
        guard bytes.count <= 110 else { throw .EINVAL }
        let path = bytes.dropFirst(2)
        guard let first = path.first else { return nil }
        if first == 0 { return UnixName(bytes: [UInt8](path), node: nil) }
        return UnixName(bytes: [UInt8](path.prefix { $0 != 0 }), node: node)
    }
}
