/// System-wide numbers that only the Process Manager knows: /proc/loadavg and its part of /proc/stat.
struct SiteCounts {
    var threads = 0
    var running = 0
    var lastPid: Int32 = 0
    var forks: UInt64 = 0
    var calls: UInt64 = 0
    /// Seconds since 1970.
    var bootTime: UInt64 = 0

    init() {}

    init(_ manager: ProcessManager) {
        manager.tree.withLock {
            for process in manager.processes.values where !process.isZombie {
                threads += process.tasks.count
                calls &+= process.accounting.systemCalls
                guard process.state == .running else { continue }
                running += process.tasks.count { task in task.park.withLock { task.parkState != .parked } }
            }
            lastPid = manager.lastPid
            forks = manager.forks
        }
        // The site counts its time from the host's boot, as /proc/uptime does.
        bootTime = (manager.bootRealTime &- manager.bootTime) / 1_000_000_000
    }

    func loadText(_ load: LoadAverage) -> String {
        "\(load.text) \(max(1, running))/\(max(1, threads)) \(lastPid)\n"
    }

    var statText: String {
        "ctxt \(calls)\nbtime \(bootTime)\nprocesses \(forks)\nprocs_running \(max(1, running))\nprocs_blocked 0\n"
    }
}
