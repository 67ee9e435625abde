import Glibc

/// The time of day of an event.
struct TraceClock {
    /// CLOCK_REALTIME minus CLOCK_MONOTONIC, ns.
    let epoch: Int64

    static var now: TraceClock { TraceClock(epoch: nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_MONOTONIC)) }

    static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var now = timespec()
        clock_gettime(clock, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }

    /// Local time of day, to the microsecond.
    func text(_ monotonic: UInt64) -> String {
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
