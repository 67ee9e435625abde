import CChorus
import Synchronization

/// What a thread blocks on: one futex word. Whoever moves it out of `armed` decides how the wait ends.
final class WaitWord: @unchecked Sendable {
    // Sendable: all members are atomic.
    static var idle: UInt32 { 1 }
    static var armed: UInt32 { 2 }
    static var armedAbortable: UInt32 { 3 }

    let word: UnsafeMutablePointer<Atomic<UInt32>>
    let since = Atomic<UInt64>(0)
    private let call = Atomic<UInt>(0)

    init() {
        word = .allocate(capacity: 1)
        word.initialize(to: Atomic(Self.idle))
    }

    deinit {
        word.deinitialize(count: 1)
        word.deallocate()
    }

    var callName: String {
        let bits = call.load(ordering: .relaxed)
        guard let start = UnsafePointer<CChar>(bitPattern: bits) else { return "" }
        return String(cString: start)
    }
}
