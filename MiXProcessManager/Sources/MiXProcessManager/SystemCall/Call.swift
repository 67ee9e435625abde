import ActorKit
import CChorus

/// One system call as its handler sees it. Valid only while the handler runs.
struct Call {
    let manager: ProcessManager
    let task: Task
    let process: Process
    let number: UInt64

    /// Arguments 0...5 (rdi rsi rdx r10 r8 r9).
    subscript(index: Int) -> UInt64 {
        let args = task.frame.args
        switch index {
        case 0: return args.0
        case 1: return args.1
        case 2: return args.2
        case 3: return args.3
        case 4: return args.4
        default: return args.5
        }
    }
    /// Argument as the C `int` it is declared as.
    func int(_ index: Int) -> Int32 { Int32(truncatingIfNeeded: self[index]) }
    func uint(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: self[index]) }
    func long(_ index: Int) -> Int64 { Int64(bitPattern: self[index]) }

    var nucleus: Nucleus { manager.nucleus }
    var thread: KnThreadLid { task.thread }

    // MARK: waiting

    /// The handler has run before for this system call (`kept` tells what it did).
    var redispatched: Bool { task.redispatched }
    /// Run again because the deadline of the wait has passed.
    var timedOut: Bool { task.timedOut }
    /// Run again because a signal came: complete if something was achieved (a partial count), else park again, which
    /// the dispatcher turns into EINTR or a restart.
    var interrupted: Bool { task.interrupted }
    /// The handler's own state across re-dispatches of one call.
    var kept: AnyObject? {
        get { task.kept }
        nonmutating set { task.kept = newValue }
    }
    /// The absolute deadline of this call: fixed by the first call of this method, the same ever after.
    func deadline(after nanoseconds: UInt64) -> UInt64 {
        if let deadline = task.deadline { return deadline }
        let (sum, overflow) = manager.clock.monotonic().addingReportingOverflow(nanoseconds)
        let deadline = overflow ? UInt64.max : sum
        task.deadline = deadline
        return deadline
    }
    /// Call under the lock that guards the condition, before returning `.park` with the same queue.
    func enlist(on queue: WaitQueue, tag: UInt64 = 0) { task.enlist(on: queue, tag: tag) }

    // MARK: guest memory

    func copyIn(_ address: UInt64, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        guard buffer.count > 0 else { return }
        try manager.check(nucleus.svCopyIn(thread, address, buffer.baseAddress, UInt32(buffer.count)), memory: true)
    }
    func copyIn(_ address: UInt64, count: Int) throws(Errno) -> [UInt8] {
        guard count > 0 else { return [] }
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            code = nucleus.svCopyIn(thread, address, buffer.baseAddress, UInt32(count))
            initialized = code < 0 ? 0 : count
        }
        try manager.check(code, memory: true)
        return bytes
    }
    /// Result data travels with the resumption of the thread (a bad address turns the result into -EFAULT there).
    func copyOut(_ buffer: UnsafeRawBufferPointer, to address: UInt64) throws(Errno) {
        guard buffer.count > 0 else { return }
        let code = nucleus.svCopyOut(thread, buffer.baseAddress, address, UInt32(buffer.count), K_COPY_DEFER)
        try manager.check(code, memory: true)
    }
    func copyOut(_ bytes: [UInt8], to address: UInt64) throws(Errno) {
        let code = bytes.isEmpty ? 0 : nucleus.svCopyOut(thread, bytes, address, UInt32(bytes.count), K_COPY_DEFER)
        try manager.check(code, memory: true)
    }
    /// Writes now, so that a bad address is known before the call has side effects.
    func copyOutNow(_ buffer: UnsafeRawBufferPointer, to address: UInt64) throws(Errno) {
        guard buffer.count > 0 else { return }
        try manager.check(
            nucleus.svCopyOut(thread, buffer.baseAddress, address, UInt32(buffer.count), 0), memory: true)
    }
    /// A NUL-terminated string without its NUL; ENAMETOOLONG beyond `limit` bytes.
    func copyString(_ address: UInt64, limit: Int = 4096) throws(Errno) -> [UInt8] {
        var size = UInt32(limit)
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, initialized in
            code = nucleus.svCopyInString(thread, address, buffer.baseAddress, &size)
            initialized = code < 0 || size == 0 ? 0 : min(Int(size), limit) - 1
        }
        if code == K_ETOOBIG { throw .ENAMETOOLONG }
        try manager.check(code, memory: true)
        return bytes
    }
    func readStruct<T: BitwiseCopyable>(_ type: T.Type, at address: UInt64) throws(Errno) -> T {
        var code: Int32 = 0
        let value = withUnsafeTemporaryAllocation(of: T.self, capacity: 1) { buffer -> T in
            let raw = UnsafeMutableRawPointer(buffer.baseAddress.unsafelyUnwrapped)
            raw.initializeMemory(as: UInt8.self, repeating: 0, count: MemoryLayout<T>.size)
            code = nucleus.svCopyIn(thread, address, raw, UInt32(MemoryLayout<T>.size))
            return raw.load(as: T.self)
        }
        try manager.check(code, memory: true)
        return value
    }
    func writeStruct<T: BitwiseCopyable>(_ value: T, at address: UInt64) throws(Errno) {
        let code = withUnsafeBytes(of: value) {
            nucleus.svCopyOut(thread, $0.baseAddress, address, UInt32($0.count), K_COPY_DEFER)
        }
        try manager.check(code, memory: true)
    }
}

typealias SystemCallHandler = @Sendable (Call) throws(Errno) -> Outcome
