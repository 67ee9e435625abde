import CMiXFile
import Glibc

/// timerfd_create(2): a timer whose expirations are read.
final class TimerFile: OpenDescription, @unchecked Sendable {
    // Sendable: `setting` and `node` are guarded by `lock`.
    private struct Setting {
        /// CLOCK_MONOTONIC ns of the next expiration; 0: disarmed.
        var next: UInt64 = 0
        var interval: UInt64 = 0
        /// Expirations that were counted but not read.
        var unread: UInt64 = 0
    }

    private let lock = Lock()
    private var setting = Setting()
    private var node: TimerNode?
    /// Counts settings: a timer of an older one that fires late is void.
    private var round: UInt64 = 0
    private let isRealTime: Bool
    private let source = PollSource()

    init(_ manager: ProcessManager, isRealTime: Bool, flags: UInt32) {
        self.isRealTime = isRealTime
        super.init(manager, flags: FileFlags.readWrite | flags)
    }

    override var mode: UInt32 { 0o600 }

    override func closed() { rearm(Setting()) }

    /// Replaces the setting and the armed deadline.
    private func rearm(_ fresh: Setting) {
        let (old, now) = lock.withLock { () -> (TimerNode?, UInt64) in
            let old = node
            setting = fresh
            node = nil
            round += 1
            return (old, round)
        }
        if let old { manager.timers.cancel(old) }
        arm(fresh.next, now)
    }

    private func arm(_ deadline: UInt64, _ armed: UInt64) {
        if deadline == 0 { return }
        let fresh = manager.timers.arm(at: deadline) { [weak self] in self?.expired(armed) }
        lock.withLock { if round == armed { node = fresh } }
    }

    private func expired(_ armed: UInt64) {
        let again = lock.withLock { () -> UInt64? in
            guard round == armed else { return nil }
            count(manager.clock.monotonic())
            return setting.next
        }
        guard let again else { return }
        source.notify()
        arm(again, armed)
    }

    /// Under the lock: moves what is due into the count.
    private func count(_ now: UInt64) {
        guard setting.next != 0, setting.next <= now else { return }
        if setting.interval == 0 {
            setting.unread += 1
            setting.next = 0
        } else {
            let times = (now - setting.next) / setting.interval + 1
            setting.unread += times
            setting.next += times * setting.interval
        }
    }

    override func read(_ call: Call, _ ranges: UserRanges, at offset: Int64?) throws(Errno) -> Outcome {
        if offset != nil { throw .ESPIPE }
        guard ranges.total >= 8 else { throw .EINVAL }
        let wait = !isNonBlocking
        let times = lock.withLock { () -> UInt64 in
            count(manager.clock.monotonic())
            let times = setting.unread
            setting.unread = 0
            if times == 0 && wait { call.enlist(on: source.queue) }
            return times
        }
        if times == 0 {
            if !wait { throw .EAGAIN }
            return .park(Wait(on: [source.queue], for: "timerfd_read"))
        }
        try withUnsafeBytes(of: times) { bytes in Result { () throws(Errno) in try call.scatter(bytes, to: ranges) } }
            .get()
        return .done(8)
    }

    override func seek(_ offset: Int64, _ whence: Int32) throws(Errno) -> Int64 { Self.noPosition }
    override var isPollable: Bool { true }
    override func poll(_ mask: UInt32, arm: Bool) -> UInt32 {
        let isReady = lock.withLock {
            count(manager.clock.monotonic())
            return setting.unread > 0
        }
        return isReady ? PollBits.readable & mask : 0
    }
    override func forEachSource(_ body: (PollSource) -> Void) { body(source) }

    override func stat(_ cred: MixCred) throws(Errno) -> MixStat { .anonymous(number, mode: mode) }
    override func linkText(_ root: MixKey) -> [UInt8] { [UInt8]("anon_inode:[timerfd]".utf8) }

    // MARK: System calls

    /// `struct itimerspec`.
    private struct Specification: BitwiseCopyable {
        var interval: PollCalls.Timespec
        var value: PollCalls.Timespec
    }

    static let table: [(Int, String, SystemCallHandler)] = [
        (
            283, "timerfd_create",
            { (call) throws(Errno) in
                let flags = call.uint(1)
                if flags & ~(FileFlags.nonBlocking | FileFlags.closeOnExec) != 0 { throw .EINVAL }
                guard [CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, 8, 9].contains(call.int(0)) else {
                    throw .EINVAL
                }
                let file = TimerFile(
                    call.manager, isRealTime: call.int(0) == CLOCK_REALTIME || call.int(0) == 8,
                    flags: flags & FileFlags.nonBlocking)
                return .done(value: try call.install(file, closeOnExec: flags & FileFlags.closeOnExec != 0))
            }
        ),
        (
            286, "timerfd_settime",
            { (call) throws(Errno) in
                guard let file = try call.openDescription(0) as? TimerFile else { throw .EINVAL }
                if call.uint(1) & ~3 != 0 { throw .EINVAL }
                let wanted = try call.readStruct(Specification.self, at: call[2])
                for time in [wanted.value, wanted.interval] {
                    guard time.seconds >= 0, 0..<1_000_000_000 ~= time.nanoseconds else { throw .EINVAL }
                }
                if call[3] != 0 { try call.writeNow(file.current(), at: call[3]) }
                file.set(wanted, isAbsolute: call.uint(1) & 1 != 0)
                return .zero
            }
        ),
        (
            287, "timerfd_gettime",
            { (call) throws(Errno) in
                guard let file = try call.openDescription(0) as? TimerFile else { throw .EINVAL }
                try call.writeStruct(file.current(), at: call[1])
                return .zero
            }
        ),
    ]

    private func current() -> Specification {
        let now = manager.clock.monotonic()
        let (left, interval) = lock.withLock { () -> (UInt64, UInt64) in
            count(now)
            return (setting.next > now ? setting.next - now : 0, setting.interval)
        }
        func time(_ value: UInt64) -> PollCalls.Timespec {
            PollCalls.Timespec(seconds: Int64(value / 1_000_000_000), nanoseconds: Int64(value % 1_000_000_000))
        }
        return Specification(interval: time(interval), value: time(left))
    }

    private func set(_ wanted: Specification, isAbsolute: Bool) {
        func nanoseconds(_ time: PollCalls.Timespec) -> UInt64 {
            min(UInt64(time.seconds), 1 << 33) * 1_000_000_000 + UInt64(time.nanoseconds)
        }
        var fresh = Setting()
        let value = nanoseconds(wanted.value)
        if value != 0 {
            let now = manager.clock.monotonic()
            fresh.interval = nanoseconds(wanted.interval)
            if !isAbsolute {
                fresh.next = now + value
            } else if isRealTime {
                let wall = manager.clock.realTime()
                fresh.next = value > wall ? now + (value - wall) : now
            } else {
                fresh.next = value
            }
        }
        rearm(fresh)
    }
}
