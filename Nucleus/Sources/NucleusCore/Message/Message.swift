import CChorus
import Synchronization

/// A queued message: the nucleus' own copy of annex and body.
final class Message: @unchecked Sendable {
    // Sendable: owned by one queue, thread or saved slot at a time, handed over under the room's lock.
    let head: KnMsgHead
    let transaction: Transaction?
    let annex: UnsafeMutableRawPointer
    let bodySize: UInt32
    /// The port it came in on.
    var port: Port
    /// Of all messages of the site, for "oldest first" over several ports.
    let order: UInt64
    var bodyTaken = false
    /// The memory of a body that is moved, until it is taken.
    var moved: MessageBody?
    /// Who received it, and the port's LI there.
    var holder: Actor?
    var li: KnPortLid = 0

    init(
        _ head: KnMsgHead, _ transaction: Transaction?, _ port: Port, order: UInt64, annex source: UnsafeRawPointer?,
        body: UnsafeRawPointer?, moved: MessageBody? = nil
    ) {
        self.moved = moved
        self.head = head
        self.transaction = transaction
        self.port = port
        self.order = order
        bodySize = head.bodySize
        let annexSize = Int(K_CMSGANNEXSIZE)
        annex = .allocate(byteCount: annexSize + (moved == nil ? Int(head.bodySize) : 0), alignment: 16)
        if let source {
            annex.copyMemory(from: source, byteCount: annexSize)
        } else {
            annex.initializeMemory(as: UInt8.self, repeating: 0, count: annexSize)
        }
        if let body, head.bodySize > 0, moved == nil {
            (annex + annexSize).copyMemory(from: body, byteCount: Int(head.bodySize))
        }
    }

    /// Bytes that the receiver's mail account answers for.
    private var charged: Quota?

    /// False if the receiver, a process, has been sent more than it may keep.
    func charge(to actor: Actor) -> Bool {
        let bytes = Int(K_CMSGANNEXSIZE) + Int(bodySize)
        guard actor.isUnix else { return true }
        guard actor.mail.take(bytes, most: Int(K_USR_MSGMAX)) else { return false }
        charged = actor.mail
        return true
    }

    deinit {
        charged?.give(Int(K_CMSGANNEXSIZE) + Int(bodySize))
        annex.deallocate()
    }

    var body: UnsafeMutableRawPointer { moved?.address ?? annex + Int(K_CMSGANNEXSIZE) }

    /// Nobody waits for the answer any more.
    var isStale: Bool { transaction.map { !$0.isOpen } ?? false }
}
