import ActorKit
import CChorus
import Synchronization

/// A System V shared memory segment. Gone when it is removed and nobody has it mapped any more: then the last reference is.
final class SharedSegment: IpcObject, @unchecked Sendable {
    // Sendable: guarded by `lock`.
    let size: UInt64
    let segment: KnCap
    let creator: Int32
    var lastPid: Int32 = 0
    var attached: Int64 = 0
    var detached: Int64 = 0
    private unowned let manager: ProcessManager

    init(_ manager: ProcessManager, id: Int32, permission: IpcPermission, size: UInt64, creator: Int32) throws(Errno) {
        var segment = KnCap()
        try manager.check(manager.nucleus.sgCreate("SYSV", size, &segment))
        self.manager = manager
        self.size = size
        self.segment = segment
        self.creator = creator
        nucleus = manager.nucleus
        super.init(id: id, permission: permission)
    }

    /// Of its own: the last segments go with the manager.
    private let nucleus: Nucleus

    deinit {
        var segment = segment
        nucleus.sgRelease(&segment)
    }

    /// How many mappings there are, parts counted by themselves as Linux does.
    func attachments() -> UInt64 {
        var seen: Set<ObjectIdentifier> = []
        var count: UInt64 = 0
        for process in manager.tree.withLock({ Array(manager.processes.values) }) {
            let space = process.memory
            guard seen.insert(ObjectIdentifier(space)).inserted else { continue }
            count += space.lock.withLock { UInt64(space.map.areas.count { isMapped(by: $0) }) }
        }
        return count
    }

    func isMapped(by area: MappedArea) -> Bool { (area.file as? SharedMapping)?.segment === self }

    /// A process ended, executed or detached with `pid` in the books.
    func noteDetached(by pid: Int32) {
        lock.withLock {
            lastPid = pid
            detached = Self.now()
        }
    }
}

/// A segment as memory areas hold it.
final class SharedMapping: MappedFile {
    let segment: SharedSegment
    let isWritable: Bool

    init(_ segment: SharedSegment, isWritable: Bool) {
        self.segment = segment
        self.isWritable = isWritable
    }

    var mappedSegment: KnCap { segment.segment }
    var isReadable: Bool { true }
    var mappedIdentity: (device: UInt64, inode: UInt64) { (1, UInt64(UInt32(bitPattern: segment.id))) }
    func mappedPath() -> [UInt8] {
        let key = String(UInt32(bitPattern: segment.lock.withLock { segment.permission.key }), radix: 16)
        return Array("/SYSV\(String(repeating: "0", count: 8 - key.count))\(key) (deleted)".utf8)
    }
    func synchronize() throws(Errno) {}
}

extension ProcessManager {
    /// The address space of `process` is about to go.
    func detachSegments(_ process: Process) {
        guard SharedMemoryCalls.isUsed.load(ordering: .relaxed) else { return }
        let space = process.memory
        let mapped = space.lock.withLock { space.map.areas.compactMap { ($0.file as? SharedMapping)?.segment } }
        for segment in mapped { segment.noteDetached(by: process.pid) }
    }
}
