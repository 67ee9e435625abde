/// Extended attributes of one inode, in the order in which they were made (xattr(7)).
struct ExtendedAttributes {
    /// What setxattr(2) demands.
    enum Presence { case either, absent, present }

    private(set) var all: [(name: [UInt8], value: [UInt8])] = []

    /// XATTR_SIZE_MAX and XATTR_LIST_MAX.
    static let most = 65536
    /// Room of one inode for all its names and values.
    private static let room = 4 * most

    subscript(name: [UInt8]) -> [UInt8]? { all.first { $0.name == name }?.value }

    mutating func set(_ name: [UInt8], _ value: [UInt8]?, _ must: Presence) throws(Errno) {
        let place = all.firstIndex { $0.name == name }
        if place != nil, must == .absent { throw .EEXIST }
        if place == nil, must == .present || value == nil { throw .ENODATA }
        guard let value else {
            if let place { all.remove(at: place) }
            return
        }
        let used = all.reduce(0) { $0 + $1.name.count + 1 + ($1.name == name ? 0 : $1.value.count) }
        let names = all.reduce(name.count + 1) { $0 + $1.name.count + 1 }
        guard used + name.count + 1 + value.count <= Self.room, names <= Self.most else { throw .ENOSPC }
        if let place { all[place].value = value } else { all.append((name, value)) }
    }

    /// Of a file of the host.
    static func isShown(_ name: [UInt8]) -> Bool {
        name.starts(with: "user.".utf8) || name.elementsEqual("security.capability".utf8)
    }
}
