import CChorus
import Synchronization

/// One ipcCall that went through a queue. Its state decides how the call ends; only the first ending counts, so an
/// answer that comes late is never mistaken for another call's.
final class Transaction: @unchecked Sendable {
    // Sendable: constants and locked state. The buffers are the client's, valid while `open`.
    let client: Client
    let id: UInt64
    private let state: Mutex<State>

    /// Who waits for the answer: a thread of this site, or another site for a thread of its own.
    enum Client {
        case thread(Thread)
        case site(Sites, WireCall)
    }

    /// Who has the request: nobody yet, a thread, or another site.
    enum Holder {
        case none
        case thread(Thread)
        case site(Sites, UInt64)
    }

    private struct State: @unchecked Sendable {
        // Sendable: the pointers are only followed under the lock.
        var open = true
        var result: Int32 = K_OK
        let annex: UnsafeMutableRawPointer?
        let body: UnsafeMutableRawPointer?
        let capacity: UInt32
        var size: UInt32 = 0
        var server = Holder.none
    }

    init(
        _ client: Client, _ id: UInt64, annex: UnsafeMutableRawPointer?, body: UnsafeMutableRawPointer?,
        capacity: UInt32
    ) {
        self.client = client
        self.id = id
        state = Mutex(State(annex: annex, body: body, capacity: capacity))
    }

    var isOpen: Bool { state.withLock { $0.open } }
    /// The client's thread, if that is here.
    var clientThread: Thread? { if case .thread(let thread) = client { thread } else { nil } }
    var server: Thread? {
        state.withLock { if case .thread(let thread) = $0.server { thread } else { nil } }
    }
    var capacity: UInt32 { state.withLock { $0.capacity } }

    /// The thread that serves it now: a client's abort goes on to it. False if nobody waits any more.
    func serve(_ server: Thread?) -> Bool {
        state.withLock {
            $0.server = server.map { .thread($0) } ?? .none
            return $0.open
        }
    }

    func goesOn(to holder: Holder) { state.withLock { $0.server = holder } }

    // The client's wait ends under the lock: it cannot leave, and be waiting for something else, before that.

    /// Ends the call with an error.
    func fail(_ code: Int32) {
        let wake = state.withLock { state -> Wake? in
            guard state.open else { return nil }
            state.open = false
            state.result = code
            switch client {
            case .thread(let thread): return thread.settle(K_OK)
            case .site(let sites, let call):
                sites.answer(call, failed: code)
                return nil
            }
        }
        wake?.send()
    }

    /// Copies the answer to the client. K_EUNREACHABLE if it has gone.
    func reply(_ annex: UnsafeRawPointer?, _ body: UnsafeRawPointer?, _ size: UInt32) -> Int32 {
        let (code, wake) = state.withLock { state -> (Int32, Wake?) in
            guard state.open else { return (K_EUNREACHABLE, nil) }
            state.open = false
            guard case .thread(let client) = client else {
                answerSite(annex, body, size, state.capacity)
                return (K_OK, nil)
            }
            if let to = state.annex {
                if let annex {
                    to.copyMemory(from: annex, byteCount: Int(K_CMSGANNEXSIZE))
                } else {
                    to.initializeMemory(as: UInt8.self, repeating: 0, count: Int(K_CMSGANNEXSIZE))
                }
            }
            if size > state.capacity || (size > 0 && state.body == nil) {
                state.result = K_ETOOBIG
            } else {
                if let body, let to = state.body, size > 0 { to.copyMemory(from: body, byteCount: Int(size)) }
                state.size = size
            }
            return (K_OK, client.settle(K_OK))
        }
        wake?.send()
        return code
    }

    private func answerSite(
        _ annex: UnsafeRawPointer?, _ body: UnsafeRawPointer?, _ size: UInt32, _ capacity: UInt32
    ) {
        guard case .site(let sites, let call) = client else { return }
        if size > capacity {
            sites.answer(call, failed: K_ETOOBIG)
        } else {
            sites.answer(call, annex, body, size)
        }
    }

    /// The client leaves with `code` of its wait; the real result is who ended the transaction first.
    func close(_ code: Int32, _ size: UnsafeMutablePointer<UInt32>?) -> Int32 {
        let (result, server) = state.withLock { state -> (Int32, Holder) in
            if !state.open {
                if state.result == K_OK { size?.pointee = state.size }
                return (state.result, .none)
            }
            state.open = false
            return (code, state.server)
        }
        leave(server, code)
        return result
    }

    /// The client, at another site, has gone with `code`. False if the call had ended before.
    func cancel(_ code: Int32) -> Bool {
        let server = state.withLock { state -> Holder? in
            guard state.open else { return nil }
            state.open = false
            return state.server
        }
        if let server { leave(server, code) }
        return server != nil
    }

    /// The request goes to another site. A client here goes on to wait; one that is elsewhere is answered from there. False
    /// if nobody waits.
    func handOver(to holder: Holder) -> Bool {
        state.withLock { state in
            guard state.open else { return false }
            if case .thread = client { state.server = holder } else { state.open = false }
            return true
        }
    }

    private func leave(_ server: Holder, _ code: Int32) {
        switch server {
        case .none: break
        case .thread(let thread): if code == K_EABORT || code == K_EDEADACTOR { thread.abort() }
        case .site(let sites, let id): sites.cancel(id, code)
        }
    }
}
