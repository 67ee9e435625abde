import CProcessHost
import Glibc

/// settimeofday(2), clock_settime(2), adjtimex(2): the clock is the host's. It is read like any, and set by none: no process
/// has CAP_SYS_TIME.
enum SetClockCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (159, "adjtimex", { (call) throws(Errno) in try adjust(call, call[0]) }),
        (164, "settimeofday", setTimeOfDay), (227, "clock_settime", setClock), (305, "clock_adjtime", adjustClock),
    ]

    @Sendable private static func setTimeOfDay(_ call: Call) throws(Errno) -> Outcome {
        if call[0] != 0 {
            let time = try call.readStruct((Int64, Int64).self, at: call[0])
            guard time.0 >= 0, 0..<1_000_000 ~= time.1 else { throw .EINVAL }
        }
        if call[1] != 0 {
            let zone = try call.readStruct((Int32, Int32).self, at: call[1])
            guard abs(Int(zone.0)) <= 15 * 60 else { throw .EINVAL }
        }
        if call[0] == 0, call[1] == 0 { return .zero }
        throw .EPERM
    }

    @Sendable private static func setClock(_ call: Call) throws(Errno) -> Outcome {
        let clock = call.int(0)
        guard clock == CLOCK_REALTIME || clock < 0 else { throw .EINVAL }
        let time = try call.readStruct((Int64, Int64).self, at: call[1])
        guard clock == CLOCK_REALTIME || TimeCalls.cpuClock(call, clock) != nil else { throw .EINVAL }
        guard time.0 >= 0, 0..<1_000_000_000 ~= time.1 else { throw .EINVAL }
        throw .EPERM
    }

    @Sendable private static func adjustClock(_ call: Call) throws(Errno) -> Outcome {
        let clock = call.int(0)
        guard clock == CLOCK_REALTIME else { throw 0...11 ~= clock && clock != 10 ? .EOPNOTSUPP : .EINVAL }
        return try adjust(call, call[1])
    }

    /// `struct timex`, 208 bytes, `modes` first.
    private static func adjust(_ call: Call, _ address: UInt64) throws(Errno) -> Outcome {
        var bytes = try call.copyIn(address, count: 208)
        let modes = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
        let readsOnly: UInt32 = 0xa001  // ADJ_OFFSET_SS_READ
        guard modes == 0 || modes == readsOnly else { throw .EPERM }
        let state = bytes.withUnsafeMutableBytes { pm_adjtimex($0.baseAddress, modes) }
        guard state >= 0 else { throw .EINVAL }
        try call.copyOut(bytes, to: address)
        return .done(value: state)
    }
}
