import Synchronization

/// Objects by 64-bit name, in shards with a lock each, so that look-ups of different names seldom meet.
final class ShardTable<Value: AnyObject & Sendable>: @unchecked Sendable {
    // Sendable: the shard array never changes; each shard is behind its own lock.
    private static var shardCount: Int { 64 }
    private let shards: UnsafeMutablePointer<Mutex<[UInt64: Value]>>

    init() {
        shards = .allocate(capacity: Self.shardCount)
        for i in 0..<Self.shardCount { (shards + i).initialize(to: Mutex([:])) }
    }

    deinit {
        shards.deinitialize(count: Self.shardCount)
        shards.deallocate()
    }

    @inline(__always) private func shard(_ name: UInt64) -> UnsafeMutablePointer<Mutex<[UInt64: Value]>> {
        shards + Int(truncatingIfNeeded: name & 63)
    }

    @inline(__always) func find(_ name: UInt64) -> Value? { shard(name).pointee.withLock { $0[name] } }

    /// False if the name is taken.
    func insert(_ name: UInt64, _ value: Value) -> Bool {
        shard(name).pointee.withLock {
            if $0[name] != nil { return false }
            $0[name] = value
            return true
        }
    }

    @discardableResult func remove(_ name: UInt64) -> Value? {
        shard(name).pointee.withLock { $0.removeValue(forKey: name) }
    }

    /// Only if it is this very object that has the name.
    func remove(_ name: UInt64, _ value: Value) {
        shard(name).pointee.withLock { if $0[name] === value { $0[name] = nil } }
    }

    /// A copy of all objects, taken shard by shard.
    var all: [Value] {
        var values: [Value] = []
        for i in 0..<Self.shardCount { values.append(contentsOf: shards[i].withLock { Array($0.values) }) }
        return values
    }
}
