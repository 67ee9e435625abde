import CBusHost
import Glibc
import Synchronization

/// A UNIX socket of the host as the far end of a line: one peer at a time, and while there is none what is sent is lost, as on
/// a line with nothing on it. A thread waits for the host.
final class LineSocket: LineEnd, @unchecked Sendable {
    // Sendable: constants, and state behind the lock, which is held for no time and below which nothing is locked.
    private let path: String
    private let listener: Int32
    private let wake: (reading: Int32, writing: Int32)
    private let lock = Lock()
    private var peer: Int32 = -1
    private var input: [UInt8] = []
    /// The peer takes no more for now.
    private var isStuck = false
    private var isOver = false
    private var isBound = false
    private let hasEnded = Atomic<Bool>(true)
    private static let most = 4096

    init(_ path: String) throws(DeviceProblem) {
        self.path = path
        var ends: [Int32] = [-1, -1]
        guard bus_pipe(&ends) == 0 else { throw DeviceProblem("\(path): no pipe") }
        wake = (ends[0], ends[1])
        let made = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        guard made >= 0 else {
            for end in ends { close(end) }
            throw DeviceProblem("\(path): no socket")
        }
        listener = made
        fchmod(made, 0o600)
        isBound = Self.bindTo(path, made)
        if isBound && listen(made, 4) == 0 { return }
        throw DeviceProblem("\(path): no socket can be there: \(String(cString: strerror(errno)))")  // deinit closes
    }

    deinit {
        unlinkOnce()
        for descriptor in [listener, peer, wake.reading, wake.writing] where descriptor >= 0 { close(descriptor) }
    }

    private func unlinkOnce() {
        let mine = lock.with {
            defer { isBound = false }
            return isBound
        }
        if mine { unlink(path) }
    }

    /// In the place of a socket that nobody serves any more. False: errno.
    private static func bindTo(_ path: String, _ made: Int32) -> Bool {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: name.sun_path) else {
            errno = ENAMETOOLONG
            return false
        }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        return withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let size = socklen_t(MemoryLayout<sockaddr_un>.size)
                if bind(made, address, size) == 0 { return true }
                guard errno == EADDRINUSE else { return false }
                let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
                defer { close(probe) }
                let isDead = connect(probe, address, size) != 0 && errno == ECONNREFUSED
                if isDead, unlink(path) == 0 { return bind(made, address, size) == 0 }
                errno = EADDRINUSE
                return false
            }
        }
    }

    // MARK: the device's side

    func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        lock.with {
            guard peer >= 0 else { return bytes.count }
            let count = Glibc.send(peer, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            if count < 0, errno != EAGAIN, errno != EINTR { return bytes.count }  // it is gone; the thread finds out
            if count < bytes.count {
                isStuck = true
                kick()
            }
            return max(0, count)
        }
    }

    func receive(_ target: UnsafeMutableRawBufferPointer) -> Int {
        lock.with {
            let taken = min(target.count, input.count)
            if taken > 0, input.count == Self.most { kick() }
            target.copyBytes(from: input[..<taken])
            input.removeFirst(taken)
            return taken
        }
    }

    func reset() { lock.with { input = [] } }

    private func kick() {
        var byte: UInt8 = 1
        _ = write(wake.writing, &byte, 1)  // full: a kick is already there
    }

    func plug(_ device: BusDevice) throws(DeviceProblem) {
        hasEnded.store(false, ordering: .releasing)
        if device.startThread("line", { [weak device, self] in run { device?.arrive() } }) { return }
        hasEnded.store(true, ordering: .releasing)
        throw DeviceProblem("\(device.name): no thread for its line")
    }

    func unplug() {
        lock.with { isOver = true }
        kick()
        for _ in 0..<2000 where !hasEnded.load(ordering: .acquiring) { usleep(1000) }
        unlinkOnce()
    }

    var isConnected: Bool { lock.with { peer >= 0 } }
    var isLoop: Bool { false }
    var notes: String { "far end \(path), " + (isConnected ? "connected" : "nobody there") }

    // MARK: the host's side

    private func run(_ tell: () -> Void) {
        var buffer = [UInt8](repeating: 0, count: Self.most)
        while let (descriptor, events) = lock.with({ isOver ? nil : wanted }) {
            var polled = [
                pollfd(fd: wake.reading, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor, events: events, revents: 0),
            ]
            _ = poll(&polled, 2, -1)
            if polled[0].revents != 0 { while read(wake.reading, &buffer, buffer.count) > 0 {} }
            if polled[1].revents != 0, lock.with({ serve(polled[1].revents, &buffer) }) { tell() }
        }
        hasEnded.store(true, ordering: .releasing)
    }

    private var wanted: (Int32, Int16) {
        if peer < 0 { return (listener, Int16(POLLIN)) }
        let events = (input.count < Self.most ? POLLIN : 0) | (isStuck ? POLLOUT : 0)
        // Nothing is wanted of it: not even its end is noticed before there is room again.
        return (events == 0 ? -1 : peer, Int16(events))
    }

    /// Whether the device is to look.
    private func serve(_ events: Int16, _ buffer: inout [UInt8]) -> Bool {
        guard peer >= 0 else {
            peer = bus_accept(listener)
            return peer >= 0
        }
        if events & Int16(POLLOUT) != 0 { isStuck = false }
        if events & Int16(POLLIN | POLLHUP | POLLERR) != 0, input.count < Self.most {
            let count = read(peer, &buffer, Self.most - input.count)
            if count > 0 {
                input += buffer[..<count]
            } else if count == 0 || errno != EAGAIN && errno != EINTR {
                close(peer)
                (peer, isStuck) = (-1, false)
            }
        }
        return true
    }
}
