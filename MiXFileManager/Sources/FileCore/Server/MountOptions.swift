import CMiXFile

/// The mount table an actor's options ask for: lines "mount.N=TARGET TYPE [host:DIR] [OPTION,...]", in order of N.
public struct MountOptions: Sendable {
    /// Why options are no good, in one line.
    public struct Problem: Error {
        public let text: String
        init(_ text: String) { self.text = text }
    }

    struct Line: Equatable {
        var target: String
        var type: String
        var host: String?
        var options: String
        var readOnly: Bool
    }

    let lines: [Line]

    public init(_ text: String) throws(Problem) {
        var numbered: [(Int, Line)] = []
        for row in text.split(separator: "\n") where row.hasPrefix("mount.") {
            let halves = row.split(separator: "=", maxSplits: 1)
            guard halves.count == 2, let number = Int(halves[0].dropFirst(6)) else {
                throw Problem("option \"\(row)\": expected mount.NUMBER=TARGET TYPE [host:DIR] [OPTION,...]")
            }
            var words = halves[1].split(separator: " ").map(Self.unescaped)
            guard words.count >= 2, words[0].hasPrefix("/") else {
                throw Problem("mount.\(number): expected TARGET TYPE [host:DIR] [OPTION,...], TARGET an absolute path")
            }
            let target = words.removeFirst()
            let type = words.removeFirst()
            var line = Line(target: target, type: type, host: nil, options: "", readOnly: false)
            var options: [Substring] = []
            for word in words {
                if word.hasPrefix("host:") {
                    line.host = String(word.dropFirst(5))
                } else {
                    options += word.split(separator: ",")
                }
            }
            line.readOnly = options.contains("ro") || (type == "host" && !options.contains("rw"))
            line.options = options.filter { $0 != "ro" && $0 != "rw" }.joined(separator: ",")
            switch type {
            case "overlay", "host":
                guard let host = line.host, host.hasPrefix("/") else {
                    throw Problem("mount.\(number): type \(type) needs a source host:/DIR")
                }
            case "tmpfs", "proc", "sysfs", "devfs", "devtmpfs": break
            default:
                throw Problem(
                    "mount.\(number): unknown type \"\(type)\"; known are overlay, host, tmpfs, proc, sysfs, devfs")
            }
            numbered.append((number, line))
        }
        if numbered.isEmpty {
            lines = Self.standard
            return
        }
        lines = numbered.sorted { $0.0 < $1.0 }.map { $0.1 }
        if lines[0].target != "/" { throw Problem("the first mount is at \(lines[0].target); it must be at /") }
    }

    /// A word as fstab(5) writes it: `\040` is a space, `\134` a backslash.
    static func unescaped(_ word: Substring) -> String {
        var out: [UInt8] = []
        var rest = word.utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3, let value = UInt8(Substring(digits), radix: 8) {
                out.append(value)
                rest = rest.dropFirst(3)
            } else {
                out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static let standard = [
        Line(target: "/", type: "overlay", host: "/", options: "", readOnly: false),
        Line(target: "/proc", type: "proc", host: nil, options: "", readOnly: false),
        Line(target: "/sys", type: "sysfs", host: nil, options: "", readOnly: false),
        Line(target: "/dev", type: "devfs", host: nil, options: "", readOnly: false),
        Line(target: "/dev/shm", type: "tmpfs", host: nil, options: "mode=1777", readOnly: false),
        Line(target: "/tmp", type: "tmpfs", host: nil, options: "mode=1777", readOnly: false),
        Line(target: "/run", type: "tmpfs", host: nil, options: "mode=755", readOnly: false),
    ]
}

extension FileServer {
    func mountAll(_ options: MountOptions) throws(MountOptions.Problem) {
        for line in options.lines {
            do throws(Errno) { try mountOne(line) } catch {
                throw MountOptions.Problem("mount of \(line.type) at \(line.target) failed: errno \(error.code)")
            }
        }
    }

    private func mountOne(_ line: MountOptions.Line) throws(Errno) {
        let fs: any FileSystem
        var source = line.type
        switch line.type {
        case "overlay":
            let lower = try HostDirectory(
                id: names.newFileSystemId(), nucleus: nucleus, path: line.host ?? "/", readOnly: true)
            fs = try Overlay(id: names.newFileSystemId(), nucleus: nucleus, lower: lower)
        case "host":
            fs = try HostDirectory(
                id: names.newFileSystemId(), nucleus: nucleus, path: line.host ?? "/", readOnly: line.readOnly)
            source = line.host ?? "/"
        default: fs = try fileSystem(line.type, line.options)
        }
        var place: Location?
        if names.rootMount != nil { place = try makePoint(line.target) }
        names.mount(
            fs, source: Array(source.utf8), at: place, readOnly: line.readOnly,
            options: line.type == "tmpfs" ? line.options : "")
    }

    /// The directory to mount on, made where it is missing.
    private func makePoint(_ path: String) throws(Errno) -> Location {
        var cred = MixCred()
        cred.capabilities = MIX_CAP_ROOT
        var at = try names.root()
        for part in path.split(separator: "/") {
            let name = Name(String(part))
            let result: Result<Inode, Errno> = withUnsafePointer(to: &cred) { cred in
                let caller = Caller(cred: cred)
                return Result { () throws(Errno) in
                    do throws(Errno) { return try at.inode.lookup(name, caller) } catch {
                        if error != .ENOENT { throw error }
                        return try at.inode.make(name, NewNode(mode: Linux.S_IFDIR | 0o755, uid: 0, gid: 0))
                    }
                }
            }
            let inode = try result.get()
            guard inode.isDirectory else { throw .ENOTDIR }
            at = names.top(Location(at.mount, inode))
        }
        return at
    }
}
