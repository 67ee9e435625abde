import CChorus
import NucleusCore
import Synchronization

/// The call sites of an address space: how often they trapped, which ones are rewritten, and their trampolines.
final class RewriteTable: Sendable {
    /// Bytes of the text, as compiled and as they are now.
    struct Edit: Sendable {
        let address: VmAddr
        let before, after: [UInt8]
    }

    /// What is known of a syscall instruction.
    enum Site {
        /// It traps so far.
        case seen(UInt8)
        /// It stays as it is.
        case refused
        /// Edits in the order in which they were made.
        case rewritten([Edit], Trampoline)
    }

    struct State {
        var sites: [VmAddr: Site] = [:]
        var pages: [TrampolinePage] = []
        /// Where two-byte jumps end.
        var padding: [VmAddr: Trampoline] = [:]
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

    /// The trampoline that the address is in, or whose padding it is.
    func trampoline(at address: VmAddr) -> Trampoline? {
        guard !isEmpty else { return nil }
        return state.withLock { state in
            for page in state.pages { if let found = page.trampoline(at: address) { return found } }
            return state.padding[address]
        }
    }

    /// The rewritten sites that a change of the range concerns: those in it, and those whose trampolines are.
    func affected(_ start: VmAddr, _ end: VmAddr) -> [(call: VmAddr, edits: [Edit])] {
        state.withLock { state in
            state.sites.compactMap { call, now in
                guard case .rewritten(let edits, let trampoline) = now else { return nil }
                let concerns =
                    trampoline.page < end && trampoline.page + 4096 > start || call < end && call + 2 > start
                    || edits.contains { $0.address < end && $0.address + UInt64($0.before.count) > start }
                return concerns ? (call, edits) : nil
            }
        }
    }

    func put(_ call: VmAddr, _ edits: [Edit], _ trampoline: Trampoline) {
        state.withLock { state in
            state.sites[call] = .rewritten(edits, trampoline)
            if !trampoline.isLoad, let jump = edits.first { state.padding[jump.address] = trampoline }
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
