import Synchronization

/// Why a UNIX thread is in the nucleus' hands.
public enum TrapKind: UInt8, AtomicRepresentable, Sendable {
    /// A system call.
    case call
    /// A fault that its subsystem decides about.
    case exception
    /// A fault in memory that a mapper has to bring.
    case pageIn
    /// It was aborted.
    case abort

    func text(_ number: UInt64) -> String {
        switch self {
        case .call: "trap \(number)"
        case .exception: "exception"
        case .pageIn: "page-in"
        case .abort: "abort"
        }
    }
}
