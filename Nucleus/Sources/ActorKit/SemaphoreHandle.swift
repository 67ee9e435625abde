import CChorus

/// A nucleus semaphore; deleted with the last reference.
public final class SemaphoreHandle: Sendable {
    private let nucleus: Nucleus
    private let li: Int32

    public init(_ nucleus: Nucleus, count: UInt32 = 0) {
        self.nucleus = nucleus
        var made = KnSem()
        nucleus.semInit(&made, count)
        li = made.li
    }

    deinit {
        var mine = KnSem(li: li)
        nucleus.semDelete(&mine)
    }

    public func signal() {
        var mine = KnSem(li: li)
        nucleus.semV(&mine)
    }

    @discardableResult public func wait(milliseconds: Int32) -> Bool {
        var mine = KnSem(li: li)
        return nucleus.semP(&mine, milliseconds) >= 0
    }
}
