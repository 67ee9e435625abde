import CChorus

/// FUTEX_LOCK_PI and its kin (futex(2)): the word has the owner's thread number, and bits for waiters and for an owner
/// that died. Once the waiters' bit is set, the word changes here alone.
enum PiCalls {
    static let waiters: UInt32 = 0x8000_0000, ownerDied: UInt32 = 0x4000_0000, tidMask: UInt32 = 0x3fff_ffff

    private enum Attempt {
        case taken
        case owned(Int32)
    }

    /// Takes the lock if nobody has it, else leaves the sign that somebody waits. Under the table's lock.
    private static func attempt(_ call: Call, _ key: FutexKey, _ address: UInt64) throws(Errno) -> Attempt {
        let tid = UInt32(bitPattern: call.task.tid)
        while true {
            let word = try call.readStruct(UInt32.self, at: address)
            let owner = word & tidMask
            if owner == tid { throw .EDEADLK }
            if owner == 0 {
                let others = call.manager.futexes.pi.isAwaited(key) ? waiters : 0
                if try call.swapWord(at: address, from: word, to: tid | word & ownerDied | others) { return .taken }
                continue
            }
            if word & waiters == 0 {
                guard try call.swapWord(at: address, from: word, to: word | waiters) else { continue }
            }
            return .owned(Int32(bitPattern: owner))
        }
    }

    /// `clock`: of the absolute time limit.
    static func lock(_ call: Call, isPrivate: Bool, realTime: Bool, tries: Bool) throws(Errno) -> Outcome {
        if let waiter = call.kept as? PiWaiter { return try goOn(call, waiter, restart: .always) }
        let key = call.manager.futexKey(call.process, call[0], isPrivate: isPrivate)
        let deadline = tries ? nil : try limit(call, realTime: realTime)
        let futexes = call.manager.futexes
        while true {
            let waiter = PiWaiter(call.task, key, address: call[0])
            let attempted = try futexes.lock.withLock { () throws(Errno) -> Attempt in
                let attempted = try attempt(call, key, call[0])
                guard case .owned(let owner) = attempted, !tries else { return attempted }
                if futexes.pi.waits(owner, for: call.task) { throw .EDEADLK }
                futexes.pi.append(waiter, owner: owner)
                call.enlist(on: waiter.queue)
                return attempted
            }
            guard case .owned(let owner) = attempted else { return .zero }
            // From here on it would hand the lock to us at its end.
            if call.manager.isTask(owner) {
                if tries { throw .EAGAIN }
                call.kept = waiter
                return .park(Wait(on: [waiter.queue], until: deadline, restart: .always, for: "futex_lock_pi"))
            }
            if waiter.valueWhenInterrupted() != nil { return .zero }
            call.task.endWait()
            // It may have said in the word that it is no more.
            let word = try call.readStruct(UInt32.self, at: call[0])
            if word & tidMask == UInt32(bitPattern: owner) { throw .ESRCH }
        }
    }

    /// Run again: the lock's, the time limit's, or a signal's turn.
    private static func goOn(_ call: Call, _ waiter: PiWaiter, restart: RestartClass) throws(Errno) -> Outcome {
        let futexes = call.manager.futexes
        let isOwner = futexes.lock.withLock { () -> Bool in
            if waiter.isOwner { return true }
            if call.timedOut { futexes.pi.remove(waiter) } else { call.enlist(on: waiter.queue) }
            return false
        }
        if isOwner { return .zero }
        if call.timedOut { throw .ETIMEDOUT }
        return .park(Wait(on: [waiter.queue], until: call.task.deadline, restart: restart, for: "futex_lock_pi"))
    }

    private static func limit(_ call: Call, realTime: Bool) throws(Errno) -> UInt64? {
        guard call[3] != 0 else { return nil }
        let value = try TimeCalls.duration(call, call[3])
        let now = realTime ? call.manager.clock.realTime() : call.manager.clock.monotonic()
        return call.deadline(after: value > now ? value - now : 0)
    }

    static func unlock(_ call: Call, isPrivate: Bool) throws(Errno) -> Outcome {
        let key = call.manager.futexKey(call.process, call[0], isPrivate: isPrivate)
        let futexes = call.manager.futexes
        try futexes.lock.withLock { () throws(Errno) in
            while true {
                let word = try call.readStruct(UInt32.self, at: call[0])
                guard word & tidMask == UInt32(bitPattern: call.task.tid) else { throw .EPERM }
                let next = futexes.pi.nextWaiter(key)
                let new = next.map { waiters | UInt32(bitPattern: $0.task.tid) } ?? 0
                guard try call.swapWord(at: call[0], from: word, to: new) else { continue }
                if next != nil { futexes.pi.handOn(key) }
                return
            }
        }
        return .zero
    }

    // MARK: Requeueing

    /// FUTEX_WAIT_REQUEUE_PI: waits at the first word, and comes back as owner of the lock at the second.
    static func waitRequeue(_ call: Call, isPrivate: Bool, realTime: Bool) throws(Errno) -> Outcome {
        if let waiter = call.kept as? PiWaiter {
            // Once it is sent to the lock, a signal does not restart the wait at the first word.
            let sent = call.manager.futexes.lock.withLock { waiter.first == nil }
            return try goOn(call, waiter, restart: sent ? .interrupt : .always)
        }
        guard call[4] % 4 == 0, call[0] != call[4] else { throw .EINVAL }
        let first = call.manager.futexKey(call.process, call[0], isPrivate: isPrivate)
        let key = call.manager.futexKey(call.process, call[4], isPrivate: isPrivate)
        guard first != key else { throw .EINVAL }
        let deadline = try limit(call, realTime: realTime)
        let futexes = call.manager.futexes
        let waiter = try futexes.lock.withLock { () throws(Errno) -> PiWaiter in
            guard try call.readStruct(UInt32.self, at: call[0]) == call.uint(2) else { throw .EAGAIN }
            let waiter = PiWaiter(call.task, key, address: call[4], first: first)
            futexes.pi.appendFirst(waiter, at: first)
            call.enlist(on: waiter.queue)
            return waiter
        }
        call.kept = waiter
        return .park(Wait(on: [waiter.queue], until: deadline, restart: .always, for: "futex_wait_requeue_pi"))
    }

    /// FUTEX_CMP_REQUEUE_PI: the first waiter gets the lock if it is free; it and the others wait for it otherwise.
    static func requeue(_ call: Call, isPrivate: Bool) throws(Errno) -> Outcome {
        guard call.int(2) == 1, call.int(3) >= 0, call[4] % 4 == 0 else { throw .EINVAL }
        let first = call.manager.futexKey(call.process, call[0], isPrivate: isPrivate)
        let key = call.manager.futexKey(call.process, call[4], isPrivate: isPrivate)
        guard first != key else { throw .EINVAL }
        let futexes = call.manager.futexes
        let moved = try futexes.lock.withLock { () throws(Errno) -> Int in
            guard try call.readStruct(UInt32.self, at: call[0]) == call.uint(5) else { throw .EAGAIN }
            var moved = 0
            while moved <= Int(call.int(3)), let waiter = futexes.pi.firstRequeued(first) {
                guard waiter.key == key else { throw .EINVAL }
                let word = try call.changeWord(at: call[4]) { word in
                    word & tidMask != 0
                        ? word | waiters : UInt32(bitPattern: waiter.task.tid) | word & ownerDied | waiters
                }
                futexes.pi.takeRequeued(first)
                let owner = word & tidMask
                futexes.pi.append(waiter, owner: owner == 0 ? waiter.task.tid : Int32(bitPattern: owner))
                if owner == 0 { futexes.pi.handOn(key) }
                moved += 1
            }
            return moved
        }
        return .done(value: moved)
    }
}

extension ProcessManager {
    func isTask(_ tid: Int32) -> Bool { tree.withLock { tasks[tid] != nil } }

    /// A task ends with locks that others wait for: the first of each gets it, and is told (EOWNERDEAD of
    /// pthread_mutex_lock(3)). Called without locks, after the task has left the tables.
    func releasePiLocks(ofTask tid: Int32) {
        futexes.lock.withLock {
            if futexes.pi.isEmpty { return }
            for key in futexes.pi.owned(by: tid) {
                while let waiter = futexes.pi.nextWaiter(key) {
                    let new = PiCalls.waiters | PiCalls.ownerDied | UInt32(bitPattern: waiter.task.tid)
                    guard !waiter.task.dying.load(ordering: .sequentiallyConsistent), handOver(waiter, new) else {
                        futexes.pi.remove(waiter)
                        continue
                    }
                    futexes.pi.handOn(key)
                    break
                }
            }
        }
    }

    /// By the waiter's own hand: it is parked. False where its memory cannot be written any more.
    private func handOver(_ waiter: PiWaiter, _ new: UInt32) -> Bool {
        for _ in 0..<1000 {
            var word: UInt32 = 0
            guard nucleus.svCopyIn(waiter.task.thread, waiter.address, &word, 4) >= 0 else { return false }
            if (try? swapWord(waiter.task, at: waiter.address, from: word, to: new)) == true { return true }
        }
        return false
    }
}
