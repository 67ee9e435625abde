import CMiXFile
import Synchronization

/// signalfd(2): signals of the reader, taken by reading. Polls look at the process that made it or last read it.
final class SignalFile: OpenDescription, @unchecked Sendable {
    // Sendable: the state is guarded by a lock.
    private struct State {
        var wanted: SignalSet
        weak var process: Process?
    }
    private let state: Mutex<State>

    init(_ manager: ProcessManager, _ process: Process, wanted: SignalSet, flags: UInt32) {
        state = Mutex(State(wanted: wanted, process: process))
        super.init(manager, flags: FileFlags.readWrite | flags)
    }

    override var mode: UInt32 { 0o600 }

    override func read(_ call: Call, _ ranges: UserRanges, at offset: Int64?) throws(Errno) -> Outcome {
        if offset != nil { throw .ESPIPE }
        let room = ranges.total / SignalInfo.size
        guard room > 0 else { throw .EINVAL }
        let wait = !isNonBlocking
        let wanted = state.withLock { now in
            now.process = call.process
            return now.wanted
        }
        let infos = call.manager.withTree { () -> [SignalInfo] in
            var infos: [SignalInfo] = []
            while infos.count < min(room, 64),
                let info = call.task.pending.take(wanted) ?? call.process.pending.take(wanted)
            {
                infos.append(info)
            }
            if infos.isEmpty {
                if wait { call.enlist(on: call.process.signalQueue) }
            } else {
                call.manager.recalculateLocked(call.task)
            }
            return infos
        }
        if infos.isEmpty {
            if !wait { throw .EAGAIN }
            return .park(Wait(on: [call.process.signalQueue], for: "signalfd_dequeue"))
        }
        let bytes = infos.flatMap(Self.encoded)
        try bytes.withUnsafeBytes { raw in Result { () throws(Errno) in try call.scatter(raw, to: ranges) } }.get()
        return .done(Int64(bytes.count))
    }

    /// `struct signalfd_siginfo`.
    static func encoded(_ info: SignalInfo) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: SignalInfo.size)
        bytes.withUnsafeMutableBytes { raw in
            func put<T: FixedWidthInteger>(_ value: T, _ offset: Int) {
                raw.storeBytes(of: value, toByteOffset: offset, as: T.self)
            }
            put(info.signal, 0)
            put(info.errno, 4)
            put(info.code, 8)
            func sender(_ pid: Int32, _ uid: UInt32) {
                put(pid, 12)
                put(uid, 16)
            }
            func payload(_ value: UInt64) {
                put(Int32(truncatingIfNeeded: value), 44)
                put(value, 48)
            }
            switch info.detail {
            case .sender(let pid, let uid, let value):
                sender(pid, uid)
                payload(value)
            case .child(let pid, let uid, let status, let user, let system):
                sender(pid, uid)
                put(status, 40)
                put(user, 56)
                put(system, 64)
            case .fault(let address): put(address, 72)
            case .timer(let id, let overrun, let value):
                put(id, 24)
                put(overrun, 32)
                payload(value)
            case .systemCall(let address, let number):
                put(number, 84)
                put(address, 88)
                put(UInt32(0xc000_003e), 96)
            case .poll(let band, let descriptor):
                put(Int32(truncatingIfNeeded: band), 28)
                put(descriptor, 20)
            case .raw(let rest):
                // Of sigqueue(3): si_pid, si_uid and si_value at 16, 20 and 24 of siginfo_t.
                guard rest.count >= 16 else { break }
                rest.withUnsafeBytes { given in
                    sender(given.load(as: Int32.self), given.load(fromByteOffset: 4, as: UInt32.self))
                    payload(given.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                }
            }
        }
        return bytes
    }

    override func seek(_ offset: Int64, _ whence: Int32) throws(Errno) -> Int64 { Self.noPosition }
    override var isPollable: Bool { true }
    override func poll(_ mask: UInt32, arm: Bool) -> UInt32 {
        let (wanted, process) = state.withLock { ($0.wanted, $0.process) }
        guard let process else { return 0 }
        let pending = manager.tree.withLock {
            process.tasks.reduce(process.pending.set) { $0.union($1.pending.set) }
        }
        return pending.bits & wanted.bits != 0 ? PollBits.readable & mask : 0
    }
    override func forEachSource(_ body: (PollSource) -> Void) {
        if let process = state.withLock({ $0.process }) { body(process.signalSource) }
    }

    override func stat(_ cred: MixCred) throws(Errno) -> MixStat { .anonymous(number, mode: mode) }
    override func linkText(_ root: MixKey) -> [UInt8] { [UInt8]("anon_inode:[signalfd]".utf8) }
    override var infoLines: String {
        let text = String(state.withLock { $0.wanted.bits }, radix: 16)
        return "sigmask:\t\(String(repeating: "0", count: 16 - text.count))\(text)\n"
    }

    // MARK: System calls

    static let table: [(Int, String, SystemCallHandler)] = [
        (282, "signalfd", { (call) throws(Errno) in try make(call, 0) }),
        (289, "signalfd4", { (call) throws(Errno) in try make(call, call.uint(3)) }),
    ]

    private static func make(_ call: Call, _ flags: UInt32) throws(Errno) -> Outcome {
        guard flags & ~(FileFlags.nonBlocking | FileFlags.closeOnExec) == 0, call[2] == 8 else { throw .EINVAL }
        let wanted = SignalSet(bits: try call.readStruct(UInt64.self, at: call[1])).subtracting(.unblockable)
        if call.int(0) == -1 {
            let file = SignalFile(call.manager, call.process, wanted: wanted, flags: flags & FileFlags.nonBlocking)
            return .done(value: try call.install(file, closeOnExec: flags & FileFlags.closeOnExec != 0))
        }
        guard let file = try call.openDescription(0) as? SignalFile else { throw .EINVAL }
        file.state.withLock { $0.wanted = wanted }
        // What is pending already may be wanted now.
        call.manager.withTree { call.process.signalSource.notify() }
        return .done(value: call.int(0))
    }
}
