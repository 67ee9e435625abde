import CChorus

/// The list of robust futexes that a thread holds (get_robust_list(2)): its end hands them on as FUTEX_OWNER_DIED.
extension ProcessManager {
    private static let waiters: UInt32 = 0x8000_0000, ownerDied: UInt32 = 0x4000_0000, tidMask: UInt32 = 0x3fff_ffff
    /// As the kernel: a list in a circle ends somewhere.
    private static let most = 2048

    /// Called without locks. `by`: threads of the same memory, one of which must be here for its memory to be reached.
    func releaseRobust(_ task: Task, by threads: [Task]) {
        let head = task.robustList
        guard head != 0 else { return }
        task.robustList = 0
        // next, offset of the word, the one that was being taken or given back
        var list: (next: UInt64, offset: UInt64, pending: UInt64) = (0, 0, 0)
        let way = threads.first { thread in
            withUnsafeMutableBytes(of: &list) { read(thread, head, $0) }
        }
        guard let way else { return }
        var entry = list.next
        var count = 0
        while entry & ~1 != head, count < Self.most {
            let place = entry & ~1
            var next: UInt64 = 0
            let known = withUnsafeMutableBytes(of: &next) { read(way, place, $0) }
            if entry != list.pending { releaseWord(task, by: way, place &+ list.offset, isPending: false) }
            guard known else { break }
            entry = next
            count += 1
        }
        if list.pending != 0 { releaseWord(task, by: way, (list.pending & ~1) &+ list.offset, isPending: true) }
    }

    private func read(_ thread: Task, _ address: UInt64, _ buffer: UnsafeMutableRawBufferPointer) -> Bool {
        nucleus.svCopyIn(thread.thread, address, buffer.baseAddress, UInt32(buffer.count)) >= 0
    }

    private func releaseWord(_ task: Task, by way: Task, _ address: UInt64, isPending: Bool) {
        guard address % 4 == 0 else { return }
        var word: UInt32 = 0
        guard withUnsafeMutableBytes(of: &word, { read(way, address, $0) }) else { return }
        if word & Self.tidMask == UInt32(bitPattern: task.tid) {
            var left = word & Self.waiters | Self.ownerDied
            guard nucleus.svCopyOut(way.thread, &left, address, 4, 0) >= 0 else { return }
        } else if !isPending || word != 0 {
            return
        }
        futexWake(task.process, address, 1)
    }
}
