import CChorus
import Synchronization

/// What a thread blocks on: one futex word. Whoever moves it out of `armed` decides how the wait ends; the final
/// value is the result code.
final class WaitWord: @unchecked Sendable {
    // Sendable: all members are atomic but `sequence`, which only the waiting thread touches.
    private static var idle: UInt32 { 1 }
    private static var armed: UInt32 { 2 }
    private static var abortable: UInt32 { 1 }
    /// Waits elsewhere, where `bell` reaches it.
    private static var outside: UInt32 { 4 }
    /// Where the thread waits when it does not wait for `word`. Held while it is rung: so the thread stays there.
    let bell = Mutex<(any OutsideBell)?>(nil)
    /// Armed words count up, so that a wait is never ended in place of an earlier one.
    private var sequence: UInt32 = 0

    private let word: UnsafeMutablePointer<Atomic<UInt32>>
    let since = Atomic<UInt64>(0)
    /// Name of the call that blocks, a constant C string.
    private let call = Atomic<UInt>(0)
    /// The actor whose call blocks, to find who must be woken when it dies. Compared, never followed.
    private let caller = Atomic<UInt>(0)
    /// The same for those who ask from outside.
    private let callerName = Atomic<UInt64>(0)

    init() {
        word = .allocate(capacity: 1)
        word.initialize(to: Atomic(Self.idle))
    }

    deinit {
        word.deinitialize(count: 1)
        word.deallocate()
    }

    var callName: String {
        guard let start = UnsafePointer<CChar>(bitPattern: call.load(ordering: .relaxed)) else { return "" }
        return String(cString: start)
    }

    var callerUi: KnUniqueId { KnUniqueId(raw: callerName.load(ordering: .relaxed)) }

    /// Ends the wait if it is a call of `actor`.
    func complete(_ code: Int32, callOf actor: Actor, _ host: any HostServices) {
        let value = word.pointee.load(ordering: .sequentiallyConsistent)
        guard Self.isArmed(value), caller.load(ordering: .sequentiallyConsistent) == Self.name(actor) else { return }
        if swap(value, UInt32(bitPattern: code)) { wake(value, host) }
    }

    /// Tells the waiter, whose word was `armed`.
    func wake(_ armed: UInt32, _ host: any HostServices) {
        guard armed & Self.outside != 0 else { return host.wake(futex, 1) }
        bell.withLock { $0?.ring() }
    }

    private static func name(_ actor: Actor) -> UInt { UInt(bitPattern: Unmanaged.passUnretained(actor).toOpaque()) }

    private static func isArmed(_ value: UInt32) -> Bool { value & armed != 0 && Int32(bitPattern: value) > 0 }

    /// Before the waiter can be found by a waker. Only the waiting thread itself calls this.
    @inline(__always) func arm(abortable: Bool, outside: Bool = false) {
        sequence = (sequence &+ 1) & 0x0fff_ffff
        let value =
            sequence &<< 3 | Self.armed | (abortable ? Self.abortable : 0) | (outside ? Self.outside : 0)
        word.pointee.store(value, ordering: .sequentiallyConsistent)
    }

    /// Ends the wait with `code`; false if it had ended already.
    func complete(_ code: Int32, _ host: any HostServices, onlyAbortable: Bool = false) -> Bool {
        let value = word.pointee.load(ordering: .sequentiallyConsistent)
        guard Self.isArmed(value), !onlyAbortable || value & Self.abortable != 0 else { return false }
        guard swap(value, UInt32(bitPattern: code)) else { return false }
        wake(value, host)
        return true
    }

    /// Ends the wait with `code`, but leaves the waiter asleep: what its word was, for `wake`; nil if it had ended already.
    func settle(_ code: Int32) -> UInt32? {
        let value = word.pointee.load(ordering: .sequentiallyConsistent)
        return Self.isArmed(value) && swap(value, UInt32(bitPattern: code)) ? value : nil
    }

    private func swap(_ old: UInt32, _ new: UInt32) -> Bool {
        word.pointee.compareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent).exchanged
    }

    private var futex: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self)
    }

    func enter(_ actor: Actor, _ name: StaticString, _ now: UInt64) {
        caller.store(Self.name(actor), ordering: .sequentiallyConsistent)
        callerName.store(actor.cap.ui.raw, ordering: .relaxed)
        call.store(UInt(bitPattern: name.utf8Start), ordering: .relaxed)
        since.store(now, ordering: .relaxed)
    }

    func leave() {
        caller.store(0, ordering: .relaxed)
        callerName.store(0, ordering: .relaxed)
        call.store(0, ordering: .relaxed)
        since.store(0, ordering: .relaxed)
    }

    /// Somebody has ended the wait.
    var isOver: Bool { !Self.isArmed(word.pointee.load(ordering: .acquiring)) }

    /// Takes back `arm`; the code if somebody completed it.
    func disarm() -> Int32? {
        let value = word.pointee.exchange(Self.idle, ordering: .sequentiallyConsistent)
        return Self.isArmed(value) ? nil : Int32(bitPattern: value)
    }

    /// Until completed or the deadline has passed; the result code.
    func sleep(_ host: any HostServices, deadline: UInt64?) -> Int32 {
        while true {
            let value = word.pointee.load(ordering: .acquiring)
            guard Self.isArmed(value) else {
                word.pointee.store(Self.idle, ordering: .relaxed)
                return Int32(bitPattern: value)
            }
            if !host.wait(futex, value, deadline: deadline) { _ = complete(K_ETIMEOUT, host) }
        }
    }
}
