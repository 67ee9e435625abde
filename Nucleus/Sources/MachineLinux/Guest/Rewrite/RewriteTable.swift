import CChorus
import NucleusCore
import Synchronization

/// The call sites of an address space: how often they trapped, which ones are rewritten, and their trampolines.
final class RewriteTable: Sendable {
    enum Site {
        /// Traps by its syscall instruction so far.
        case seen(UInt8)
        /// It stays as it is.
        case refused
        /// Its first five bytes, `mov $number,%eax`, are a jump to `trampoline`.
        case rewritten(number: UInt32, trampoline: VmAddr)
    }

    struct State {
        var sites: [VmAddr: Site] = [:]
        var pages: [TrampolinePage] = []
    }

    /// A rewriting costs about what its site then saves in this many traps.
    static var worthwhile: UInt8 { 8 }
    /// Code that is made as it runs has sites without end: no more than this many are looked at.
    static var most: Int { 4096 }

    let state: Mutex<State>
    /// There is a trampoline.
    let any: Atomic<Bool>
    /// Held by who changes the text, and over a clone. Outside of every `dialogue`.
    private let changing = Mutex<Void>(())

    init(_ state: State = State()) {
        self.state = Mutex(state)
        any = Atomic(!state.pages.isEmpty)
    }

    var isEmpty: Bool { !any.load(ordering: .acquiring) }

    /// Counts a trap of the site; true if it is time to rewrite it.
    func isDue(_ site: VmAddr) -> Bool {
        state.withLock { state in
            switch state.sites[site] {
            case nil:
                guard state.sites.count < Self.most else { return false }
                state.sites[site] = .seen(1)
                return false
            case .seen(let count):
                // A due one that could not be stopped for comes round again.
                state.sites[site] = .seen(count % Self.worthwhile + 1)
                return count >= Self.worthwhile
            case .refused, .rewritten: return false
            }
        }
    }

    func put(_ site: VmAddr, _ now: Site) { state.withLock { $0.sites[site] = now } }

    /// Whose trampoline this is, and the number that it loads.
    func origin(of address: VmAddr) -> (site: VmAddr, number: UInt32)? {
        guard !isEmpty else { return nil }
        return state.withLock { state in
            guard let page = state.pages.first(where: { $0.contains(address) }) else { return nil }
            return page.origin(of: address)
        }
    }

    /// The rewritten sites that a change of the range concerns: those in it, and those whose trampolines are.
    func affected(_ start: VmAddr, _ end: VmAddr) -> [(site: VmAddr, number: UInt32, trampoline: VmAddr)] {
        state.withLock { state in
            state.sites.compactMap { site, now in
                guard case .rewritten(let number, let trampoline) = now else { return nil }
                let page = trampoline & ~4095
                let concerns = site < end && site + 7 > start || page < end && page + 4096 > start
                return concerns ? (site, number, trampoline) : nil
            }
        }
    }

    /// Trampolines in the range are no more.
    func drop(_ start: VmAddr, _ end: VmAddr) {
        state.withLock { $0.pages.removeAll { $0.start < end && $0.start + 4096 > start } }
    }

    /// Alone with the text, if nobody else is at it.
    func ifFree<Result>(_ body: () -> Result) -> Result? {
        changing.withLockIfAvailable { _ in body() }
    }

    func whenFree<Result>(_ body: () -> Result) -> Result {
        if let result = changing.withLockIfAvailable({ _ in body() }) { return result }
        TrapPool.willBlock()
        return changing.withLock { _ in body() }
    }

    /// A clone's own: it has the same text.
    func copy() -> State { state.withLock { $0 } }

    func adopt(_ now: State) {
        state.withLock { $0 = now }
        any.store(!now.pages.isEmpty, ordering: .releasing)
    }
}
