extension NameSpace {
    /// The absolute path of a place as seen from `root`; nil where it is not below it (getcwd(2): "(unreachable)").
    func path(of place: Location, root: Location) -> [UInt8]? {
        var parts: [[UInt8]] = []
        var place = place
        for _ in 0..<4096 {
            if place == root { return join(parts) }
            if place.inode === place.mount.root {
                guard let parent = place.mount.parent, let point = place.mount.point else {
                    // The root of the name space: above `root`, unless that is the whole of it.
                    return place.mount === root.mount && root.inode === root.mount.root ? join(parts) : nil
                }
                place = Location(
                    parent, point, directory: place.mount.pointPlace?.directory, name: place.mount.pointPlace?.name)
                continue
            }
            guard let name = place.inode.nameInParent ?? place.name else { return nil }
            parts.append(name.bytes)
            if place.inode.isDirectory || place.directory == nil {
                place = Location(place.mount, place.inode.parentDirectory)
            } else if let directory = place.directory {
                place = Location(place.mount, directory)
            }
        }
        return nil
    }

    private func join(_ parts: [[UInt8]]) -> [UInt8] {
        if parts.isEmpty { return [0x2f] }
        var out: [UInt8] = []
        for part in parts.reversed() {
            out.append(0x2f)
            out.append(contentsOf: part)
        }
        return out
    }
}
