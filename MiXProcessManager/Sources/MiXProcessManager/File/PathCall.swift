import CChorus
import CMiXFile

/// A request of the name-space protocol (mixFile.h) in the making: where a path starts, and for whom.
struct PathCall {
    let call: Call
    var request = MixObjRequest()

    static let currentDirectory: Int32 = -100  // AT_FDCWD
    static let noFollow: UInt32 = 0x100  // AT_SYMLINK_NOFOLLOW
    static let effectiveAccess: UInt32 = 0x200  // AT_EACCESS; also AT_REMOVEDIR
    static let removeDirectory: UInt32 = 0x200
    static let follow: UInt32 = 0x400  // AT_SYMLINK_FOLLOW
    static let emptyPath: UInt32 = 0x1000  // AT_EMPTY_PATH

    /// A request for a path that starts at `directory`; an absolute one starts at the root whatever it is.
    init(_ call: Call, _ op: UInt32, at directory: Int32, _ path: [UInt8]) throws(Errno) {
        self.call = call
        request.op = op
        request.cred = call.process.mixCred()
        request.owner = UInt64(UInt32(bitPattern: call.task.tid))
        let root = call.process.root.key
        request.arg.0 = root.object
        request.arg.1 = root.tag
        request.key = path.first == UInt8(ascii: "/") ? root : try Self.start(call, directory)
    }

    /// The key of the directory that a relative path starts from.
    static func start(_ call: Call, _ directory: Int32) throws(Errno) -> MixKey {
        if directory == currentDirectory { return call.process.cwd.key }
        let description = try call.openDescription(number: directory, allowPath: true)
        guard let remote = description.remote, remote.server == call.manager.fileServer else { throw .ENOTDIR }
        return remote.key
    }

    /// Sends it with the path as the body.
    func send(_ path: [UInt8]) throws(Errno) -> MixObjReply { try send(body: path + [0]) }

    func send(body: [UInt8]) throws(Errno) -> MixObjReply {
        let events = InotifyPathEvents(call.manager, request, body)
        let result = body.withUnsafeBytes { bytes in
            Result { () throws(Errno) in try call.manager.objectCall(call.manager.fileServer, request, body: bytes).0 }
        }
        let reply = try result.get()
        events?.tell()
        return reply
    }

    func send<T: BitwiseCopyable>(_ path: [UInt8], _ type: T.Type, empty: T) throws(Errno) -> T {
        var value = empty
        let result = (path + [0]).withUnsafeBytes { bytes in
            withUnsafeMutableBytes(of: &value) { room in
                Result { () throws(Errno) in
                    try call.manager.objectCall(call.manager.fileServer, request, body: bytes, reply: room).1
                }
            }
        }
        _ = try result.get()
        return value
    }
}

extension Call {
    /// A path argument; an empty one is ENOENT unless the call allows it.
    func path(_ index: Int, allowEmpty: Bool = false) throws(Errno) -> [UInt8] {
        let path = try copyString(self[index])
        if path.isEmpty && !allowEmpty { throw .ENOENT }
        return path
    }
}

extension KnUniqueId {
    static func == (a: KnUniqueId, b: KnUniqueId) -> Bool { a.uiHead == b.uiHead && a.uiTail == b.uiTail }
}
