import CMiXFile
import Synchronization

/// A file or directory, whatever its names are.
struct NodeKey: Hashable {
    var dev: UInt64
    var ino: UInt64

    init(_ stat: MixStat) {
        dev = stat.dev
        ino = stat.ino
    }
}

/// Bits of inotify(7).
enum InotifyBits {
    static let access: UInt32 = 0x1, modify: UInt32 = 0x2, attributes: UInt32 = 0x4, closeWrite: UInt32 = 0x8
    static let closeNoWrite: UInt32 = 0x10, open: UInt32 = 0x20, movedFrom: UInt32 = 0x40, movedTo: UInt32 = 0x80
    static let create: UInt32 = 0x100, delete: UInt32 = 0x200, deleteSelf: UInt32 = 0x400, moveSelf: UInt32 = 0x800
    static let all: UInt32 = 0xfff
    static let unmount: UInt32 = 0x2000, overflow: UInt32 = 0x4000, ignored: UInt32 = 0x8000
    static let onlyDirectory: UInt32 = 0x0100_0000, doNotFollow: UInt32 = 0x0200_0000, exclUnlink: UInt32 = 0x0400_0000
    static let maskCreate: UInt32 = 0x1000_0000, maskAdd: UInt32 = 0x2000_0000, isDirectory: UInt32 = 0x4000_0000
    static let oneShot: UInt32 = 0x8000_0000
}

/// Who watches what. The File Manager's files change by calls of processes alone, and those all come through here; while
/// nobody watches, they pay one load.
final class InotifyTable: Sendable {
    private struct Mark {
        weak var file: InotifyFile?
        let descriptor: Int32
    }
    private let marks = Mutex<[NodeKey: [Mark]]>([:])
    private let count = Atomic<Int>(0)
    private let cookies = Atomic<UInt32>(0)
    /// Counts renames: places of open files are looked up again.
    private let names = Atomic<UInt64>(0)

    var isActive: Bool { count.load(ordering: .relaxed) > 0 }
    func nextCookie() -> UInt32 { cookies.add(1, ordering: .relaxed).newValue }
    var nameGeneration: UInt64 { names.load(ordering: .relaxed) }
    func namesChanged() { names.add(1, ordering: .relaxed) }

    func add(_ node: NodeKey, _ file: InotifyFile, _ descriptor: Int32) {
        marks.withLock { $0[node, default: []].append(Mark(file: file, descriptor: descriptor)) }
        count.add(1, ordering: .relaxed)
    }

    func remove(_ node: NodeKey, _ file: InotifyFile) {
        let gone = marks.withLock { marks -> Int in
            let before = marks[node]?.count ?? 0
            marks[node]?.removeAll { $0.file === file || $0.file == nil }
            let after = marks[node]?.count ?? 0
            if after == 0 { marks[node] = nil }
            return before - after
        }
        count.subtract(gone, ordering: .relaxed)
    }

    /// Tells those that watch `node`; `name` where the event is of an entry in it. Called without locks.
    func tell(_ node: NodeKey, _ event: UInt32, name: [UInt8]? = nil, cookie: UInt32 = 0) {
        let watchers = marks.withLock { marks in (marks[node] ?? []).map { ($0.file, $0.descriptor) } }
        for (file, descriptor) in watchers { file?.post(descriptor, event, name: name ?? [], cookie: cookie) }
    }

    /// The node is no more: its marks go, and their owners hear of it.
    func forget(_ node: NodeKey) {
        let watchers = marks.withLock { marks in (marks[node] ?? []).map { ($0.file, $0.descriptor) } }
        for (file, descriptor) in watchers { file?.end(descriptor) }
    }
}
