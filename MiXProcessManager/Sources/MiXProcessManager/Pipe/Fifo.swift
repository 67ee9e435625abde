import CChorus
import CMiXFile
import Synchronization

/// The pipes behind named FIFOs, by inode, while some end is open.
final class FifoTable: Sendable {
    private struct Name: Hashable {
        let object: UInt64
        let inode: UInt64
        init(_ node: MixObjReply) {
            object = node.key.object
            inode = node.ino
        }
    }
    private struct Entry {
        let pipe: Pipe
        var users: Int
    }
    private let entries = Mutex<[Name: Entry]>([:])

    /// The FIFO's pipe, held until `release`.
    func pipe(_ node: MixObjReply) -> Pipe {
        let name = Name(node)
        return entries.withLock { all in
            if let entry = all[name] {
                all[name]?.users += 1
                return entry.pipe
            }
            let pipe = Pipe(inode: node.ino)
            all[name] = Entry(pipe: pipe, users: 1)
            return pipe
        }
    }

    func release(_ node: MixObjReply) {
        let name = Name(node)
        entries.withLock { all in
            all[name]?.users -= 1
            if all[name]?.users == 0 { all[name] = nil }
        }
    }

    static func stat(_ manager: ProcessManager, _ request: MixObjRequest) throws(Errno) -> MixStat {
        try withUnsafeTemporaryAllocation(of: MixStat.self, capacity: 1) { (buffer) throws(Errno) -> MixStat in
            buffer.initialize(repeating: MixStat())
            _ = try manager.objectCall(
                KnUniqueId(uiHead: manager.fileServer.uiHead, uiTail: manager.fileServer.uiTail), request,
                reply: UnsafeMutableRawBufferPointer(buffer))
            return buffer[0]
        }
    }
}

/// The opening of a FIFO, which waits for the other side (fifo(7)).
final class FifoOpening {
    private let end: PipeEnd
    private let flags: UInt32
    private let before: Pipe.Ends
    private var finished = false

    private init(_ end: PipeEnd, _ flags: UInt32, _ before: Pipe.Ends) {
        self.end = end
        self.flags = flags
        self.before = before
    }

    /// Interrupted, or the thread died: the end is closed again.
    deinit { if !finished { end.drop() } }

    static func begin(_ call: Call, _ node: MixObjReply, flags: UInt32) throws(Errno) -> Outcome {
        let pipe = call.manager.files.fifos.pipe(node)
        let mode = flags & 3
        let before = pipe.ends
        if mode == FileFlags.writeOnly && flags & FileFlags.nonBlocking != 0 && before.readers == 0 {
            call.manager.files.fifos.release(node)
            throw .ENXIO
        }
        let kept =
            flags
            & ~(FileFlags.create | FileFlags.exclusive | FileFlags.noControllingTerminal
            | FileFlags.truncate | FileFlags.closeOnExec)
        let opening = FifoOpening(PipeEnd(call.manager, pipe, flags: kept, node: node), flags, before)
        call.kept = opening
        return try opening.goOn(call)
    }

    func goOn(_ call: Call) throws(Errno) -> Outcome {
        let pipe = end.pipe
        let mode = flags & 3
        // A side that came counts even if it has left again meanwhile.
        let now = pipe.ends
        let met: Bool
        switch mode {
        case FileFlags.readOnly: met = now.writers > 0 || now.writersSeen != before.writersSeen
        case FileFlags.writeOnly: met = now.readers > 0 || now.readersSeen != before.readersSeen
        default: met = true
        }
        if met || flags & FileFlags.nonBlocking != 0 {
            finished = true
            return .done(value: try call.install(end, closeOnExec: flags & FileFlags.closeOnExec != 0))
        }
        let queue = mode == FileFlags.readOnly ? pipe.readable.queue : pipe.writable.queue
        return .park(Wait(on: [queue], for: "fifo_open"))
    }
}
