/// siginfo_t without its padding.
struct SignalInfo: Equatable {
    var signal: Int32
    var code: Int32
    var errno: Int32 = 0
    /// The bytes behind the header, by kind.
    var detail: Detail = .sender(pid: 0, uid: 0, value: 0)

    enum Detail: Equatable {
        /// kill, tgkill, rt_sigqueueinfo: si_pid, si_uid, si_value
        case sender(pid: Int32, uid: UInt32, value: UInt64)
        /// SIGCHLD: si_pid, si_uid, si_status, si_utime, si_stime
        case child(pid: Int32, uid: UInt32, status: Int32, user: Int64, system: Int64)
        /// faults: si_addr
        case fault(address: UInt64)
        /// timers: si_timerid, si_overrun, si_value
        case timer(id: Int32, overrun: Int32, value: UInt64)
        /// SIGSYS of seccomp(2): si_call_addr, si_syscall, si_arch
        case systemCall(address: UInt64, number: Int32)
        /// SIGIO, SIGPOLL: si_band, si_fd
        case poll(band: Int64, descriptor: Int32)
        /// rt_sigqueueinfo: what the caller gave (bytes 16...127)
        case raw([UInt8])
    }

    static let user: Int32 = 0, kernel: Int32 = 0x80, queue: Int32 = -1, timer: Int32 = -2, messageQueue: Int32 = -3
    static let thread: Int32 = -6

    static func kernel(_ signal: Int32) -> SignalInfo { SignalInfo(signal: signal, code: kernel) }
    static func from(_ process: Process, _ signal: Int32, code: Int32 = user) -> SignalInfo {
        SignalInfo(
            signal: signal, code: code,
            detail: .sender(pid: process.pid, uid: process.credentials.uid, value: 0))
    }

    static let size = 128
    /// The 128 bytes of siginfo_t (x86-64 layout: union at 16).
    func encode(into bytes: UnsafeMutableRawBufferPointer) {
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        bytes.storeBytes(of: signal, toByteOffset: 0, as: Int32.self)
        bytes.storeBytes(of: errno, toByteOffset: 4, as: Int32.self)
        bytes.storeBytes(of: code, toByteOffset: 8, as: Int32.self)
        switch detail {
        case .sender(let pid, let uid, let value):
            bytes.storeBytes(of: pid, toByteOffset: 16, as: Int32.self)
            bytes.storeBytes(of: uid, toByteOffset: 20, as: UInt32.self)
            bytes.storeBytes(of: value, toByteOffset: 24, as: UInt64.self)
        case .child(let pid, let uid, let status, let user, let system):
            bytes.storeBytes(of: pid, toByteOffset: 16, as: Int32.self)
            bytes.storeBytes(of: uid, toByteOffset: 20, as: UInt32.self)
            bytes.storeBytes(of: status, toByteOffset: 24, as: Int32.self)
            bytes.storeBytes(of: user, toByteOffset: 32, as: Int64.self)
            bytes.storeBytes(of: system, toByteOffset: 40, as: Int64.self)
        case .fault(let address):
            bytes.storeBytes(of: address, toByteOffset: 16, as: UInt64.self)
        case .timer(let id, let overrun, let value):
            bytes.storeBytes(of: id, toByteOffset: 16, as: Int32.self)
            bytes.storeBytes(of: overrun, toByteOffset: 20, as: Int32.self)
            bytes.storeBytes(of: value, toByteOffset: 24, as: UInt64.self)
        case .systemCall(let address, let number):
            bytes.storeBytes(of: address, toByteOffset: 16, as: UInt64.self)
            bytes.storeBytes(of: number, toByteOffset: 24, as: Int32.self)
            bytes.storeBytes(of: 0xc000_003e, toByteOffset: 28, as: UInt32.self)  // AUDIT_ARCH_X86_64
        case .poll(let band, let descriptor):
            bytes.storeBytes(of: band, toByteOffset: 16, as: Int64.self)
            bytes.storeBytes(of: descriptor, toByteOffset: 24, as: Int32.self)
        case .raw(let rest):
            for (index, byte) in rest.prefix(Self.size - 16).enumerated() { bytes[16 + index] = byte }
        }
    }
    func encoded() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.size) { buffer, count in
            encode(into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: Self.size))
            count = Self.size
        }
    }

    /// From the 128 bytes of a caller (rt_sigqueueinfo).
    init(bytes: [UInt8], signal: Int32) {
        func word(_ offset: Int) -> Int32 {
            bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Int32.self) }
        }
        self.signal = signal
        errno = word(4)
        code = word(8)
        detail = .raw(Array(bytes[16..<min(bytes.count, Self.size)]))
    }
    init(signal: Int32, code: Int32, errno: Int32 = 0, detail: Detail = .sender(pid: 0, uid: 0, value: 0)) {
        self.signal = signal
        self.code = code
        self.errno = errno
        self.detail = detail
    }
}

/// Pending signals: standard ones once each, real-time ones queued (signal(7)).
struct SignalQueue {
    private(set) var set = SignalSet()
    private var infos: [SignalInfo] = []

    var queued: Int { infos.count }

    /// False where a real-time signal would exceed `limit`.
    mutating func post(_ info: SignalInfo, limit: Int = .max) -> Bool {
        if info.signal < Signal.firstRealTime {
            if set.contains(info.signal) { return true }
        } else if infos.count >= limit {
            // sigqueue(3) gives EAGAIN; of kill(2) only what is known of the sender is lost.
            guard info.code == SignalInfo.user else { return false }
            set.insert(info.signal)
            return true
        }
        set.insert(info.signal)
        infos.append(info)
        return true
    }
    func hasTimer(_ id: Int32) -> Bool {
        infos.contains { info in
            guard info.code == SignalInfo.timer, case .timer(id, _, _) = info.detail else { return false }
            return true
        }
    }

    /// Where a signal of this timer is pending, it stands for `count` expirations more; how many besides the first.
    mutating func addOverrun(ofTimer id: Int32, _ count: Int32) -> Int32? {
        for index in infos.indices where infos[index].code == SignalInfo.timer {
            guard case .timer(id, let overrun, let value) = infos[index].detail else { continue }
            let sum = overrun.addingReportingOverflow(count)
            let total = sum.overflow ? Int32.max : sum.partialValue
            infos[index].detail = .timer(id: id, overrun: total, value: value)
            return total
        }
        return nil
    }

    /// Takes the first pending signal of `wanted`: synchronous ones first, then by number, each in order of arrival.
    mutating func take(_ wanted: SignalSet) -> SignalInfo? {
        let candidates = SignalSet(bits: set.bits & wanted.bits)
        let urgent = SignalSet(bits: candidates.bits & SignalSet.synchronous.bits)
        guard let signal = urgent.first ?? candidates.first else { return nil }
        guard let index = infos.firstIndex(where: { $0.signal == signal }) else {
            set.remove(signal)
            return SignalInfo(signal: signal, code: SignalInfo.user)
        }
        let info = infos.remove(at: index)
        if !infos.contains(where: { $0.signal == signal }) { set.remove(signal) }
        return info
    }
    private func isOf(_ info: SignalInfo, timer: Int32) -> Bool {
        if case .timer(let id, _, _) = info.detail { id == timer } else { false }
    }
    mutating func discardTimer(_ timer: Int32) {
        guard let index = infos.firstIndex(where: { isOf($0, timer: timer) }) else { return }
        let signal = infos.remove(at: index).signal
        if !infos.contains(where: { $0.signal == signal }) { set.remove(signal) }
    }
    mutating func discard(_ signals: SignalSet) {
        guard set.bits & signals.bits != 0 else { return }
        set = set.subtracting(signals)
        infos.removeAll { signals.contains($0.signal) }
    }
}
