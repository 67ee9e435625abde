import ActorKit
import Synchronization

/// All sockets by their numbers. Lookups take one of sixteen locks for a few loads.
final class SocketTable: Sendable {
    private let shards = (0..<16).map { _ in Guarded<[UInt64: Socket]>([:]) }
    private let last = Atomic<UInt64>(0)
    private let count = Atomic<Int>(0)
    /// Of the whole server: who makes more has a leak, or means harm.
    static let limit = 65536

    func nextNumber() -> UInt64 { last.add(1, ordering: .relaxed).newValue }

    func add(_ socket: Socket) throws(Errno) {
        guard count.add(1, ordering: .relaxed).newValue <= Self.limit else {
            count.subtract(1, ordering: .relaxed)
            throw .ENFILE
        }
        shards[Int(socket.number & 15)].withLock { $0[socket.number] = socket }
    }

    func find(_ number: UInt64) -> Socket? { shards[Int(number & 15)].withLock { $0[number] } }

    @discardableResult
    func remove(_ number: UInt64) -> Socket? {
        let found = shards[Int(number & 15)].withLock { $0.removeValue(forKey: number) }
        if found != nil { count.subtract(1, ordering: .relaxed) }
        return found
    }

    func removeAll() { for shard in shards { shard.withLock { $0 = [:] } } }

    var all: [Socket] {
        shards.flatMap { shard in shard.withLock { Array($0.values) } }.sorted { $0.number < $1.number }
    }
}
