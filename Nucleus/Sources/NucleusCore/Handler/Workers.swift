import CChorus
import Synchronization

/// Work that must not run on the stack of who asked for it.
protocol WorkItem: AnyObject, Sendable {
    func run(_ thread: Thread)
}

/// Nucleus threads for asynchronous messages and for events. They grow while all are busy, so a handler that blocks
/// holds up the others only at the limit.
final class Workers: Sendable {
    private struct State {
        var queue = Fifo<any WorkItem>()
        var idle: [Thread] = []
        var threads = 0
        var stopped = false
    }
    private let state = Mutex(State())
    private let name: String
    private let limit: Int
    private let schedule: Schedule

    init(name: String, limit: Int, schedule: Schedule = .usual) {
        self.name = name
        self.limit = limit
        self.schedule = schedule
    }

    func submit(_ item: any WorkItem, _ actor: Actor) {
        let (sleeper, start) = state.withLock { state -> (Thread?, Bool) in
            if state.stopped { return (nil, false) }
            state.queue.append(item)
            if let thread = state.idle.popLast() { return (thread, false) }
            guard state.threads < limit else { return (nil, false) }
            state.threads += 1
            return (nil, true)
        }
        if let sleeper { sleeper.complete(K_OK) }
        guard start else { return }
        // The thread holds the site until it is stopped.
        let site = actor.site
        if site.host.startThread(name: name, stackSize: 0, { self.work(site, actor) }) < 0 {
            state.withLock { $0.threads -= 1 }
            site.report(0, "\(name): the host refuses a thread")
        }
    }

    func stop() {
        let sleepers = state.withLock { state in
            state.stopped = true
            _ = state.queue.removeAll()
            defer { state.idle = [] }
            return state.idle
        }
        for thread in sleepers { thread.complete(K_EABORT) }
    }

    private func work(_ site: Site, _ actor: Actor) {
        let thread = site.threads.create(actor, name: name)
        let before = thread.bind()
        if schedule != .usual {
            thread.setSchedule(schedule)
            let granted = thread.schedule()
            if granted.hostPolicy != granted.policy {
                site.report(2, "\(name): the host allows no real-time priority; nice \(granted.hostPriority) instead")
            }
        }
        while true {
            thread.arm(abortable: false)
            let next = state.withLock { state -> (item: (any WorkItem)?, stop: Bool) in
                if state.stopped { return (nil, true) }
                let item = state.queue.popFirst()
                if item == nil { state.idle.append(thread) }
                return (item, false)
            }
            if next.stop { break }
            if let item = next.item {
                thread.complete(K_OK)
                item.run(thread)
            } else if thread.sleep(actor, "idle", abortable: false, deadline: nil) != K_OK {
                break
            }
        }
        thread.unbind(before)
        site.threads.remove(thread)
    }
}
