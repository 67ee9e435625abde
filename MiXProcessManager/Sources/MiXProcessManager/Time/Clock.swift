import Glibc

/// The clocks of the site: the host's.
struct Clock: Sendable {
    func monotonic() -> UInt64 { read(CLOCK_MONOTONIC) }
    func realTime() -> UInt64 { read(CLOCK_REALTIME) }

    func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
