import CChorus
import CMiXDevice
import CMiXFile

/// open(2) and its relatives.
enum OpenCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            2, "open",
            { (call) throws(Errno) in
                try open(call, PathCall.currentDirectory, call[0], call.uint(1), call.uint(2), resolve: 0)
            }
        ),
        (
            85, "creat",
            { (call) throws(Errno) in
                try open(
                    call, PathCall.currentDirectory, call[0],
                    FileFlags.create | FileFlags.writeOnly | FileFlags.truncate, call.uint(1), resolve: 0)
            }
        ),
        (
            257, "openat",
            { (call) throws(Errno) in
                try open(call, call.int(0), call[1], call.uint(2), call.uint(3), resolve: 0)
            }
        ),
        (437, "openat2", openat2),
    ]

    @Sendable private static func openat2(_ call: Call) throws(Errno) -> Outcome {
        guard call[3] >= 24 else { throw .EINVAL }
        if call[3] > 24 {
            if call[3] > 4096 { throw .E2BIG }
            let rest = try call.copyIn(call[2] + 24, count: Int(call[3]) - 24)
            if rest.contains(where: { $0 != 0 }) { throw .E2BIG }
        }
        let how = try call.readStruct(OpenHow.self, at: call[2])
        let creating = how.flags & UInt64(FileFlags.create | 0o20000000) != 0
        if how.flags >> 32 != 0 || how.resolve & ~0x3f != 0 || how.mode & ~0o7777 != 0 || !creating && how.mode != 0 {
            throw .EINVAL
        }
        return try open(call, call.int(0), call[1], UInt32(how.flags), UInt32(how.mode), resolve: how.resolve)
    }

    private struct OpenHow: BitwiseCopyable {
        var flags: UInt64
        var mode: UInt64
        var resolve: UInt64
    }

    private static func open(
        _ call: Call, _ directory: Int32, _ address: UInt64, _ wanted: UInt32, _ mode: UInt32, resolve: UInt64
    ) throws(Errno) -> Outcome {
        if let opening = call.kept as? FifoOpening { return try opening.goOn(call) }
        // Flags that contradict each other are refused before the name is looked at.
        let both = FileFlags.create | FileFlags.directory
        if wanted & (both | FileFlags.path) == both { throw .EINVAL }
        let path = try call.path(address == call[0] ? 0 : 1)
        try call.process.files.checkRoom(limit: call.descriptorLimit)
        var flags = wanted | FileFlags.large
        if flags & FileFlags.path != 0 {
            flags &= FileFlags.path | FileFlags.directory | FileFlags.noFollow | FileFlags.closeOnExec
        }
        if flags & FileFlags.create != 0 && flags & FileFlags.directory != 0 && flags & 0o20000000 == 0 {
            throw .EINVAL
        }
        if flags & 0o20000000 != 0 && (flags & FileFlags.directory == 0 || flags & 3 == 0) { throw .EINVAL }
        var named = try PathCall(call, FILE_OPEN, at: directory, path)
        named.request.flags = flags
        named.request.arg.2 = UInt64(mode & 0o7777 & ~call.process.umask)
        named.request.arg.3 = resolve
        // What is there now tells whether the call makes it.
        let isNew = flags & FileFlags.create != 0 && call.manager.inotify.isActive && !exists(named, path)
        let reply = try named.send(path)
        let type = reply.mode & FileMode.typeMask
        let server = KnUniqueId(uiHead: reply.serverHead, uiTail: reply.serverTail)
        if server == call.manager.group.ui && flags & FileFlags.path == 0 {
            return try reopen(call, reply, flags: flags)
        }
        let isForeign = (server.uiHead != 0 || server.uiTail != 0) && !(server == call.manager.fileServer)
        if type == FileMode.fifo && flags & FileFlags.path == 0 && !isForeign {
            return try FifoOpening.begin(call, reply, flags: flags)
        }
        let description = try describe(call.manager, reply, flags: flags, cred: named.request.cred)
        if let remote = description.remote, call.manager.inotify.isActive {
            if isNew { remote.tell(toParent: InotifyBits.create) }
            remote.tell(InotifyBits.open)
            if !isNew, flags & FileFlags.truncate != 0 { remote.tell(InotifyBits.modify) }
        }
        return .done(value: try call.install(description, closeOnExec: flags & FileFlags.closeOnExec != 0))
    }

    private static func exists(_ named: PathCall, _ path: [UInt8]) -> Bool {
        var asked = named
        asked.request.op = FILE_STAT
        asked.request.flags = 0
        asked.request.arg.2 = 0
        asked.request.arg.3 = 0
        return (try? asked.send(path, MixStat.self, empty: MixStat())) != nil
    }

    /// /proc/PID/fd/N of an object of ours: a pipe gets one more end, a memory file is shared; the rest cannot be opened.
    private static func reopen(_ call: Call, _ reply: MixObjReply, flags: UInt32) throws(Errno) -> Outcome {
        guard let found = LocalKey.find(call.manager, reply.key) else { throw .ENOENT }
        let description: OpenDescription
        switch found {
        case let end as PipeEnd:
            let kept = flags & (FileFlags.accessMode | FileFlags.nonBlocking | FileFlags.append | FileFlags.large)
            description = PipeEnd(call.manager, end.pipe, flags: kept)
        case is MemoryFile:
            found.hold()
            description = found
        default: throw .ENXIO
        }
        return .done(value: try call.install(description, closeOnExec: flags & FileFlags.closeOnExec != 0))
    }

    /// The description of what FILE_OPEN named; devices are opened at their own server.
    static func describe(
        _ manager: ProcessManager, _ reply: MixObjReply, flags: UInt32, cred: MixCred
    ) throws(Errno) -> OpenDescription {
        // F_GETFL shows none of what only the opening was about.
        let kept =
            flags
            & ~(FileFlags.create | FileFlags.exclusive | FileFlags.noControllingTerminal
            | FileFlags.truncate | FileFlags.closeOnExec)
        if flags & FileFlags.path != 0 {
            return RemoteObject(manager, server: server(manager, reply), reply: reply, flags: kept)
        }
        let named = KnUniqueId(uiHead: reply.serverHead, uiTail: reply.serverTail)
        if (named.uiHead != 0 || named.uiTail != 0) && !(named == manager.fileServer) {
            // A device node, or /proc/PID/fd/N of another server's object, whatever its type.
            return try openDevice(manager, reply, flags: flags, kept: kept, cred: cred)
        }
        switch reply.mode & FileMode.typeMask {
        case FileMode.directory:
            return Directory(manager, server: server(manager, reply), reply: reply, flags: kept)
        case FileMode.character, FileMode.block:
            return try openDevice(manager, reply, flags: flags, kept: kept, cred: cred)
        case FileMode.socket: throw .ENXIO
        default:
            let segment = KnCap(reply)
            let server = server(manager, reply)
            if segment.isNull { return RemoteObject(manager, server: server, reply: reply, flags: kept) }
            return SegmentFile(manager, server: server, reply: reply, flags: kept, segment: segment)
        }
    }

    private static func server(_ manager: ProcessManager, _ reply: MixObjReply) -> KnUniqueId {
        if reply.serverHead == 0 && reply.serverTail == 0 { return manager.fileServer }
        return KnUniqueId(uiHead: reply.serverHead, uiTail: reply.serverTail)
    }

    private static func openDevice(
        _ manager: ProcessManager, _ node: MixObjReply, flags: UInt32, kept: UInt32, cred: MixCred
    ) throws(Errno) -> OpenDescription {
        guard node.serverHead != 0 || node.serverTail != 0 else { throw .ENXIO }
        var request = MixObjRequest()
        request.op = OBJ_OPEN
        request.key = node.key
        request.flags = flags
        request.cred = cred
        let server = KnUniqueId(uiHead: node.serverHead, uiTail: node.serverTail)
        var (reply, _) = try manager.objectCall(server, request)
        if reply.mode & FileMode.typeMask == 0 { reply.mode = node.mode }
        if reply.ino == 0 { reply.ino = node.ino }
        if reply.mode & FileMode.typeMask == FileMode.block,
            let file = BlockFile(cached: manager, server: Self.server(server, reply), reply: reply, flags: kept)
        {
            return file
        }
        return RemoteObject(manager, server: Self.server(server, reply), reply: reply, flags: kept)
    }

    private static func server(_ asked: KnUniqueId, _ reply: MixObjReply) -> KnUniqueId {
        reply.serverHead == 0 && reply.serverTail == 0
            ? asked : KnUniqueId(uiHead: reply.serverHead, uiTail: reply.serverTail)
    }

    /// Descriptors 0, 1 and 2 of a process started on the site's console.
    static func openStandard(_ manager: ProcessManager, _ number: Int, cred: MixCred) throws(Errno) -> OpenDescription {
        var node = MixObjReply()
        node.key.object = 0xffff_fffe_0000_0000 | UInt64(number)  // DEV_STDIO_KEY
        node.serverHead = manager.deviceServer.uiHead
        node.serverTail = manager.deviceServer.uiTail
        return try openDevice(manager, node, flags: FileFlags.readWrite, kept: FileFlags.readWrite, cred: cred)
    }
}
