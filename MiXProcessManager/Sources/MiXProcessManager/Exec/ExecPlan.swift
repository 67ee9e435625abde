import ActorKit
import CChorus
import CMiXFile

/// Everything execve needs, gathered before the point of no return.
struct ExecPlan {
    var file: ExecutableFile
    var image: ElfImage
    var interpreter: (file: ExecutableFile, image: ElfImage)?
    /// As given, for AT_EXECFN.
    var path: [UInt8]
    var arguments: [[UInt8]]
    var environment: [[UInt8]]
    /// Set-user-ID and set-group-ID of the file.
    var newUid: UInt32?
    var newGid: UInt32?

    /// The bytes of strings and pointers, against the limit of a quarter of the stack.
    static func check(size arguments: [[UInt8]], _ environment: [[UInt8]], stackLimit: UInt64) throws(Errno) {
        var total: UInt64 = 0
        for text in arguments + environment {
            if text.count + 1 > 131_072 { throw .E2BIG }
            total += UInt64(text.count) + 9
        }
        if total > min(max(stackLimit / 4, 131_072), 6 << 20) { throw .E2BIG }
    }
}

extension ProcessManager {
    /// Opens the program and what it names, and checks all of it.
    func planExec(
        _ process: Process, from directory: MixKey, path: [UInt8], arguments: [[UInt8]], environment: [[UInt8]]
    ) throws(Errno) -> ExecPlan {
        var name = path
        var arguments = arguments
        for _ in 0...Script.maxDepth {
            let (file, mode) = try openProgram(process, from: directory, path: name)
            let header = try readProgram(file, 0, Int(min(file.size, UInt64(Script.lineLimit))))
            if let script = try Script.parse(header) {
                // argv[0] becomes the interpreter; the script's name replaces what argv[0] was.
                var new = [script.interpreter]
                if let argument = script.argument { new.append(argument) }
                new.append(name)
                arguments = new + arguments.dropFirst()
                name = script.interpreter
                continue
            }
            let image = try parse(file, header)
            var plan = ExecPlan(
                file: file, image: image, interpreter: nil, path: path, arguments: arguments, environment: environment)
            if let interpreterPath = image.interpreter {
                let (interpreter, _) = try openProgram(process, from: directory, path: interpreterPath)
                let start = try readProgram(interpreter, 0, Int(min(interpreter.size, 256)))
                do {
                    plan.interpreter = (interpreter, try parse(interpreter, start))
                } catch {
                    throw error == .ENOEXEC ? .ELIBBAD : error
                }
            }
            if mode & 0o6000 != 0, !process.noNewPrivileges { try applySetId(&plan, file, mode) }
            try ExecPlan.check(size: plan.arguments, environment, stackLimit: process.limits[.stack].soft)
            return plan
        }
        throw .ELOOP
    }

    private func parse(_ file: ExecutableFile, _ header: [UInt8]) throws(Errno) -> ElfImage {
        try ElfImage.parse(header: header, fileSize: file.size) { (offset, count) throws(Errno) in
            try self.readProgram(file, offset, count)
        }
    }

    private func applySetId(_ plan: inout ExecPlan, _ file: ExecutableFile, _ mode: UInt32) throws(Errno) {
        var request = MixObjRequest()
        request.op = OBJ_STAT
        request.key = file.key
        let (_, body) = try objectCall(file.server, request, body: [], room: MemoryLayout<MixStat>.size)
        guard body.count >= MemoryLayout<MixStat>.size else { return }
        let stat = body.withUnsafeBytes { $0.loadUnaligned(as: MixStat.self) }
        if mode & 0o4000 != 0 { plan.newUid = stat.uid }
        if mode & 0o2010 == 0o2010 { plan.newGid = stat.gid }
    }

    /// FILE_OPEN with execute permission; only a regular file with a segment can be run.
    private func openProgram(
        _ process: Process, from directory: MixKey, path: [UInt8]
    ) throws(Errno) -> (ExecutableFile, UInt32) {
        if path.isEmpty { throw .ENOENT }
        var request = MixObjRequest()
        request.op = FILE_OPEN
        request.key = directory
        request.arg = (process.root.key.object, process.root.key.tag, 0, FILE_EXEC)
        request.cred = process.mixCred()
        let (reply, _) = try objectCall(fileServer, request, body: path + [0], room: 0)
        let server =
            reply.serverHead == 0 && reply.serverTail == 0
            ? fileServer : KnUniqueId(uiHead: reply.serverHead, uiTail: reply.serverTail)
        let segment = KnCap(
            ui: KnUniqueId(uiHead: reply.segUiHead, uiTail: reply.segUiTail),
            key: KnKey(keyHead: reply.segKeyHead, keyTail: reply.segKeyTail))
        let file = ExecutableFile(
            manager: self, key: reply.key, server: server, segment: segment, size: reply.size,
            inode: reply.ino, path: path)
        guard reply.mode & 0o170000 == 0o100000, segment.ui.uiHead != 0 || segment.ui.uiTail != 0 else {
            throw .EACCES
        }
        return (file, reply.mode)
    }

    func readProgram(_ file: ExecutableFile, _ offset: UInt64, _ count: Int) throws(Errno) -> [UInt8] {
        guard count > 0 else { return [] }
        var object = KnObjDesc(dataObject: file.segment, startOffset: offset, size: UInt64(count))
        var size = UInt32(count)
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            code = nucleus.sgRead(&object, buffer.baseAddress, &size)
            initialized = code < 0 ? 0 : min(Int(size), count)
        }
        guard code >= 0 else { throw .EIO }
        guard bytes.count == count else { throw .ENOEXEC }
        return bytes
    }
}
