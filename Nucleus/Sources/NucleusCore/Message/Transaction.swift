import CChorus
import Synchronization

/// One ipcCall that went through a queue. Its state decides how the call ends; only the first ending counts, so an
/// answer that comes late is never mistaken for another call's.
final class Transaction: @unchecked Sendable {
    // Sendable: constants and locked state. The buffers are the client's, valid while `open`.
    let client: Thread
    let id: UInt64
    private let state: Mutex<State>

    private struct State: @unchecked Sendable {
        // Sendable: the pointers are only followed under the lock.
        var open = true
        var result: Int32 = K_OK
        let annex: UnsafeMutableRawPointer?
        let body: UnsafeMutableRawPointer?
        let capacity: UInt32
        var size: UInt32 = 0
        var server: Thread?
    }

    init(
        _ client: Thread, _ id: UInt64, annex: UnsafeMutableRawPointer?, body: UnsafeMutableRawPointer?,
        capacity: UInt32
    ) {
        self.client = client
        self.id = id
        state = Mutex(State(annex: annex, body: body, capacity: capacity))
    }

    var isOpen: Bool { state.withLock { $0.open } }
    var server: Thread? { state.withLock { $0.server } }
    var capacity: UInt32 { state.withLock { $0.capacity } }

    /// The thread that serves it now: a client's abort goes on to it. False if nobody waits any more.
    func serve(_ server: Thread?) -> Bool {
        state.withLock {
            $0.server = server
            return $0.open
        }
    }

    // The client is completed under the lock: it cannot leave, and be waiting for something else, before that.

    /// Ends the call with an error.
    func fail(_ code: Int32) {
        state.withLock { state in
            guard state.open else { return }
            state.open = false
            state.result = code
            client.complete(K_OK)
        }
    }

    /// Copies the answer to the client. K_EUNREACHABLE if it has gone.
    func reply(_ annex: UnsafeRawPointer?, _ body: UnsafeRawPointer?, _ size: UInt32) -> Int32 {
        state.withLock { state -> Int32 in
            guard state.open else { return K_EUNREACHABLE }
            state.open = false
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
            client.complete(K_OK)
            return K_OK
        }
    }

    /// The client leaves with `code` of its wait; the real result is who ended the transaction first.
    func close(_ code: Int32, _ size: UnsafeMutablePointer<UInt32>?) -> Int32 {
        let (result, server) = state.withLock { state -> (Int32, Thread?) in
            if !state.open {
                if state.result == K_OK { size?.pointee = state.size }
                return (state.result, nil)
            }
            state.open = false
            return (code, code == K_EABORT || code == K_EDEADACTOR ? state.server : nil)
        }
        server?.abort()
        return result
    }
}
