import CChorus
import Glibc

/// futex_waitv(2): waits at several words at once.
enum FutexWaitv {
    /// `struct futex_waitv`.
    private struct Word: BitwiseCopyable {
        var value: UInt64 = 0
        var address: UInt64 = 0
        var flags: UInt32 = 0
        var reserved: UInt32 = 0
    }
    private static let most: UInt64 = 128, size32: UInt32 = 2, sizeMask: UInt32 = 3, privateFlag: UInt32 = 128

    /// Where it waits, kept across re-dispatches.
    private final class Waits {
        let queues: [WaitQueue]
        init(_ queues: [WaitQueue]) { self.queues = queues }
    }

    @Sendable static func wait(_ call: Call) throws(Errno) -> Outcome {
        if let waits = call.kept as? Waits {
            if let index = waits.queues.firstIndex(where: { $0 === call.task.wokenBy }) { return .done(Int64(index)) }
            if call.timedOut { throw .ETIMEDOUT }
            return park(waits, call.task.deadline)
        }
        guard call.uint(2) == 0, call[0] != 0, 1...most ~= call[1] & 0xffff_ffff else { throw .EINVAL }
        let bytes = try call.copyIn(call[0], count: Int(call.uint(1)) * MemoryLayout<Word>.size)
        let words = bytes.withUnsafeBytes { Array($0.bindMemory(to: Word.self)) }
        let deadline = try limit(call)
        let manager = call.manager
        let keys = try words.map { (word) throws(Errno) -> FutexKey in
            guard word.flags & ~(sizeMask | privateFlag) == 0, word.flags & sizeMask == size32, word.reserved == 0,
                word.address % 4 == 0
            else { throw .EINVAL }
            return manager.futexKey(call.process, word.address, isPrivate: word.flags & privateFlag != 0)
        }
        let waits = try manager.futexes.lock.withLock { () throws(Errno) -> Waits in
            for word in words
            where try call.readStruct(UInt32.self, at: word.address) != UInt32(truncatingIfNeeded: word.value) {
                throw .EAGAIN
            }
            let queues = keys.map { manager.futexes.queueLocked($0) }
            for queue in queues { call.enlist(on: queue, tag: UInt64(UInt32.max)) }
            return Waits(queues)
        }
        call.kept = waits
        return park(waits, deadline)
    }

    private static func park(_ waits: Waits, _ deadline: UInt64?) -> Outcome {
        .park(Wait(on: waits.queues, until: deadline, restart: .restart, for: "futex_wait_multiple"))
    }

    private static func limit(_ call: Call) throws(Errno) -> UInt64? {
        guard call[3] != 0 else { return nil }
        let clock = call.int(4)
        guard clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME else { throw .EINVAL }
        let value = try TimeCalls.duration(call, call[3])
        let now = call.manager.clock.read(clock)
        return call.deadline(after: value > now ? value - now : 0)
    }
}
