import Glibc

/// The averages of /proc/loadavg, brought up to date when somebody asks: an idle site must not wake up for them. What ran
/// since the last time is told by the CPU time it took.
struct LoadAverage {
    private(set) var averages = (0.0, 0.0, 0.0)
    private var asked: UInt64
    private var spent: UInt64 = 0

    init(since start: UInt64) { asked = start }

    /// `spent`: CPU nanoseconds of all processes, ended ones included as far as their parents know them.
    mutating func update(now: UInt64, spent total: UInt64) {
        // Two readers in a moment see the same.
        guard now > asked, now - asked >= 100_000_000 else { return }
        let time = Double(now - asked) / 1e9
        let running = total > spent ? Double(total - spent) / 1e9 / time : 0
        asked = now
        spent = max(spent, total)
        func decay(_ average: Double, _ seconds: Double) -> Double {
            let kept = exp(-time / seconds)
            return average * kept + running * (1 - kept)
        }
        averages = (decay(averages.0, 60), decay(averages.1, 300), decay(averages.2, 900))
    }

    var text: String {
        [averages.0, averages.1, averages.2].map { average in
            let hundredths = Int((average * 100).rounded())
            return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
        }.joined(separator: " ")
    }
}

extension ProcessManager {
    /// Brought up to date.
    func loadAverage() -> LoadAverage {
        for process in tree.withLock({ processes.values.filter { !$0.isZombie } }) {
            guard let now = files.actorNumbers(self, process.actor.ui) else { continue }
            tree.withLock {
                process.accounting.user = max(process.accounting.user, now.user)
                process.accounting.system = max(process.accounting.system, now.system)
            }
        }
        return tree.withLock { () -> LoadAverage in
            let spent = processes.values.reduce(UInt64(0)) { $0 &+ $1.accounting.total }
            load.update(now: clock.monotonic(), spent: spent)
            return load
        }
    }
}
