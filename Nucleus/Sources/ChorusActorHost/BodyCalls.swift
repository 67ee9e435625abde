import CChorus
import KnLane

/// The calls that name a body: here by its address, for the nucleus by its place in the arena.
struct BodyCalls: Sendable {
    private let free, send, call, allocate, take: UInt32

    init(_ plans: CallPlans) {
        free = plans.number(of: "msgFree")
        send = plans.number(of: "ipcSendMove")
        call = plans.number(of: "ipcCallMove")
        allocate = plans.number(of: "msgAllocate")
        take = plans.number(of: "msgTake")
    }

    /// The argument that is a body.
    @inline(__always) func given(_ op: UInt32) -> Int? {
        guard op >= allocate else { return nil }
        return op == free ? 0 : op == send || op == call ? 4 : nil
    }

    /// The argument that says where a body is to be written.
    @inline(__always) func returned(_ op: UInt32) -> Int? { op == allocate ? 1 : op == take ? 0 : nil }

    /// `pointer` holds a place, or 0 for no body.
    func locate(_ pointer: UInt64, _ arena: UInt64) {
        guard let body = UnsafeMutablePointer<VmAddr>(bitPattern: UInt(pointer)) else { return }
        if body.pointee != 0 { body.pointee &+= arena }
    }
}
