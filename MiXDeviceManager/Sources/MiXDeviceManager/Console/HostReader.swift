import ActorKit
import CChorus
import Glibc
import Synchronization

/// Where a HostReader brings its bytes.
protocol InputSink: AnyObject, Sendable {
    /// Returns how many were taken; after less than all the sink kicks the reader when there is room.
    func input(_ bytes: UnsafeRawBufferPointer) -> Int
    /// How much it makes sense to read from the host now.
    var inputSpace: Int { get }
    /// End of file (0) or the host's error.
    func inputEnded(_ code: Int32)
}

/// Reads a host descriptor on a thread of its own, started at the first need: input nobody asks for stays with the
/// host. While the sink is full the host is not read.
final class HostReader: Sendable {
    private let descriptor: Int32
    private let threads: ServerThreads
    private let wake = HostWake()
    private let ended: SemaphoreHandle
    private let stopping = Atomic<Bool>(false)
    private let started = Mutex(false)
    /// Read from the host, and not taken by the sink when the thread ended.
    private let kept = Mutex<[UInt8]>([])

    init(descriptor: Int32, threads: ServerThreads) {
        self.descriptor = descriptor
        self.threads = threads
        ended = SemaphoreHandle(threads.nucleus)
    }

    func start(_ sink: any InputSink) {
        started.withLock { started in
            if !started { started = threads.start("host-reader", { [self] in run(sink) }) }
        }
    }

    /// The sink has room again.
    func kick() { wake.kick() }

    private func run(_ sink: any InputSink) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16384, alignment: 16)
        defer {
            buffer.deallocate()
            ended.signal()
        }
        var from = 0
        var to = kept.withLock { kept in
            let count = min(kept.count, buffer.count)
            buffer.copyBytes(from: kept[..<count])
            kept = []
            return count
        }
        defer { if from < to { kept.withLock { $0 = Array(buffer[from..<to]) } } }
        while !stopping.load(ordering: .acquiring) {
            if from < to {
                from += sink.input(UnsafeRawBufferPointer(rebasing: buffer[from..<to]))
                if from == to { continue }
            }
            let space = from == to ? min(buffer.count, sink.inputSpace) : 0
            var polled = [
                pollfd(fd: wake.reading, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            ]
            // A full sink: only its kick counts.
            if poll(&polled, space > 0 ? 2 : 1, -1) < 0 && errno != EINTR { return sink.inputEnded(errno) }
            if polled[0].revents != 0 { wake.drain() }
            guard space > 0, polled[1].revents != 0 else { continue }
            let count = read(descriptor, buffer.baseAddress, space)
            if count > 0 {
                (from, to) = (0, count)
            } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
                return sink.inputEnded(count == 0 ? 0 : errno)
            }
        }
    }

    /// The thread has ended, and no byte of the host is lost: where it ran, and what nobody took. nil: it does not end.
    func rest() -> (isStarted: Bool, kept: [UInt8])? {
        guard shutdown() else { return nil }
        stopping.store(false, ordering: .releasing)
        let isStarted = started.withLock { started in
            defer { started = false }
            return started
        }
        return (isStarted, kept.withLock { $0 })
    }

    /// What `rest` of another reader gave, or of this one. Before `start`.
    func restore(_ bytes: [UInt8]) { kept.withLock { $0 = bytes } }

    func shutdown() -> Bool {
        stopping.store(true, ordering: .releasing)
        guard started.withLock({ $0 }) else { return true }
        wake.kick()
        return ended.wait(milliseconds: 2000)
    }
}
