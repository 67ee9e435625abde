import CChorus

/// The list of robust futexes that a thread holds (get_robust_list(2)): its end hands them on as FUTEX_OWNER_DIED.
extension ProcessManager {
    private static let waiters: UInt32 = 0x8000_0000, ownerDied: UInt32 = 0x4000_0000, tidMask: UInt32 = 0x3fff_ffff
    /// As the kernel: a list in a circle ends somewhere.
    private static let most = 2048

    private struct Head {
        var next: UInt64 = 0
        /// From an entry to its word.
        var offset: UInt64 = 0
        /// The entry that is being taken or given back.
        var pending: UInt64 = 0
    }

    /// Called without locks, while the thread's memory is still there.
    func releaseRobust(_ task: Task) {
        let address = task.robustList
        guard address != 0 else { return }
        task.robustList = 0
        var list = Head()
        func look() -> Bool { withUnsafeMutableBytes(of: &list) { read(task, address, $0) } }
        guard look(), list.next != address || list.pending != 0 else { return }
        // A thread that computes could give back itself what is handed on here.
        if hold(task, at: address), !look() { return }
        var entry = list.next
        var count = 0
        while entry & ~1 != address, count < Self.most {
            let place = entry & ~1
            var next: UInt64 = 0
            let known = withUnsafeMutableBytes(of: &next) { read(task, place, $0) }
            if place != list.pending & ~1 {
                releaseWord(task, place &+ list.offset, isPending: false, isPi: entry & 1 != 0)
            }
            guard known else { break }
            entry = next
            count += 1
        }
        if list.pending != 0 {
            releaseWord(task, (list.pending & ~1) &+ list.offset, isPending: true, isPi: list.pending & 1 != 0)
        }
    }

    /// Brings a dying thread here, where it stays. False for one that does not come: its host process may be dead.
    private func hold(_ task: Task, at address: UInt64) -> Bool {
        var word: UInt32 = 0
        for _ in 0..<200 {
            if nucleus.svCopyIn(task.thread, address, &word, 4) != K_EINVAL { return true }
            if nucleus.threadAbort(task.thread) < 0 { return false }
            nucleus.threadDelay(1)
        }
        return false
    }

    /// By the thread itself where it is here, else from outside.
    private func read(_ task: Task, _ address: UInt64, _ buffer: UnsafeMutableRawBufferPointer) -> Bool {
        let size = UInt32(buffer.count)
        if nucleus.svCopyIn(task.thread, address, buffer.baseAddress, size) >= 0 { return true }
        var actor = task.process.actor
        return nucleus.actorRead(&actor, address, buffer.baseAddress, size) == Int32(buffer.count)
    }

    private func write(_ task: Task, _ address: UInt64, _ word: UInt32) -> Bool {
        var word = word
        if nucleus.svCopyOut(task.thread, &word, address, 4, 0) >= 0 { return true }
        var actor = task.process.actor
        return nucleus.actorWrite(&actor, address, &word, 4) == 4
    }

    private func releaseWord(_ task: Task, _ address: UInt64, isPending: Bool, isPi: Bool) {
        guard address % 4 == 0 else { return }
        var word: UInt32 = 0
        guard withUnsafeMutableBytes(of: &word, { read(task, address, $0) }) else { return }
        if word & Self.tidMask == UInt32(bitPattern: task.tid) {
            guard write(task, address, word & Self.waiters | Self.ownerDied) else { return }
        } else if !isPending || word != 0 {
            return
        }
        // Who waits for a lock with priority inheritance is given it (`releasePiLocks`).
        if !isPi { futexWake(task.process, address, 1) }
    }
}
