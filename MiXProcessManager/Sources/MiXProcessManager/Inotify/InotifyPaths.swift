import CMiXFile

/// A name as a request has it: where it starts, and its path.
private struct PlacedName {
    let manager: ProcessManager
    let start: MixKey
    let root: MixKey
    let path: [UInt8]

    /// Permissions do not matter here: the call itself was allowed.
    func stat(_ path: [UInt8], _ flags: UInt32) -> MixStat? {
        var request = MixObjRequest()
        request.op = FILE_STAT
        request.cred.capabilities = MIX_CAP_ROOT
        request.key = path.first == UInt8(ascii: "/") ? root : start
        request.arg.0 = root.object
        request.arg.1 = root.tag
        request.flags = flags
        let answer = try? manager.objectCall(
            manager.fileServer, request, body: path + [0], room: MemoryLayout<MixStat>.size)
        guard let bytes = answer?.1, bytes.count >= MemoryLayout<MixStat>.size else { return nil }
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: MixStat.self) }
    }

    func target(follows: Bool) -> MixStat? { stat(path, follows ? 0 : PathCall.noFollow) }

    private var trimmed: ArraySlice<UInt8> {
        let end = path.lastIndex { $0 != UInt8(ascii: "/") } ?? -1
        return path[..<(end + 1)]
    }
    var name: [UInt8] { Array(trimmed.split(separator: UInt8(ascii: "/")).last ?? []) }
    var parent: NodeKey? {
        guard let slash = trimmed.lastIndex(of: UInt8(ascii: "/")) else {
            return stat([], PathCall.emptyPath).map(NodeKey.init)
        }
        return stat(slash == 0 ? [UInt8(ascii: "/")] : Array(path[..<slash]), 0).map(NodeKey.init)
    }
}

/// What a request that changes names or attributes has to tell: looked at before it, told after it.
struct InotifyPathEvents {
    private let table: InotifyTable
    private let op: UInt32
    private let first: PlacedName
    private var second: PlacedName?
    private var before: MixStat?
    private var replaced: MixStat?
    private var exchanges = false

    /// nil: nobody watches, or the request is none of those.
    init?(_ manager: ProcessManager, _ request: MixObjRequest, _ body: [UInt8]) {
        guard manager.inotify.isActive else { return nil }
        table = manager.inotify
        op = request.op
        let parts = body.split(separator: 0, omittingEmptySubsequences: false).map(Array.init)
        func place(_ start: MixKey, _ root: MixKey, _ path: [UInt8]) -> PlacedName {
            PlacedName(manager: manager, start: start, root: root, path: path)
        }
        let root = MixKey(object: request.arg.0, tag: request.arg.1)
        switch request.op {
        case FILE_RENAME, FILE_LINK:
            guard parts.count >= 2 else { return nil }
            let root = MixKey(object: request.offset, tag: request.size)
            first = place(request.key, root, parts[0])
            second = place(MixKey(object: request.arg.2, tag: request.arg.3), root, parts[1])
            before = first.target(follows: op == FILE_LINK && request.flags & PathCall.follow != 0)
            replaced = second?.target(follows: false)
            exchanges = op == FILE_RENAME && request.flags & 2 != 0
        case FILE_SYMLINK:
            guard parts.count >= 2 else { return nil }
            first = place(request.key, root, parts[1])
        case FILE_MKDIR, FILE_MKNOD: first = place(request.key, root, parts[0])
        case FILE_UNLINK:
            first = place(request.key, root, parts[0])
            before = first.target(follows: false)
        case FILE_SETATTR:
            first = place(request.key, root, parts[0])
            before = first.target(follows: request.offset & UInt64(PathCall.noFollow) == 0)
        case FILE_XATTR:
            guard [MIX_XATTR_SET, MIX_XATTR_REMOVE].contains(request.flags & MIX_XATTR_OPERATION) else { return nil }
            first = place(request.key, root, parts[0])
            before = first.target(follows: request.offset & UInt64(PathCall.noFollow) == 0)
        case FILE_TRUNC:
            first = place(request.key, root, parts[0])
            before = first.target(follows: true)
        default: return nil
        }
    }

    private static func directory(_ stat: MixStat?) -> UInt32 {
        (stat?.mode ?? 0) & FileMode.typeMask == FileMode.directory ? InotifyBits.isDirectory : 0
    }

    /// The request was carried out.
    func tell() {
        let kind = Self.directory(before)
        switch op {
        case FILE_MKDIR: created(first, InotifyBits.isDirectory)
        case FILE_MKNOD, FILE_SYMLINK: created(first, 0)
        case FILE_LINK:
            if let before { table.tell(NodeKey(before), InotifyBits.attributes) }
            if let second { created(second, 0) }
        case FILE_UNLINK:
            if let before, kind == 0 { table.tell(NodeKey(before), InotifyBits.attributes) }
            if let parent = first.parent { table.tell(parent, InotifyBits.delete | kind, name: first.name) }
            if let before { gone(before) }
        case FILE_RENAME: renamed(kind)
        case FILE_SETATTR, FILE_XATTR: changed(InotifyBits.attributes | kind)
        case FILE_TRUNC: changed(InotifyBits.modify)
        default: break
        }
    }

    private func created(_ place: PlacedName, _ kind: UInt32) {
        if let parent = place.parent { table.tell(parent, InotifyBits.create | kind, name: place.name) }
    }

    private func changed(_ event: UInt32) {
        if let parent = first.parent { table.tell(parent, event, name: first.name) }
        if let before { table.tell(NodeKey(before), event) }
    }

    /// The last name of it was taken away.
    private func gone(_ stat: MixStat) {
        guard Self.directory(stat) != 0 || stat.nlink <= 1 else { return }
        table.tell(NodeKey(stat), InotifyBits.deleteSelf)
        table.forget(NodeKey(stat))
    }

    private func renamed(_ kind: UInt32) {
        guard let second else { return }
        table.namesChanged()
        moved(from: first, to: second, before, kind)
        if exchanges {
            moved(from: second, to: first, replaced, Self.directory(replaced))
        } else if let replaced, before.map({ NodeKey($0) != NodeKey(replaced) }) ?? true {
            if Self.directory(replaced) == 0 { table.tell(NodeKey(replaced), InotifyBits.attributes) }
            if let before { table.tell(NodeKey(before), InotifyBits.moveSelf) }
            gone(replaced)
            return
        }
        if let before { table.tell(NodeKey(before), InotifyBits.moveSelf) }
    }

    private func moved(from: PlacedName, to: PlacedName, _ stat: MixStat?, _ kind: UInt32) {
        let cookie = table.nextCookie()
        if let parent = from.parent {
            table.tell(parent, InotifyBits.movedFrom | kind, name: from.name, cookie: cookie)
        }
        if let parent = to.parent { table.tell(parent, InotifyBits.movedTo | kind, name: to.name, cookie: cookie) }
    }
}
