import CChorus
import Synchronization

/// A readiness word: posts gather bits, the handler gets all bits since its last run. No post is lost.
final class Event: WorkItem, @unchecked Sendable {
    // Sendable: constants and atomics.
    let cap: KnCap
    let actor: Actor
    private let handler: KnEvtHdl
    private let cookie: UnsafeMutableRawPointer?
    let gate = Gate()
    private let bits = Atomic<UInt32>(0)
    private let scheduled = Atomic<Bool>(false)

    init(_ actor: Actor, _ cap: KnCap, _ handler: @escaping KnEvtHdl, _ cookie: UnsafeMutableRawPointer?) {
        self.cap = cap
        self.actor = actor
        self.handler = handler
        self.cookie = cookie
        gate.open()
    }

    /// False if all of `new` was posted already and waits to be handled.
    @discardableResult func post(_ new: UInt32) -> Bool {
        guard new != 0 else { return true }
        let before = bits.bitwiseOr(new, ordering: .sequentiallyConsistent).oldValue
        schedule()
        return before & new != new
    }

    private func schedule() {
        if !scheduled.exchange(true, ordering: .sequentiallyConsistent) {
            actor.site.eventWorkers.submit(self, actor.site.kernel)
        }
    }

    func run(_ thread: Thread) {
        let host = actor.site.host
        let now = bits.exchange(0, ordering: .sequentiallyConsistent)
        if now != 0, gate.enter(host) {
            let began = actor.site.trace.begin()
            let code = thread.inside(gate, nil) { handler(cookie, now) }
            actor.site.trace(handler: K_HDL_EVENT, cap.ui, now, code, thread, since: began)
            gate.leave(host)
        }
        // Behind the others in the queue: an event that is posted all the time does not starve them.
        scheduled.store(false, ordering: .sequentiallyConsistent)
        if bits.load(ordering: .sequentiallyConsistent) != 0 { schedule() }
    }

    /// Waits until the handler runs no more, but for the calling thread's own run.
    fileprivate func end(_ thread: Thread) {
        gate.close()
        gate.drain(actor.site.host, own: thread.entries(gate))
    }
}

extension Site {
    func createEvent(_ actor: Actor, _ handler: @escaping KnEvtHdl, _ cookie: UnsafeMutableRawPointer?) -> KnCap {
        while true {
            let event = Event(actor, newCap(.event), handler, cookie)
            guard events.insert(event.cap.ui.raw, event) else { continue }
            // Deleted in this instant: its objects may have been collected already.
            if actor.isDeleted { events.remove(event.cap.ui.raw) }
            return event.cap
        }
    }

    /// The event that `cap` names: who has that may.
    func deleteEvent(_ cap: KnCap, _ thread: Thread) throws(KnError) {
        guard let event = events.find(cap.ui.raw) else { throw .unknown }
        guard event.cap.key == cap.key else { throw .privilege }
        try draining(event.gate, thread) { () throws(KnError) in
            guard events.remove(cap.ui.raw) != nil else { throw .unknown }
            event.end(thread)
        }
    }

    /// From the machine layer or the nucleus itself.
    public func postEvent(_ ui: KnUniqueId, _ bits: UInt32) -> Int32 {
        guard let event = events.find(ui.raw) else { return K_EUNKNOWN }
        event.post(bits)
        return K_OK
    }
}
