import CChorus

/// futex(2), robust lists.
enum FutexCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (202, "futex", futex), (273, "set_robust_list", setRobustList), (274, "get_robust_list", getRobustList),
    ]
    private static let privateFlag: UInt32 = 128, realTime: UInt32 = 256
    private static let waitOp: UInt32 = 0, wakeOp: UInt32 = 1, requeueOp: UInt32 = 3, compareRequeue: UInt32 = 4
    private static let wakeOperation: UInt32 = 5, waitBitset: UInt32 = 9, wakeBitset: UInt32 = 10

    @Sendable static func futex(_ call: Call) throws(Errno) -> Outcome {
        let operation = call.uint(1)
        let isPrivate = operation & privateFlag != 0
        let address = call[0]
        guard address % 4 == 0 else { throw .EINVAL }
        let manager = call.manager
        let key = manager.futexKey(call.process, address, isPrivate: isPrivate)
        switch operation & ~(privateFlag | realTime) {
        case waitOp: return try wait(call, key, bits: .max, isAbsolute: false, operation)
        case waitBitset: return try wait(call, key, bits: call.uint(5), isAbsolute: true, operation)
        case wakeOp: return .done(value: manager.futexWake(key, Int(max(call.int(2), 1)), bits: .max))
        case wakeBitset:
            guard call.uint(5) != 0 else { throw .EINVAL }
            return .done(value: manager.futexWake(key, Int(max(call.int(2), 1)), bits: call.uint(5)))
        case requeueOp, compareRequeue:
            guard call[4] % 4 == 0, call.int(2) >= 0, call.int(3) >= 0 else { throw .EINVAL }
            if operation & ~(privateFlag | realTime) == compareRequeue {
                guard try call.readStruct(UInt32.self, at: address) == call.uint(5) else { throw .EAGAIN }
            }
            let target = manager.futexKey(call.process, call[4], isPrivate: isPrivate)
            return .done(value: requeue(manager, key, target, Int(call.int(2)), Int(call.int(3))))
        case wakeOperation: return try wakeWithOperation(call, key, isPrivate)
        default: throw .ENOSYS
        }
    }

    private static func wait(
        _ call: Call, _ key: FutexKey, bits: UInt32, isAbsolute: Bool, _ operation: UInt32
    ) throws(Errno) -> Outcome {
        guard bits != 0 else { throw .EINVAL }
        // Run again: by a wake-up, which is the end of it, or by the clock. A signal leaves it waiting.
        if call.timedOut { throw .ETIMEDOUT }
        if let state = call.kept as? FutexWait {
            if state.wasWoken { return .zero }
            // Requeued words have another queue, so the value is not looked at again.
        }
        var deadline: UInt64?
        if call[3] != 0 {
            let value = try TimeCalls.duration(call, call[3])
            if isAbsolute {
                let now = operation & realTime != 0 ? call.manager.clock.realTime() : call.manager.clock.monotonic()
                deadline = call.deadline(after: value > now ? value - now : 0)
            } else {
                deadline = call.deadline(after: value)
            }
        }
        let futexes = call.manager.futexes
        // The word is read with the queue's lock held, so that a waker that changed it finds us.
        let queue = try futexes.lock.withLock { () throws(Errno) -> WaitQueue in
            guard try call.readStruct(UInt32.self, at: call[0]) == call.uint(2) else { throw .EAGAIN }
            let queue = futexes.queueLocked(key)
            call.enlist(on: queue, tag: UInt64(bits))
            return queue
        }
        call.kept = FutexWait(call.task)
        return .park(Wait(on: [queue], until: deadline, restart: .restart, for: "futex_wait"))
    }

    private static func requeue(
        _ manager: ProcessManager, _ from: FutexKey, _ to: FutexKey, _ wakes: Int, _ moves: Int
    ) -> Int {
        manager.futexes.lock.withLock {
            guard let queue = manager.futexes.knownLocked(from) else { return 0 }
            let woken = queue.wake(wakes)
            guard moves > 0, from != to else { return woken }
            return woken + queue.requeue(moves, to: manager.futexes.queueLocked(to))
        }
    }

    /// FUTEX_WAKE_OP: an atomic change of the second word decides over its waiters.
    private static func wakeWithOperation(_ call: Call, _ key: FutexKey, _ isPrivate: Bool) throws(Errno) -> Outcome {
        guard call[4] % 4 == 0 else { throw .EINVAL }
        let code = call.uint(5)
        var operand = Int32(bitPattern: code << 8) >> 20
        let comparand = Int32(bitPattern: code << 20) >> 20
        if code >> 31 != 0 { operand = Int32(truncatingIfNeeded: 1 << (UInt32(bitPattern: operand) & 31)) }
        let manager = call.manager
        // Against other futex calls it is atomic; the guest's own atomic instructions may come in between, as they
        // could on another processor just before.
        let old = try manager.futexes.lock.withLock { () throws(Errno) -> Int32 in
            let old = try call.readStruct(Int32.self, at: call[4])
            var new: Int32
            switch code >> 28 & 7 {
            case 0: new = operand
            case 1: new = old &+ operand
            case 2: new = old | operand
            case 3: new = old & ~operand
            case 4: new = old ^ operand
            default: throw .ENOSYS
            }
            try withUnsafeBytes(of: &new) { (bytes) throws(Errno) in try call.copyOutNow(bytes, to: call[4]) }
            return old
        }
        let holds: Bool
        switch code >> 24 & 15 {
        case 0: holds = old == comparand
        case 1: holds = old != comparand
        case 2: holds = old < comparand
        case 3: holds = old <= comparand
        case 4: holds = old > comparand
        case 5: holds = old >= comparand
        default: throw .ENOSYS
        }
        var woken = manager.futexWake(key, Int(max(call.int(2), 1)), bits: .max)
        if holds {
            let second = manager.futexKey(call.process, call[4], isPrivate: isPrivate)
            woken += manager.futexWake(second, Int(max(Int32(truncatingIfNeeded: call[3]), 1)), bits: .max)
        }
        return .done(value: woken)
    }

    @Sendable static func setRobustList(_ call: Call) throws(Errno) -> Outcome {
        guard call[1] == 24 else { throw .EINVAL }
        call.task.robustList = call[0]
        call.task.robustListSize = call[1]
        return .zero
    }
    @Sendable static func getRobustList(_ call: Call) throws(Errno) -> Outcome {
        let pid = call.int(0)
        guard let task = pid == 0 ? call.task : call.manager.tree.withLock({ call.manager.tasks[pid] }) else {
            throw .ESRCH
        }
        try call.writeStruct(task.robustList, at: call[1])
        try call.writeStruct(UInt64(24), at: call[2])
        return .zero
    }
}

/// Marks a futex wait across re-dispatches: run again without time-out or signal means woken.
final class FutexWait {
    private unowned let task: Task
    init(_ task: Task) { self.task = task }
    var wasWoken: Bool { !task.timedOut && !task.interrupted }
}

extension ProcessManager {
    /// Private words belong to the address space (which vfork children share); words in shared mappings to the place
    /// in the file, or for shared anonymous memory to the address, which forked processes have in common.
    func futexKey(_ process: Process, _ address: UInt64, isPrivate: Bool) -> FutexKey {
        let space = process.memory
        let own = UInt64(UInt(bitPattern: Unmanaged.passUnretained(space).toOpaque()))
        if isPrivate { return FutexKey(object: own, offset: address, isShared: false) }
        guard let area = space.lock.withLock({ space.map.area(at: address) }), area.isShared else {
            return FutexKey(object: own, offset: address, isShared: false)
        }
        let offset = address - area.start + area.offset
        if let file = area.file as? any MappedFile {
            let ui = file.mappedSegment.ui
            return FutexKey(object: UInt64(ui.uiHead) << 32 | UInt64(ui.uiTail), offset: offset, isShared: true)
        }
        return FutexKey(object: 1, offset: address, isShared: true)
    }

    func futexWake(_ key: FutexKey, _ count: Int, bits: UInt32) -> Int {
        futexes.lock.withLock {
            futexes.knownLocked(key)?.wake(count) { UInt32(truncatingIfNeeded: $0) & bits != 0 } ?? 0
        }
    }

    /// For CLEARTID: as FUTEX_WAKE on a word that may be private or shared.
    func futexWake(_ process: Process, _ address: UInt64, _ count: Int) {
        _ = futexWake(futexKey(process, address, isPrivate: true), count, bits: .max)
        let shared = futexKey(process, address, isPrivate: false)
        if shared.isShared { _ = futexWake(shared, count, bits: .max) }
    }
}
