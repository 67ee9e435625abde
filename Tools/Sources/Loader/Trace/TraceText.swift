import CChorus
import Glibc

/// Events as lines for people, as strace(1) writes them.
struct TraceText {
    let names: TraceNames
    /// CLOCK_REALTIME minus CLOCK_MONOTONIC, ns.
    let epoch: Int64

    func line(_ event: KnTraceEvent) -> String {
        let told = TraceEvent(event, names)
        var line = clock(event.time) + " "
        switch told.kind {
        // A message says itself who sends it.
        case .message, .handler: break
        case .mark where told.actor == 0: line += "[\(names.thread(event.thread))] "
        default: line += "[\(names.actor(told.actor))] "
        }
        line += told.title + told.outcome
        let took = durationText(event.duration)
        switch told.kind {
        case .trap, .fault: line += event.duration > 0 ? " <\(took)>" : ""
        default: line += event.duration > 0 ? " \(took)" : ""
        }
        return line
    }

    /// Local time of day, to the microsecond.
    private func clock(_ monotonic: UInt64) -> String {
        let nanoseconds = Int64(bitPattern: monotonic) &+ epoch
        var second = time_t(nanoseconds / 1_000_000_000)
        var fields = tm()
        localtime_r(&second, &fields)
        let micro = padded(nanoseconds % 1_000_000_000 / 1000, 6)
        return "\(padded(Int64(fields.tm_hour), 2)):\(padded(Int64(fields.tm_min), 2)):"
            + "\(padded(Int64(fields.tm_sec), 2)).\(micro)"
    }

    private func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
