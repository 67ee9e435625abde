import CMiXFile

/// A pipe or FIFO (pipe(7)): the ring, who holds which end, and who waits.
///
/// Knows nothing of guests: its ends copy between it and a guest's memory.
final class Pipe: @unchecked Sendable {
    // Sendable: `state` is guarded by `lock`, the rest is constant.
    /// What an attempt to move bytes came to.
    enum Moved: Equatable {
        case bytes(Int)
        /// Nothing could be moved now.
        case mustWait
        /// Reading: end of file. Writing: nobody reads.
        case ended
    }

    static let defaultCapacity = 65536
    static let maximalCapacity = 1 << 20
    /// PIPE_BUF: writes up to this size are not torn.
    static let atomic = 4096

    private struct State: ~Copyable {
        var ring = PipeRing(capacity: Pipe.defaultCapacity)
        var readers = 0
        var writers = 0
        /// Counts of ends ever opened: an open of a FIFO waits for the other side's count to move.
        var readersSeen: UInt64 = 0
        var writersSeen: UInt64 = 0
    }

    private let lock = Lock()
    private var state = State()
    /// Woken for readers: data came, or the last writer went.
    let readable = PollSource()
    /// Woken for writers: room came, or the last reader went.
    let writable = PollSource()
    let inode: UInt64
    let attributes: OwnAttributes

    init(inode: UInt64, owner: MixCred = MixCred()) {
        self.inode = inode
        attributes = OwnAttributes(permissions: 0o600, owner: owner)
    }

    private func locked<R>(_ body: (inout State) -> R) -> R { lock.withLock { body(&state) } }

    // MARK: Ends

    /// How many of each side there are now and have ever been.
    struct Ends: Equatable {
        var readers = 0, writers = 0
        var readersSeen: UInt64 = 0, writersSeen: UInt64 = 0
    }

    var ends: Ends {
        locked {
            Ends(readers: $0.readers, writers: $0.writers, readersSeen: $0.readersSeen, writersSeen: $0.writersSeen)
        }
    }

    func attach(reading: Bool, writing: Bool) {
        locked {
            if reading {
                $0.readers += 1
                $0.readersSeen += 1
            }
            if writing {
                $0.writers += 1
                $0.writersSeen += 1
            }
        }
        if reading { writable.notify() }
        if writing { readable.notify() }
    }

    func detach(reading: Bool, writing: Bool) {
        let (noReader, noWriter) = locked {
            if reading { $0.readers -= 1 }
            if writing { $0.writers -= 1 }
            return (reading && $0.readers == 0, writing && $0.writers == 0)
        }
        if noReader { writable.notify() }
        if noWriter { readable.notify() }
    }

    // MARK: Data

    /// Takes up to `size` bytes.
    func take(into target: UnsafeMutableRawPointer, size: Int, orElse enlist: () -> Void = {}) -> Moved {
        var freed = false
        let moved: Moved = locked {
            if $0.ring.count == 0 {
                if $0.writers == 0 { return .ended }
                enlist()
                return .mustWait
            }
            let taken = $0.ring.read(into: target, size: size)
            // Writers of up to PIPE_BUF bytes can go on from here; waking them earlier would only make them ask again.
            freed = $0.ring.room >= Pipe.atomic && $0.ring.room - taken < Pipe.atomic || $0.ring.count == 0
            return .bytes(taken)
        }
        if freed { writable.notify() }
        return moved
    }

    /// Copies without taking (tee).
    func peek(into target: UnsafeMutableRawPointer, size: Int) -> Moved {
        locked {
            if $0.ring.count == 0 { return $0.writers == 0 ? .ended : .mustWait }
            return .bytes($0.ring.peek(into: target, size: size))
        }
    }

    /// Takes bytes that were peeked at.
    func drop(_ count: Int) {
        locked { $0.ring.drop(count) }
        writable.notify()
    }

    /// Puts in what fits of `size` bytes; all or nothing up to PIPE_BUF, for which `whole` is the write's full size.
    func put(_ bytes: UnsafeRawPointer, size: Int, whole: Int, orElse enlist: () -> Void = {}) -> Moved {
        let moved: Moved = locked {
            if $0.readers == 0 { return .ended }
            let room = $0.ring.room
            if room == 0 || whole <= Pipe.atomic && room < size {
                enlist()
                return .mustWait
            }
            let taken = min(room, size)
            $0.ring.append(bytes, size: taken)
            return .bytes(taken)
        }
        if case .bytes = moved { readable.notify() }
        return moved
    }

    /// Whether a write of `whole` bytes could begin: asked before the data is fetched.
    func admits(whole: Int, orElse enlist: () -> Void = {}) -> Moved {
        locked {
            if $0.readers == 0 { return .ended }
            let room = $0.ring.room
            if room == 0 || whole <= Pipe.atomic && room < whole {
                enlist()
                return .mustWait
            }
            return .bytes(room)
        }
    }

    var count: Int { locked { $0.ring.count } }
    var capacity: Int { locked { $0.ring.capacity } }

    /// F_SETPIPE_SZ: the capacity it now has; nil when the bytes inside do not fit.
    func resize(to wanted: Int) -> Int? {
        var size = Pipe.atomic
        while size < wanted { size *= 2 }
        let capacity: Int? = locked { $0.ring.resize(to: size) ? size : nil }
        writable.notify()
        return capacity
    }

    /// Poll bits as pipe(7) and poll(2) give them for an end.
    func events(reading: Bool, writing: Bool) -> UInt32 {
        locked {
            var events: UInt32 = 0
            if reading {
                if $0.ring.count > 0 { events |= PollBits.input | PollBits.readNormal }
                if $0.writers == 0 && $0.writersSeen > 0 { events |= PollBits.hangUp }
            }
            if writing {
                if $0.readers == 0 {
                    events |= PollBits.error
                }
                if $0.ring.room >= Pipe.atomic { events |= PollBits.output | PollBits.writeNormal }
            }
            return events
        }
    }
}
