import ActorKit
import CChorus
import Glibc
import Synchronization

/// Threads of this server and waiting for their end.
final class ServerThreads: Sendable {
    let nucleus: Nucleus
    init(nucleus: Nucleus) { self.nucleus = nucleus }

    private final class Start: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// False where the nucleus gives no thread.
    func start(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
        let start = Unmanaged.passRetained(Start(body))
        var thread: KnThreadLid = 0
        let result = name.withCString { name in
            nucleus.threadCreate(
                { argument in
                    guard let argument else { return }
                    Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
                }, start.toOpaque(), 256 * 1024, name, &thread)
        }
        if result < 0 { start.release() }
        return result >= 0
    }
}

/// Wakes a thread that polls host descriptors: a host pipe, level-triggered, so that no kick is lost.
final class HostWake: Sendable {
    let reading: Int32
    private let writing: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        for end in ends where end >= 0 {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        reading = ends[0]
        writing = ends[1]
    }

    deinit {
        if reading >= 0 { close(reading) }
        if writing >= 0 { close(writing) }
    }

    func kick() {
        var byte: UInt8 = 1
        _ = write(writing, &byte, 1)  // full: a kick is already there
    }

    func drain() {
        var bytes: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        while read(reading, &bytes, 32) == 32 {}
    }
}
