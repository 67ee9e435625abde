import CChorus
import Synchronization

/// An interrupt line: triggers gather in one word, the nucleus' interrupt threads ask the handlers in order of priority
/// until one claims. No trigger is lost: what comes while a round runs, or while the line is masked, makes another round.
final class InterruptLine: WorkItem, @unchecked Sendable {
    // Sendable: constants, atomics, and the list and the watch behind their locks.
    private static let pending: UInt32 = 1, raised: UInt32 = 2, masked: UInt32 = 4
    /// Rounds before other lines get their turn: a raised line does not starve them.
    private static let turn = 64

    let number: UInt32
    private unowned(unsafe) let site: Site  // it owns its lines
    private let word = Atomic<UInt32>(0)
    private let scheduled = Atomic<Bool>(false)
    private let list = Mutex<[InterruptHandler]>([])
    private let lastNumber = Atomic<Int32>(0)
    private let watch = Mutex(Watch())

    private let triggered = Atomic<UInt64>(0)
    private let claimed = Atomic<UInt64>(0)
    private let unclaimed = Atomic<UInt64>(0)
    private let unclaimedInRow = Atomic<UInt32>(0)
    private let stuck = Atomic<UInt64>(0)

    private struct Watch {
        var watermark = K_INTR_UNCLAIMEDMAX
        var event: KnUniqueId?
        var bits: UInt32 = 0
    }

    init(_ site: Site, _ number: UInt32) {
        self.site = site
        self.number = number
    }

    // MARK: handlers

    func connect(
        _ actor: Actor, priority: Int32, _ handler: @escaping KnIntrHdl, _ cookie: UnsafeMutableRawPointer?
    ) throws(KnError) -> Int32 {
        let number = lastNumber.wrappingAdd(1, ordering: .relaxed).newValue & Int32.max
        let new = InterruptHandler(actor, number: max(number, 1), priority: priority, handler, cookie)
        let joined = list.withLock { list in
            guard list.count < Int(K_INTRHANDLERS) else { return false }
            list.insert(new, at: list.firstIndex { $0.priority > priority } ?? list.count)
            return true
        }
        guard joined else { throw .full }
        schedule()  // a raised line may have waited for somebody to ask
        return new.number
    }

    /// Of whoever is privileged: the number says which.
    func disconnect(_ number: Int32, _ thread: Thread) throws(KnError) {
        guard let gone = list.withLock({ list in list.first { $0.number == number } }) else { throw .unknown }
        let site = self.site
        try site.draining(gone.gate, thread) { () throws(KnError) in
            let mine = list.withLock { list in
                let at = list.firstIndex { $0 === gone }
                if let at { list.remove(at: at) }
                return at != nil
            }
            guard mine else { throw .unknown }
            gone.end(thread, site.host)
        }
    }

    /// Its actor is deleted.
    func disconnectAll(of actor: Actor, _ thread: Thread?) {
        let gone = list.withLock { list in
            defer { list.removeAll { $0.actor === actor } }
            return list.filter { $0.actor === actor }
        }
        for handler in gone { handler.end(thread, site.host) }
    }

    // MARK: triggers

    func trigger(_ how: UInt32, _ actor: Actor) throws(KnError) {
        switch how & ~K_INTR_LATER {
        case K_INTR_EDGE: word.bitwiseOr(Self.pending, ordering: .sequentiallyConsistent)
        case K_INTR_RAISE: word.bitwiseOr(Self.raised, ordering: .sequentiallyConsistent)
        case K_INTR_LOWER:
            word.bitwiseAnd(~Self.raised, ordering: .sequentiallyConsistent)
            return
        case K_INTR_RUN where how == K_INTR_RUN:
            if isDue, !scheduled.exchange(true, ordering: .sequentiallyConsistent) {
                run(Thread.current(site, in: actor))
            }
            return
        default: throw .invalid
        }
        triggered.wrappingAdd(1, ordering: .relaxed)
        if how & K_INTR_LATER == 0 { schedule() }
    }

    func mask() { word.bitwiseOr(Self.masked, ordering: .sequentiallyConsistent) }

    func unmask() {
        unclaimedInRow.store(0, ordering: .relaxed)
        word.bitwiseAnd(~Self.masked, ordering: .sequentiallyConsistent)
        schedule()
    }

    func watch(_ watermark: UInt32, _ event: KnUniqueId?, _ bits: UInt32) {
        watch.withLock { $0 = Watch(watermark: watermark, event: event, bits: bits) }
    }

    // MARK: rounds

    private var isDue: Bool {
        let now = word.load(ordering: .sequentiallyConsistent)
        return now & Self.masked == 0 && now & (Self.pending | Self.raised) != 0
    }

    private func schedule() {
        if isDue, !scheduled.exchange(true, ordering: .sequentiallyConsistent) {
            site.interruptWorkers.submit(self, site.kernel)
        }
    }

    func run(_ thread: Thread) {
        var rounds = 0
        while rounds < Self.turn, isDue {
            word.bitwiseAnd(~Self.pending, ordering: .sequentiallyConsistent)
            round(thread)
            rounds += 1
        }
        scheduled.store(false, ordering: .sequentiallyConsistent)
        schedule()
    }

    private func round(_ thread: Thread) {
        let began = site.trace.begin()
        let handlers = list.withLock { $0 }
        let isClaimed = handlers.contains { $0.claims(number, thread, site.host) }
        site.trace(
            handler: K_HDL_INTERRUPT, KnUniqueId(raw: UInt64(number)), UInt32(handlers.count),
            isClaimed ? K_INTR_CLAIMED : K_INTR_UNCLAIMED, thread, since: began)
        guard !isClaimed else {
            claimed.wrappingAdd(1, ordering: .relaxed)
            unclaimedInRow.store(0, ordering: .relaxed)
            return
        }
        unclaimed.wrappingAdd(1, ordering: .relaxed)
        let row = unclaimedInRow.wrappingAdd(1, ordering: .relaxed).newValue
        let watch = watch.withLock { $0 }
        if watch.watermark != 0, row >= watch.watermark { giveUp(watch, row) }
    }

    /// Nobody answers for the line: it is quiet until somebody unmasks it.
    private func giveUp(_ watch: Watch, _ row: UInt32) {
        mask()
        stuck.wrappingAdd(1, ordering: .relaxed)
        site.report(1, "interrupt line \(number): \(row) interrupts in a row that nobody claimed: masked")
        if let event = watch.event { _ = site.postEvent(event, watch.bits) }
    }

    var stat: KnIntrStat {
        let now = word.load(ordering: .relaxed)
        return KnIntrStat(
            line: number, handlers: UInt32(list.withLock { $0.count }), masked: now & Self.masked != 0 ? 1 : 0,
            pending: now & (Self.pending | Self.raised) != 0 ? 1 : 0, watermark: watch.withLock { $0.watermark },
            unclaimedInRow: unclaimedInRow.load(ordering: .relaxed), triggered: triggered.load(ordering: .relaxed),
            claimed: claimed.load(ordering: .relaxed), unclaimed: unclaimed.load(ordering: .relaxed),
            stuck: stuck.load(ordering: .relaxed))
    }
}

extension Site {
    /// Lines come into being when somebody first names them.
    func interruptLine(_ number: UInt32) throws(KnError) -> InterruptLine {
        guard number < K_INTRLINES else { throw .invalid }
        while true {
            if let line = interrupts.find(UInt64(number)) { return line }
            let line = InterruptLine(self, number)
            if interrupts.insert(UInt64(number), line) { return line }
        }
    }
}
