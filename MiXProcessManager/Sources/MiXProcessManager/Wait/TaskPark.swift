/// The parking half of a task. A ticket names one wait; a wake-up with an older ticket is void, and the first valid one
/// (queue, timer or signal) wins, so a handler is never run twice for one wait.
extension Task {
    /// Puts the task on `queue` for the wait that is being prepared. Called by handlers under the condition's lock.
    func enlist(on queue: WaitQueue, tag: UInt64 = 0) {
        let ticket = park.withLock { () -> UInt64? in
            if parkQueues.contains(where: { $0 === queue }) { return nil }
            if parkState == .none {
                parkState = .preparing
                parkWoken = false
            }
            parkQueues.append(queue)
            return parkTicket
        }
        if let ticket { queue.add(self, ticket: ticket, tag: tag) }
    }

    func isEnlisted(on queue: WaitQueue) -> Bool {
        park.withLock { parkQueues.contains { $0 === queue } }
    }

    /// True when the task was waiting under this ticket and had not been woken before.
    func wake(ticket: UInt64, by queue: WaitQueue) -> Bool {
        park.withLock {
            guard wakeLocked(ticket) else { return false }
            wokenBy = queue
            return true
        }
    }

    private func wakeLocked(_ ticket: UInt64) -> Bool {
        guard ticket == parkTicket, !parkWoken else { return false }
        switch parkState {
        case .none: return false
        case .preparing: parkWoken = true
        case .parked:
            parkWoken = true
            manager.ready.append(self)
        }
        return true
    }

    func requeue(ticket: UInt64, from: WaitQueue, to: WaitQueue, tag: UInt64) -> Bool {
        let valid = park.withLock { () -> Bool in
            guard ticket == parkTicket, !parkWoken, parkState != .none else { return false }
            parkQueues.removeAll { $0 === from }
            parkQueues.append(to)
            return true
        }
        if valid { to.add(self, ticket: ticket, tag: tag) }
        return valid
    }

    /// Ends the current wait, whatever its state: off all queues, timer disarmed, next ticket.
    func endWait() {
        let (queues, ticket, timer) = park.withLock { () -> ([WaitQueue], UInt64, TimerNode?) in
            guard parkState != .none else { return ([], 0, nil) }
            let old = (parkQueues, parkTicket, parkTimer)
            parkTicket &+= 1
            parkQueues.removeAll(keepingCapacity: true)
            parkTimer = nil
            parkState = .none
            parkWoken = false
            parkWait = nil
            return old
        }
        for queue in queues { queue.remove(self, ticket: ticket) }
        if let timer { manager.timers.cancel(timer) }
    }

    /// From `preparing` to `parked`, with the deadline armed. False when a wake-up or something that ends this kind of
    /// wait came in between. After true the task belongs to its wakers: the caller must not touch it any more.
    func commitPark(_ wait: Wait) -> Bool {
        park.withLock {
            if parkWoken || manager.attentionEndsWait(self, wait) { return false }
            if let deadline = wait.deadline, deadline != .max {
                let ticket = parkTicket
                parkTimer = manager.timers.arm(at: deadline) { [weak self] in self?.timeout(ticket: ticket) }
            }
            parkWait = wait
            parkState = .parked
            return true
        }
    }

    private func timeout(ticket: UInt64) {
        park.withLock {
            if wakeLocked(ticket) { timedOut = true }
        }
    }

    /// Wakes a parked task because of a signal or its end. False where it was not parked or does not mind.
    @discardableResult
    func interruptPark() -> Bool {
        park.withLock {
            guard parkState == .parked, !parkWoken, let wait = parkWait, manager.attentionEndsWait(self, wait) else {
                return false
            }
            parkWoken = true
            interrupted = true
            manager.ready.append(self)
            return true
        }
    }

    var isParked: Bool { park.withLock { parkState == .parked } }
    var waitReason: StaticString? { park.withLock { parkState == .parked ? parkWait?.reason : nil } }
}
