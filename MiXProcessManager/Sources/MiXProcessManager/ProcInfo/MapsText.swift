import CMiXFile

/// /proc/PID/maps and smaps.
enum MapsText {
    static func maps(_ process: Process, withSizes: Bool) -> [UInt8] {
        if process.isZombie { return [] }
        let (areas, vdso) = process.memory.lock.withLock { (process.memory.map.areas, process.memory.vdso) }
        var text: [UInt8] = []
        var known: [ObjectIdentifier: (device: UInt64, inode: UInt64, path: [UInt8])] = [:]
        for area in areas {
            var file: (device: UInt64, inode: UInt64, path: [UInt8]) = (0, 0, name(area, vdso))
            if let mapped = area.file as? any MappedFile {
                if let seen = known[ObjectIdentifier(mapped)] {
                    file = seen
                } else {
                    file = describe(mapped, process.manager)
                    known[ObjectIdentifier(mapped)] = file
                }
            }
            text += line(area, device: file.device, inode: file.inode, path: file.path)
            if withSizes { text += sizes(area) }
        }
        return text
    }

    private static func describe(
        _ mapped: any MappedFile, _ manager: ProcessManager
    ) -> (device: UInt64, inode: UInt64, path: [UInt8]) {
        guard let program = mapped as? ExecutableFile else {
            let identity = mapped.mappedIdentity
            return (identity.device, identity.inode, mapped.mappedPath())
        }
        // execve was given a name; the server knows where the file is.
        var request = MixObjRequest()
        request.op = OBJ_STAT
        request.key = program.key
        var stat = MixStat()
        _ = withUnsafeMutableBytes(of: &stat) { try? manager.objectCall(program.server, request, reply: $0) }
        request.op = OBJ_PATH
        let path = try? manager.objectCall(program.server, request, body: [], room: 4096).1
        return (stat.dev, stat.ino == 0 ? program.inode : stat.ino, path ?? program.path)
    }

    private static func name(_ area: MappedArea, _ vdso: UInt64) -> [UInt8] {
        if vdso != 0 && area.start <= vdso && vdso < area.end { return [UInt8]("[vdso]".utf8) }
        switch area.label {
        case .heap: return [UInt8]("[heap]".utf8)
        case .stack: return [UInt8]("[stack]".utf8)
        default: return []
        }
    }

    /// Columns as fs/proc/task_mmu.c lays them out: a name starts at column 73.
    static func line(_ area: MappedArea, device: UInt64, inode: UInt64, path: [UInt8]) -> [UInt8] {
        let access =
            (area.protection & 1 != 0 ? "r" : "-") + (area.protection & 2 != 0 ? "w" : "-")
            + (area.protection & 4 != 0 ? "x" : "-") + (area.isShared ? "s" : "p")
        let offset = area.file == nil ? 0 : area.offset
        var head = "\(Text.hex(area.start, 8))-\(Text.hex(area.end, 8)) \(access) \(Text.hex(offset, 8)) "
        head += "\(Text.hex(DeviceNumber.major(device), 2)):\(Text.hex(DeviceNumber.minor(device), 2)) \(inode) "
        if path.isEmpty { return Array((head + "\n").utf8) }
        let escaped = path.flatMap { $0 == 10 ? [UInt8]("\\012".utf8) : [$0] }
        return Array(Text.left(head, 73).utf8) + escaped + [10]
    }

    /// smaps_rollup: what is known of the whole. Nothing tells clean from dirty, or private from shared, in it.
    static func rollup(_ process: Process, _ resident: UInt64) -> [UInt8] {
        let areas = process.isZombie ? [] : process.memory.lock.withLock { process.memory.map.areas }
        guard let first = areas.first, let last = areas.last else { return [] }
        let whole = MappedArea(start: first.start, end: last.end, protection: 0)
        let sizes = ["Rss:", "Pss:", "Private_Dirty:", "Anonymous:"].map {
            "\(Text.left($0, 16))\(Text.right(resident / 1024, 8)) kB\n"
        }
        return line(whole, device: 0, inode: 0, path: Array("[rollup]".utf8)) + Array(sizes.joined().utf8)
    }

    private static func sizes(_ area: MappedArea) -> [UInt8] {
        let total = (area.end - area.start) / 1024
        let fields: [(String, UInt64)] = [
            ("Size:", total), ("KernelPageSize:", 4), ("MMUPageSize:", 4), ("Rss:", 0), ("Pss:", 0),
            ("Shared_Clean:", 0),
            ("Shared_Dirty:", 0), ("Private_Clean:", 0), ("Private_Dirty:", 0), ("Referenced:", 0), ("Anonymous:", 0),
            ("Swap:", 0), ("SwapPss:", 0), ("Locked:", 0),
        ]
        return Array(fields.map { "\(Text.left($0.0, 16))\(Text.right($0.1, 8)) kB\n" }.joined().utf8)
    }
}
