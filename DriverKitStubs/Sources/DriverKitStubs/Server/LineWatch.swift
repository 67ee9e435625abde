import ActorKit
import CChorus
import CDriverGuard
import SimulatedBus

/// Interrupt lines that the nucleus masked, since nobody claimed what they raised: the drivers on them are told, and may go on by
/// looking at their devices from time to time.
final class LineWatch: @unchecked Sendable {
    // Sendable: what changes is behind the lock.
    private let lock = Lock()
    private var event = KnCap()
    private var told: [UInt32: UInt64] = [:]  // how often each line has been stuck

    /// From now on its drivers hear when the line is masked.
    func watch(_ line: UInt32, _ server: DriverServer) {
        var name = lock.with { () -> KnUniqueId in
            if event.ui.uiHead == 0, event.ui.uiTail == 0 {
                // The server lives as long as the process (Entry.swift).
                _ = server.nucleus.eventCreate(
                    { cookie, _ in
                        guard let cookie else { return K_EINVAL }
                        let server = Unmanaged<DriverServer>.fromOpaque(cookie).takeUnretainedValue()
                        server.later { $0.lineWatch.tell($0) }
                        return K_OK
                    }, Unmanaged.passUnretained(server).toOpaque(), &event)
            }
            return event.ui
        }
        server.nucleus.svIntrWatch(line, K_INTR_UNCLAIMEDMAX, &name, 1)
    }

    private func tell(_ server: DriverServer) {
        for stat in server.lineStats where stat.masked != 0 {
            let isNew = lock.with {
                defer { told[stat.line] = stat.stuck }
                return stat.stuck > told[stat.line] ?? 0
            }
            guard isNew else { continue }
            for instance in server.allDrivers.flatMap(\.instances) where instance.device?.line == stat.line {
                instance.event(DRV_EVENT_DEFECTIVE)
            }
        }
    }
}

extension DriverServer {
    /// Every line of the site that somebody has named.
    var lineStats: [KnIntrStat] {
        var stats = [KnIntrStat](repeating: KnIntrStat(), count: Int(K_INTRLINES))
        var count = K_INTRLINES
        guard nucleus.svIntrStat(&count, &stats) >= 0 else { return [] }
        return Array(stats.prefix(Int(count)))
    }

    /// On the thread of timeouts, in turn: for what comes up where a driver or a device is busy.
    func later(_ work: @escaping @Sendable (DriverServer) -> Void) {
        _ = timeouts.set(newHandle(), at: 0) { [self] in work(self) }
    }
}
