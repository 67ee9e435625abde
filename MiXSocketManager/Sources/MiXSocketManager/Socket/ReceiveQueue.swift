import CMiXSocket

/// What travels beside the data of a message.
struct Ancillary {
    var sender: Address = .unnamed
    var rights: [MixSocketRight] = []
    var credentials: Credentials?
    /// Of a packet: where it was sent to, hops left, class of service.
    var packet: (destination: InetAddress, hops: Int32, service: Int32)?
    /// When it came, in nanoseconds since 1970 (SO_TIMESTAMP).
    var time: Int64 = 0

    var isEmpty: Bool { rights.isEmpty && credentials == nil && sender == .unnamed && packet == nil && time == 0 }
}

/// Data that waits to be received: bytes in a ring, and records that say where messages end and what came with them.
/// Under the lock of the socket.
struct ReceiveQueue {
    private final class Extra {
        var value: Ancillary
        init(_ value: Ancillary) { self.value = value }
    }

    private struct Record {
        var size: Int
        var extra: Extra?
    }

    private var ring = ByteRing()
    private var records: [Record] = []
    private var first = 0  // record that comes next

    /// Bytes that wait.
    var count: Int { ring.count }
    /// Messages that wait; of a stream: at least one while bytes do.
    var messages: Int { records.count - first }
    var isEmpty: Bool { messages == 0 }
    /// Of the message that comes next.
    var firstSize: Int { isEmpty ? 0 : records[first].size }

    /// A message of its own.
    mutating func append(message bytes: UnsafeRawBufferPointer, _ ancillary: Ancillary) {
        ring.append(bytes)
        records.append(Record(size: bytes.count, extra: ancillary.isEmpty ? nil : Extra(ancillary)))
    }

    /// Bytes of a stream: they go on with what is there, unless something travels with either.
    mutating func append(stream bytes: UnsafeRawBufferPointer, _ ancillary: Ancillary) {
        if bytes.isEmpty { return }
        if !isEmpty, ancillary.rights.isEmpty {
            let last = records.count - 1
            let before = records[last].extra?.value
            if before?.rights.isEmpty ?? true, before?.credentials == ancillary.credentials {
                ring.append(bytes)
                records[last].size += bytes.count
                return
            }
        }
        append(message: bytes, ancillary)
    }

    /// Up to `target.count` bytes of the next record. `skip`: of those, how many have been looked at already.
    func peek(_ target: UnsafeMutableRawBufferPointer, skip: Int = 0) -> Int {
        guard !isEmpty else { return 0 }
        let count = max(0, min(target.count, records[first].size - skip))
        ring.copy(from: skip, to: UnsafeMutableRawBufferPointer(rebasing: target[..<count]))
        return count
    }

    /// What travels with the next record.
    var ancillary: Ancillary { isEmpty ? Ancillary() : records[first].extra?.value ?? Ancillary() }

    /// Takes `count` bytes of the next record; what came with it is taken with its first ones. `all`: the rest is thrown away.
    mutating func take(_ count: Int, all: Bool) {
        guard !isEmpty else { return }
        let count = all ? records[first].size : min(count, records[first].size)
        ring.drop(count)
        records[first].size -= count
        records[first].extra?.value.rights = []
        if records[first].size == 0 { dropRecord() }
    }

    private mutating func dropRecord() {
        records[first].extra = nil
        first += 1
        if first == records.count {
            records.removeAll(keepingCapacity: records.count <= 64)
            first = 0
        } else if first >= 64, first * 2 >= records.count {
            records.removeFirst(first)
            first = 0
        }
    }

    /// Everything goes; the descriptors that were in it.
    mutating func removeAll() -> [MixSocketRight] {
        let rights = self.rights
        self = ReceiveQueue()
        return rights
    }

    /// Descriptors on their way.
    var rights: [MixSocketRight] {
        var all: [MixSocketRight] = []
        for record in records[first...] { if let rights = record.extra?.value.rights { all += rights } }
        return all
    }

    /// Whether the record behind the next one may be received together with it (a stream's bytes).
    func continues(after ancillary: Ancillary) -> Bool {
        guard !isEmpty else { return false }
        let next = records[first].extra?.value
        return next?.rights.isEmpty ?? true && ancillary.rights.isEmpty && next?.credentials == ancillary.credentials
    }
}
