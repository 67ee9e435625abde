import CChorus
import CProcessHost
import Glibc

extension ProcessManager {
    var processorCount: Int { max(1, min(1024, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// CPU time and memory as the nucleus counts them now.
    func measure(_ process: Process) -> Accounting {
        if let stat = statistics().first(where: {
            $0.cap.ui.uiHead == process.actor.ui.uiHead && $0.cap.ui.uiTail == process.actor.ui.uiTail
        }) {
            tree.withLock { note(stat, process) }
        }
        return tree.withLock { process.accounting }
    }

    /// CPU time of one thread: of its host thread, which is its own.
    func cpuTime(_ task: Task) -> UInt64 {
        if task.hostThread == 0 {
            task.hostThread = threads().first { $0.li == task.thread }?.hostThread ?? 0
        }
        let time = task.hostThread == 0 ? 0 : pm_thread_time(task.hostThread)
        if time > 0 { return time }
        let all = measure(task.process)
        return all.user &+ all.system
    }

    private func threads() -> [KnThreadStat2] {
        all(room: 256, most: 1 << 17) { count, rows in nucleus.threadStat2(count, rows) }
    }

    private func note(_ stat: KnActorStat, _ process: Process) {
        process.accounting.user = max(process.accounting.user, stat.userNanoseconds)
        process.accounting.system = max(process.accounting.system, stat.systemNanoseconds)
        process.accounting.maxResident = max(process.accounting.maxResident, stat.residentBytes)
    }

    /// All actors of the site.
    func statistics() -> [KnActorStat] {
        all(room: 128, most: 65536) { count, rows in nucleus.actorStat(count, rows) }
    }

    /// What the nucleus lists, with ever more room until it has been enough.
    private func all<Row>(
        room: Int, most: Int, _ fill: (UnsafeMutablePointer<UInt32>, UnsafeMutablePointer<Row>?) -> Int32
    ) -> [Row] {
        var room = room
        while true {
            var count = UInt32(room)
            let rows = [Row](unsafeUninitializedCapacity: room) { buffer, initialized in
                let code = fill(&count, buffer.baseAddress)
                initialized = code < 0 ? 0 : min(Int(count), room)
            }
            if rows.count < room || room >= most { return rows }
            room *= 4
        }
    }
}
