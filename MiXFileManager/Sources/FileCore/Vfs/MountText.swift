/// The mount table as proc(5) shows it.
extension NameSpace {
    private func target(_ mount: Mount) -> [UInt8] {
        guard let root = try? self.root() else { return [0x2f] }
        let here = Location(mount, mount.root)
        return path(of: here, root: Location(root.mount, root.mount.root)) ?? [0x2f]
    }

    private func flags(_ mount: Mount) -> String {
        var text = mount.readOnly ? "ro" : "rw"
        if mount.restrictions & Linux.MS_NOSUID != 0 { text += ",nosuid" }
        if mount.restrictions & Linux.MS_NODEV != 0 { text += ",nodev" }
        if mount.restrictions & Linux.MS_NOEXEC != 0 { text += ",noexec" }
        return text
    }

    /// /proc/PID/mounts: source target type options 0 0.
    func mountsText() -> [UInt8] {
        var out = Text()
        for mount in all {
            out.addEscaped(mount.source)
            out.add(" ")
            out.addEscaped(target(mount))
            out.add(" \(mount.fs.typeName) \(flags(mount)),relatime")
            if !mount.options.isEmpty { out.add(",\(mount.options)") }
            out.add(" 0 0\n")
        }
        return out.bytes
    }

    /// /proc/PID/mountinfo.
    func mountInfoText() -> [UInt8] {
        var out = Text()
        for mount in all {
            out.add("\(mount.id) \(mount.parent?.id ?? 1) 0:\(mount.fs.dev) ")
            if mount.root === mount.fs.root {
                out.add("/")
            } else {
                var parts: [[UInt8]] = []
                var at = mount.root
                while at !== mount.fs.root, let name = at.nameInParent, parts.count < 256 {
                    parts.append(name.bytes)
                    at = at.parentDirectory
                }
                for part in parts.reversed() {
                    out.add("/")
                    out.addEscaped(part)
                }
            }
            out.add(" ")
            out.addEscaped(target(mount))
            out.add(" \(flags(mount)),relatime - \(mount.fs.typeName) ")
            out.addEscaped(mount.source)
            out.add(mount.readOnly ? " ro" : " rw")
            if !mount.options.isEmpty { out.add(",\(mount.options)") }
            out.newline()
        }
        return out.bytes
    }
}
