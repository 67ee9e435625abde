import CMiXFile

enum InotifyCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (253, "inotify_init", { (call) throws(Errno) in try make(call, 0) }),
        (294, "inotify_init1", { (call) throws(Errno) in try make(call, call.uint(0)) }),
        (254, "inotify_add_watch", addWatch), (255, "inotify_rm_watch", removeWatch),
    ]

    private static func make(_ call: Call, _ flags: UInt32) throws(Errno) -> Outcome {
        if flags & ~(FileFlags.nonBlocking | FileFlags.closeOnExec) != 0 { throw .EINVAL }
        let file = InotifyFile(call.manager, flags: flags & FileFlags.nonBlocking)
        return .done(value: try call.install(file, closeOnExec: flags & FileFlags.closeOnExec != 0))
    }

    @Sendable private static func addWatch(_ call: Call) throws(Errno) -> Outcome {
        let mask = call.uint(2)
        let both = InotifyBits.maskAdd | InotifyBits.maskCreate
        let known =
            InotifyBits.all | InotifyBits.unmount | InotifyBits.overflow | InotifyBits.ignored
            | InotifyBits.onlyDirectory | InotifyBits.doNotFollow | InotifyBits.exclUnlink | both
            | InotifyBits.isDirectory | InotifyBits.oneShot
        guard mask & known != 0, mask & ~known == 0, mask & both != both else { throw .EINVAL }
        guard let file = try call.openDescription(0) as? InotifyFile else { throw .EINVAL }
        let path = try call.path(1)
        let follows: UInt32 = mask & InotifyBits.doNotFollow != 0 ? PathCall.noFollow : 0
        var named = try PathCall(call, FILE_STAT, at: PathCall.currentDirectory, path)
        named.request.flags = follows
        let stat = try named.send(path, MixStat.self, empty: MixStat())
        if mask & InotifyBits.onlyDirectory != 0, stat.mode & FileMode.typeMask != FileMode.directory {
            throw .ENOTDIR
        }
        // Who may not read it may not watch it.
        named = try PathCall(call, FILE_ACCESS, at: PathCall.currentDirectory, path)
        named.request.flags = follows | PathCall.effectiveAccess
        named.request.arg.2 = 4
        _ = try named.send(path)
        return .done(value: try file.watch(NodeKey(stat), mask))
    }

    @Sendable private static func removeWatch(_ call: Call) throws(Errno) -> Outcome {
        guard let file = try call.openDescription(0) as? InotifyFile, file.end(call.int(1)) else { throw .EINVAL }
        return .zero
    }
}
