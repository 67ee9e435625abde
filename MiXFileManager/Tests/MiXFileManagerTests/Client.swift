import CMiXFile
import Glibc

@testable import FileCore

/// Talks to a FileServer as the Process Manager would: requests in annex and body.
final class Client {
    let fake: FakeNucleus
    let server: FileServer
    var cred = MixCred()
    var root = MixKey()
    var directory = MixKey()

    init(_ options: String, fake: FakeNucleus = FakeNucleus()) throws {
        self.fake = fake
        server = try FileServer(nucleus: fake.nucleus, options: try MountOptions(options))
        isOwner = true
        become(0)
        cred.pid = 42
    }

    /// A second client of a server, for another thread.
    init(sharing server: FileServer, fake: FakeNucleus) {
        self.fake = fake
        self.server = server
        isOwner = false
        become(0)
        cred.pid = 42
    }

    private let isOwner: Bool

    deinit { if isOwner { server.disconnect() } }

    func become(_ uid: UInt32, gid: UInt32? = nil, groups: [UInt32] = []) {
        cred.uid = uid
        cred.gid = gid ?? uid
        cred.capabilities = uid == 0 ? MIX_CAP_ROOT : 0
        cred.groupCount = UInt32(groups.count)
        withUnsafeMutableBytes(of: &cred.groups) { raw in
            for (i, group) in groups.enumerated() { raw.storeBytes(of: group, toByteOffset: 4 * i, as: UInt32.self) }
        }
    }

    struct Answer {
        var reply: MixObjReply
        var body: [UInt8]
        var diag: Int64 { reply.diag }
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    func call(_ request: MixObjRequest, _ body: [UInt8] = [], room: Int = 8192) -> Answer {
        var annex = [UInt8](repeating: 0, count: 256)
        annex.withUnsafeMutableBytes { $0.storeBytes(of: request, as: MixObjRequest.self) }
        var replyAnnex = [UInt8](repeating: 0, count: 256)
        var replyBody = [UInt8](repeating: 0, count: room)
        var size = UInt32(room)
        let code = annex.withUnsafeBytes { annex in
            body.withUnsafeBytes { body in
                replyAnnex.withUnsafeMutableBytes { replyAnnex in
                    replyBody.withUnsafeMutableBytes { replyBody in
                        server.message(
                            annex.baseAddress, body.baseAddress, UInt32(body.count), replyAnnex.baseAddress,
                            replyBody.baseAddress, &size)
                    }
                }
            }
        }
        precondition(code == 0 && size <= room)
        return Answer(
            reply: replyAnnex.withUnsafeBytes { $0.load(as: MixObjReply.self) },
            body: Array(replyBody.prefix(Int(size))))
    }

    func request(_ op: UInt32, flags: UInt32 = 0, key: MixKey? = nil) -> MixObjRequest {
        var r = MixObjRequest()
        r.op = op
        r.flags = flags
        r.key = key ?? directory
        r.cred = cred
        r.arg.0 = root.object
        r.arg.1 = root.tag
        return r
    }

    static func strings(_ all: String...) -> [UInt8] { all.flatMap { Array($0.utf8) + [0] } }

    // MARK: Calls on names

    func open(_ path: String, _ flags: UInt32 = 0, mode: UInt64 = 0o644, resolve: UInt64 = 0, key: MixKey? = nil)
        -> Answer
    {
        var r = request(FILE_OPEN, flags: flags, key: key)
        r.arg.2 = mode
        r.arg.3 = resolve
        return call(r, Self.strings(path))
    }

    /// What open says, the instance closed again.
    func tryOpen(_ path: String, _ flags: UInt32 = 0, mode: UInt64 = 0o644, resolve: UInt64 = 0) -> Int64 {
        let a = open(path, flags, mode: mode, resolve: resolve)
        if a.diag >= 0, a.reply.key.tag != 0 { close(a.reply.key) }
        return a.diag
    }

    func stat(_ path: String, _ flags: UInt32 = 0) -> (diag: Int64, stat: MixStat) {
        let a = call(request(FILE_STAT, flags: flags), Self.strings(path))
        guard a.diag >= 0 else { return (a.diag, MixStat()) }
        return (0, a.body.withUnsafeBytes { $0.loadUnaligned(as: MixStat.self) })
    }

    func fstat(_ key: MixKey) -> MixStat {
        let a = call(request(OBJ_STAT, key: key))
        guard a.diag >= 0 else { return MixStat() }
        return a.body.withUnsafeBytes { $0.loadUnaligned(as: MixStat.self) }
    }

    @discardableResult func mkdir(_ path: String, _ mode: UInt64 = 0o755) -> Int64 {
        var r = request(FILE_MKDIR)
        r.arg.2 = mode
        return call(r, Self.strings(path)).diag
    }

    @discardableResult func mknod(_ path: String, _ mode: UInt32, _ rdev: UInt64 = 0) -> Int64 {
        var r = request(FILE_MKNOD)
        r.arg.2 = UInt64(mode)
        r.arg.3 = rdev
        return call(r, Self.strings(path)).diag
    }

    @discardableResult func unlink(_ path: String) -> Int64 { call(request(FILE_UNLINK), Self.strings(path)).diag }
    @discardableResult func rmdir(_ path: String) -> Int64 {
        call(request(FILE_UNLINK, flags: Linux.AT_REMOVEDIR), Self.strings(path)).diag
    }
    @discardableResult func symlink(_ target: String, _ path: String) -> Int64 {
        call(request(FILE_SYMLINK), Self.strings(target, path)).diag
    }

    private func pair(_ op: UInt32, _ from: String, _ to: String, _ flags: UInt32, key: MixKey? = nil) -> Int64 {
        var r = request(op, flags: flags, key: key)
        r.offset = root.object
        r.size = root.tag
        r.arg.0 = 0
        r.arg.1 = 0
        r.arg.2 = directory.object
        r.arg.3 = directory.tag
        return call(r, Self.strings(from, to)).diag
    }
    @discardableResult func rename(_ from: String, _ to: String, _ flags: UInt32 = 0) -> Int64 {
        pair(FILE_RENAME, from, to, flags)
    }
    @discardableResult func link(_ from: String, _ to: String, _ flags: UInt32 = 0, key: MixKey? = nil) -> Int64 {
        pair(FILE_LINK, from, to, flags, key: key)
    }

    func readlink(_ path: String) -> Answer {
        var r = request(FILE_READLINK)
        r.size = 4096
        return call(r, Self.strings(path))
    }

    @discardableResult func chmod(_ path: String, _ mode: UInt64) -> Int64 {
        var r = request(FILE_SETATTR, flags: MIX_ATTR_MODE)
        r.arg.2 = mode
        return call(r, Self.strings(path)).diag
    }
    @discardableResult func chown(_ path: String, _ uid: UInt32, _ gid: UInt32) -> Int64 {
        var r = request(FILE_SETATTR, flags: MIX_ATTR_UID | MIX_ATTR_GID)
        r.arg.3 = UInt64(uid) | UInt64(gid) << 32
        return call(r, Self.strings(path)).diag
    }
    func utimens(_ path: String, _ times: MixTimes) -> Int64 {
        let r = request(FILE_SETATTR, flags: MIX_ATTR_ATIME | MIX_ATTR_MTIME)
        return call(r, Self.strings(path) + withUnsafeBytes(of: times) { Array($0) }).diag
    }
    func access(_ path: String, _ mask: UInt64) -> Int64 {
        var r = request(FILE_ACCESS)
        r.arg.2 = mask
        return call(r, Self.strings(path)).diag
    }
    func truncate(_ path: String, _ size: UInt64) -> Int64 {
        var r = request(FILE_TRUNC)
        r.size = size
        return call(r, Self.strings(path)).diag
    }
    func mount(_ source: String, _ target: String, _ type: String, _ options: String = "", flags: UInt64 = 0) -> Int64 {
        var r = request(FILE_MOUNT)
        r.arg.2 = flags
        return call(r, Self.strings(source, target, type, options)).diag
    }
    func umount(_ target: String, flags: UInt64 = 0) -> Int64 {
        var r = request(FILE_UMOUNT)
        r.arg.2 = flags
        return call(r, Self.strings(target)).diag
    }

    // MARK: Calls on objects

    @discardableResult func close(_ key: MixKey, owner: UInt64 = 0) -> Int64 {
        var r = request(OBJ_CLOSE, key: key)
        r.owner = owner
        return call(r).diag
    }
    func read(_ key: MixKey, _ offset: UInt64 = 0, _ size: UInt64 = 8192) -> Answer {
        var r = request(OBJ_READ, key: key)
        r.offset = offset
        r.size = size
        return call(r)
    }
    @discardableResult func write(_ key: MixKey, _ text: String, at offset: UInt64 = 0, flags: UInt32 = 0) -> Int64 {
        var r = request(OBJ_WRITE, flags: flags, key: key)
        r.offset = offset
        return call(r, Array(text.utf8)).diag
    }
    func path(_ key: MixKey) -> String { call(request(OBJ_PATH, key: key)).text }

    /// Names of an open directory behind `cookie`, at most `size` bytes of records.
    func list(_ key: MixKey, from cookie: UInt64 = 0, size: UInt64 = 4096) -> (
        names: [String], next: UInt64, diag: Int64
    ) {
        var r = request(OBJ_READDIR, key: key)
        r.offset = cookie
        r.size = size
        let a = call(r)
        var out: [String] = []
        var at = 0
        while at + 19 < a.body.count {
            let length = Int(a.body[at + 16]) | Int(a.body[at + 17]) << 8
            let name = a.body[(at + 19)..<(at + length)].prefix { $0 != 0 }
            out.append(String(decoding: name, as: UTF8.self))
            at += length
        }
        return (out, a.reply.value.0, a.diag)
    }

    /// Each name with the position behind it: an entry at a time.
    func positions(_ key: MixKey) -> [String] {
        var all: [String] = []
        var at: UInt64 = 0
        while true {
            let one = list(key, from: at, size: 32)
            guard one.diag > 0 else { return all }
            at = one.next
            all += one.names.map { "\($0) \(at)" }
        }
    }

    func names(_ path: String) -> [String] {
        let a = open(path, Linux.O_DIRECTORY)
        guard a.diag >= 0 else { return ["errno \(-a.diag)"] }
        defer { close(a.reply.key) }
        var all: [String] = []
        var cookie: UInt64 = 0
        while true {
            let part = list(a.reply.key, from: cookie, size: 512)
            if part.names.isEmpty { break }
            all += part.names
            cookie = part.next
        }
        return all.filter { $0 != "." && $0 != ".." }.sorted()
    }

    // MARK: Whole files

    @discardableResult func put(_ path: String, _ text: String, mode: UInt64 = 0o644) -> Int64 {
        let a = open(path, Linux.O_CREAT | Linux.O_TRUNC | Linux.O_RDWR, mode: mode)
        guard a.diag >= 0 else { return a.diag }
        defer { close(a.reply.key) }
        return write(a.reply.key, text)
    }
    func get(_ path: String) -> String {
        let a = open(path)
        guard a.diag >= 0 else { return "errno \(-a.diag)" }
        defer { close(a.reply.key) }
        return read(a.reply.key).text
    }
}

/// A directory of the host for one test, removed at its end.
final class HostTree {
    let path: String

    init() throws {
        var template = Array("/tmp/mixfile.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        Glibc.chmod(path, 0o755)
    }

    deinit { _ = Glibc.system("rm -rf \(path)") }

    func put(_ name: String, _ text: String) {
        let fd = Glibc.open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        _ = Array(text.utf8).withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
        Glibc.close(fd)
    }
    func mkdir(_ name: String) { Glibc.mkdir(path + "/" + name, 0o755) }
    func symlink(_ target: String, _ name: String) { _ = Glibc.symlink(target, path + "/" + name) }
    func get(_ name: String) -> String {
        let fd = Glibc.open(path + "/" + name, O_RDONLY)
        if fd < 0 { return "errno \(errno)" }
        defer { Glibc.close(fd) }
        var buffer = [UInt8](repeating: 0, count: 65536)
        let n = Glibc.read(fd, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, n)), as: UTF8.self)
    }
    func exists(_ name: String) -> Bool { Glibc.access(path + "/" + name, F_OK) == 0 }
}

func e(_ error: Errno) -> Int64 { -Int64(error.code) }
