import ActorKit
import CChorus
import CMiXFile
import Synchronization

/// The File Manager's instance: everything hangs here.
public final class FileServer: @unchecked Sendable {
    // Sendable: fields are set in init and connect, before requests come; what they name guards itself.
    let nucleus: Nucleus
    let names = NameSpace()
    let devices = DeviceTable()
    var opens: OpenTable
    var devfs: Devfs
    var procfs: Procfs
    var export: Export?
    var imported: [UInt8] = []
    /// Segments that an export named, until something is asked again.
    let exported = Mutex<[Segment]>([])
    private let isResting = Atomic<Bool>(false)
    private var port: KnPortLid = 0
    private var portUi = KnUniqueId()
    private var group = KnCap()

    public init(nucleus: Nucleus, options: MountOptions) throws(MountOptions.Problem) {
        self.nucleus = nucleus
        var secret = SipKey(k0: 0, k1: 0)
        let random = withUnsafeMutableBytes(of: &secret) { nucleus.sysRandom($0.baseAddress, UInt32($0.count)) }
        if random < 0 { throw MountOptions.Problem("no random numbers for the key of object names: \(random)") }
        opens = OpenTable(nucleus: nucleus, secret: secret)
        do throws(Errno) {
            devfs = try Devfs.make(id: names.newFileSystemId(), nucleus: nucleus)
        } catch {
            throw MountOptions.Problem("devfs: errno \(error.code)")
        }
        procfs = Procfs(id: names.newFileSystemId(), nucleus: nucleus, names: names, opens: opens, devices: devices)
        try mountAll(options)
    }

    /// Makes the port, puts it into the group and lets requests in.
    public func connect(stamp: UInt32) -> Int32 {
        let li = nucleus.portCreate(nil, &portUi)
        if li < 0 { return li }
        port = li
        let cookie = Unmanaged.passUnretained(self).toOpaque()
        var code = nucleus.svMsgHandler(port, fileMessage, cookie)
        if code >= 0 { code = nucleus.grpAllocate(K_STATSYS, &group, stamp) }
        if code >= 0 { code = nucleus.grpPortInsert(&group, &portUi) }
        if code < 0 {
            _ = nucleus.portDelete(nil, port)
            return code
        }
        return K_OK
    }

    /// Closes the gate, drains who is inside, gives everything back.
    public func disconnect() {
        if port > 0 {
            _ = nucleus.grpPortRemove(&group, &portUi)
            _ = nucleus.svMsgHandler(port, nil, nil)
            _ = nucleus.portDelete(nil, port)
            port = 0
        }
        lend()
        names.discardAll()
        devfs.discard()
        procfs.discard()
    }

    /// A message: annex in and out, data in the bodies. Never fails a call but for what is not a request at all.
    public func message(
        _ annex: UnsafeRawPointer?, _ body: UnsafeRawPointer?, _ bodySize: UInt32,
        _ replyAnnex: UnsafeMutableRawPointer?,
        _ replyBody: UnsafeMutableRawPointer?, _ replySize: UnsafeMutablePointer<UInt32>?
    ) -> Int32 {
        guard let annex, let replyAnnex else { return K_EINVAL }
        if isResting.load(ordering: .relaxed) { goOn() }
        let capacity = replyBody == nil ? 0 : Int(replySize?.pointee ?? 0)
        var copy = annex.loadUnaligned(as: MixObjRequest.self)
        var reply = Reply()
        withUnsafePointer(to: &copy) { head in
            withUnsafePointer(to: &UnsafeMutablePointer(mutating: head).pointee.cred) { cred in
                // Only requests on names tell: an object's owner is a description.
                let thread = head.pointee.op >= FILE_OPEN ? Int32(truncatingIfNeeded: head.pointee.owner) : 0
                let request = Request(
                    head: head, caller: Caller(cred: cred, thread: thread),
                    body: UnsafeRawBufferPointer(start: body, count: body == nil ? 0 : Int(bodySize)),
                    room: UnsafeMutableRawBufferPointer(start: replyBody, count: capacity))
                do throws(Errno) {
                    try dispatch(request, &reply)
                } catch {
                    reply = Reply()
                    reply.annex.diag = Int64(-error.code)
                }
            }
        }
        replyAnnex.copyMemory(from: &reply.annex, byteCount: MemoryLayout<MixObjReply>.size)
        replySize?.pointee = UInt32(reply.bodySize)
        return K_OK
    }

    /// After the end of an export: another server may have taken over.
    func rest(lending segments: [Segment]) {
        exported.withLock { $0 = segments }
        isResting.store(true, ordering: .relaxed)
    }

    /// It has not.
    private func goOn() {
        isResting.store(false, ordering: .relaxed)
        exported.withLock { $0 = [] }
    }

    private func dispatch(_ request: Request, _ reply: inout Reply) throws(Errno) {
        switch request.op {
        case FILE_OPEN: try open(request, &reply)
        case FILE_STAT: try stat(request, &reply)
        case OBJ_CLOSE:
            try opens.close(request.key, owner: request.owner, pid: request.caller.pid)?.rest()
        case OBJ_STAT: try objectStat(request, &reply)
        case OBJ_READ: try read(request, &reply)
        case OBJ_WRITE: try write(request, &reply)
        case OBJ_READDIR: try readDirectory(request, &reply)
        case FILE_ACCESS: try access(request)
        case FILE_READLINK: try readLink(request, &reply)
        case FILE_MKDIR: try makeDirectory(request)
        case FILE_MKNOD: try makeNode(request)
        case FILE_UNLINK: try unlink(request)
        case FILE_RENAME: try rename(request)
        case FILE_LINK: try link(request)
        case FILE_SYMLINK: try symlink(request)
        case FILE_SETATTR: try setAttributes(request)
        case FILE_TRUNC: try truncate(request)
        case FILE_STATFS: try statistics(request, &reply)
        case FILE_MOUNT: try mount(request)
        case FILE_UMOUNT: try unmount(request)
        case FILE_MOUNTS: try mounts(request, &reply)
        case FILE_DEV_REGISTER: try registerDevice(request)
        case FILE_DEV_UNREGISTER: try unregisterDevice(request)
        case OBJ_OPEN: try reopen(request, &reply)
        case OBJ_DUP: try opens.duplicate(try opens.find(request.key))
        case OBJ_SETATTR: try objectSetAttributes(request)
        case OBJ_TRUNC: try objectTruncate(request)
        case OBJ_SYNC: try sync(request)
        case OBJ_WATCH: try watch(request, &reply)
        case OBJ_LOCK: try lock(request, &reply)
        case OBJ_ALLOCATE: try allocate(request)
        case OBJ_STATFS: try reply.put(struct: try opens.find(request.key).inode.fs.statistics(), request)
        case OBJ_SEGMENT: try segment(request, &reply)
        case OBJ_PATH: try path(request, &reply)
        case OBJ_IOCTL:
            _ = try opens.find(request.key)
            throw .ENOTTY
        case OBJ_XATTR: try objectExtendedAttributes(request, &reply)
        case FILE_XATTR: try extendedAttributes(request, &reply)
        default: throw .ENOSYS
        }
    }
}

private func fileMessage(
    _ cookie: UnsafeMutableRawPointer?, _ head: UnsafePointer<KnMsgHead>?, _ annex: UnsafeRawPointer?,
    _ body: UnsafeRawPointer?, _ bodySize: UInt32, _ replyAnnex: UnsafeMutableRawPointer?,
    _ replyBody: UnsafeMutableRawPointer?, _ replySize: UnsafeMutablePointer<UInt32>?
) -> Int32 {
    guard let cookie else { return K_EINVAL }
    return Unmanaged<FileServer>.fromOpaque(cookie)._withUnsafeGuaranteedRef {
        $0.message(annex, body, bodySize, replyAnnex, replyBody, replySize)
    }
}
