import CChorus

/// futex(2), robust lists.
enum FutexCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (202, "futex", futex), (449, "futex_waitv", FutexWaitv.wait), (273, "set_robust_list", setRobustList),
        (274, "get_robust_list", getRobustList),
    ]
    private static let privateFlag: UInt32 = 128, realTime: UInt32 = 256
    private static let waitOp: UInt32 = 0, wakeOp: UInt32 = 1, requeueOp: UInt32 = 3, compareRequeue: UInt32 = 4
    private static let wakeOperation: UInt32 = 5, lockPi: UInt32 = 6, unlockPi: UInt32 = 7, tryLockPi: UInt32 = 8
    private static let waitBitset: UInt32 = 9, wakeBitset: UInt32 = 10, waitRequeuePi: UInt32 = 11
    private static let compareRequeuePi: UInt32 = 12, lockPi2: UInt32 = 13

    @Sendable static func futex(_ call: Call) throws(Errno) -> Outcome {
        let operation = call.uint(1)
        let isPrivate = operation & privateFlag != 0
        let address = call[0]
        guard address % 4 == 0 else { throw .EINVAL }
        let manager = call.manager
        let command = operation & ~(privateFlag | realTime)
        let byRealTime = operation & realTime != 0
        if byRealTime, ![waitOp, waitBitset, waitRequeuePi, lockPi2].contains(command) { throw .ENOSYS }
        let key = manager.futexKey(call.process, address, isPrivate: isPrivate)
        switch command {
        case waitOp: return try wait(call, key, bits: .max, isAbsolute: false, operation)
        case waitBitset: return try wait(call, key, bits: call.uint(5), isAbsolute: true, operation)
        case wakeOp: return .done(value: manager.futexWake(key, Int(max(call.int(2), 1)), bits: .max))
        case wakeBitset:
            guard call.uint(5) != 0 else { throw .EINVAL }
            return .done(value: manager.futexWake(key, Int(max(call.int(2), 1)), bits: call.uint(5)))
        case requeueOp, compareRequeue:
            guard call[4] % 4 == 0, call.int(2) >= 0, call.int(3) >= 0 else { throw .EINVAL }
            if command == compareRequeue {
                guard try call.readStruct(UInt32.self, at: address) == call.uint(5) else { throw .EAGAIN }
            }
            let target = manager.futexKey(call.process, call[4], isPrivate: isPrivate)
            return .done(value: requeue(manager, key, target, Int(call.int(2)), Int(call.int(3))))
        case wakeOperation: return try wakeWithOperation(call, key, isPrivate)
        case lockPi: return try PiCalls.lock(call, isPrivate: isPrivate, realTime: true, tries: false)
        case lockPi2: return try PiCalls.lock(call, isPrivate: isPrivate, realTime: byRealTime, tries: false)
        case tryLockPi: return try PiCalls.lock(call, isPrivate: isPrivate, realTime: true, tries: true)
        case unlockPi: return try PiCalls.unlock(call, isPrivate: isPrivate)
        case waitRequeuePi: return try PiCalls.waitRequeue(call, isPrivate: isPrivate, realTime: byRealTime)
        case compareRequeuePi: return try PiCalls.requeue(call, isPrivate: isPrivate)
        default: throw .ENOSYS
        }
    }

    private static func wait(
        _ call: Call, _ key: FutexKey, bits: UInt32, isAbsolute: Bool, _ operation: UInt32
    ) throws(Errno) -> Outcome {
        guard bits != 0 else { throw .EINVAL }
        // Run again: by a wake-up, which is the end of it, by the clock, or after a stop, which begins it again.
        if call.task.wokenBy != nil { return .zero }
        if call.timedOut { throw .ETIMEDOUT }
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
        // With a time limit a handler ends it in any case (signal(7)).
        return .park(
            Wait(on: [queue], until: deadline, restart: deadline == nil ? .restart : .interrupt, for: "futex_wait"))
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
        let changed = try call.changeWord(at: call[4]) { (word) throws(Errno) -> UInt32 in
            let old = Int32(bitPattern: word)
            switch code >> 28 & 7 {
            case 0: return UInt32(bitPattern: operand)
            case 1: return UInt32(bitPattern: old &+ operand)
            case 2: return UInt32(bitPattern: old | operand)
            case 3: return UInt32(bitPattern: old & ~operand)
            case 4: return UInt32(bitPattern: old ^ operand)
            default: throw .ENOSYS
            }
        }
        let old = Int32(bitPattern: changed)
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

extension ProcessManager {
    /// Private words belong to the address space (which vfork children share); words in shared mappings to the place
    /// in the file, or for shared anonymous memory to the address, which forked processes have in common.
    func futexKey(_ process: Process, _ address: UInt64, isPrivate: Bool) -> FutexKey {
        let space = process.memory
        let own = UInt64(UInt(bitPattern: Unmanaged.passUnretained(space).toOpaque()))
        if isPrivate { return FutexKey(object: own, offset: address, isShared: false) }
        guard let area = space.lock.withLock({ space.map.area(at: address) }), area.isShared else {
            // Of this process alone, and yet not what FUTEX_PRIVATE_FLAG finds.
            return FutexKey(object: own, offset: address, isShared: true)
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
