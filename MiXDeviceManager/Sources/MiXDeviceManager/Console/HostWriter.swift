import ActorKit
import CChorus
import Glibc
import Synchronization

/// Where a HostWriter gets its bytes.
protocol OutputSource: AnyObject, Sendable {
    /// Bytes, and the epoch that they are of.
    func takeOutput(into buffer: UnsafeMutableRawBufferPointer) -> (count: Int, epoch: UInt64)
    /// Grows when output is thrown away, on its way to the host too (^C, tcflush(3)).
    var outputEpoch: UInt64 { get }
    /// Bytes were taken, or the last one arrived.
    func outputMoved()
    func outputFailed(_ code: Int32)
}

/// Carries a source's bytes to a host descriptor.
///
/// Whoever has output kicks; the first one writes for all, as long as the host takes bytes without blocking. When it
/// does not, a thread waits for the host and goes on. The host's descriptor is shared with the world outside, so its
/// flags are never touched: a terminal or pipe is opened anew for writing without blocking.
final class HostWriter: @unchecked Sendable {
    // Sendable: `chunk`, `from`, `to`, `epoch` and `failed` belong to the holder of the writer's role (`requests` > 0).
    private let descriptor: Int32
    private let owned: Bool
    private let style: Style
    private let threads: ServerThreads
    private let wake = HostWake()
    private let handOver: SemaphoreHandle
    private let ended: SemaphoreHandle
    private let requests = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    /// The epoch in which a waiting writer was last woken.
    private let told = Atomic<UInt64>(0)
    private let source = Mutex<(any OutputSource)?>(nil)
    private let thread = Mutex(false)
    private let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 16384, alignment: 16)
    private var from = 0
    private var to = 0
    private var epoch: UInt64 = 0
    private var failed = false

    private enum Style { case nonblocking, socket, blocking }

    init(descriptor: Int32, threads: ServerThreads) {
        self.threads = threads
        handOver = SemaphoreHandle(threads.nucleus)
        ended = SemaphoreHandle(threads.nucleus)
        var status = stat()
        _ = fstat(descriptor, &status)
        let type = status.st_mode & S_IFMT
        if type == S_IFSOCK {
            (self.descriptor, owned, style) = (descriptor, false, .socket)
        } else if type == S_IFREG || (type == S_IFCHR && isatty(descriptor) == 0) {
            (self.descriptor, owned, style) = (descriptor, false, .nonblocking)
        } else {
            let own = open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
            if own >= 0 {
                (self.descriptor, owned, style) = (own, true, .nonblocking)
            } else {
                (self.descriptor, owned, style) = (descriptor, false, .blocking)
            }
        }
    }

    deinit {
        if owned { close(descriptor) }
        chunk.deallocate()
    }

    /// Output is on its way.
    var pending: Bool { requests.load(ordering: .acquiring) != 0 }

    func kick(_ source: any OutputSource) {
        guard requests.add(1, ordering: .acquiringAndReleasing).oldValue == 0 else {
            // Who writes may be waiting for the host with what nobody wants any more.
            let epoch = source.outputEpoch
            if told.exchange(epoch, ordering: .relaxed) != epoch { wake.kick() }
            return
        }
        if style == .blocking {
            passOn(source)
        } else {
            drain(source, mayBlock: false)
        }
    }

    /// Runs with the writer's role, and gives it up when nothing is left.
    private func drain(_ source: any OutputSource, mayBlock: Bool) {
        while true {
            let seen = requests.load(ordering: .acquiring)
            while true {
                if from == to {
                    from = 0
                    let taken = source.takeOutput(into: chunk)
                    to = taken.count
                    if taken.epoch != epoch {
                        epoch = taken.epoch
                        flushHost()
                    }
                    if to == 0 { break }
                    source.outputMoved()
                }
                if failed {
                    from = to
                    continue
                }
                let count = hostWrite(UnsafeRawBufferPointer(rebasing: chunk[from..<to]))
                if count > 0 {
                    from += count
                } else if count == -EAGAIN {
                    if mayBlock { waitForHost() } else { return passOn(source) }
                    if stopping.load(ordering: .relaxed) { return }
                    if source.outputEpoch != epoch { from = to }
                } else if count != -EINTR {
                    failed = true
                    source.outputFailed(Int32(-count))
                }
            }
            if requests.compareExchange(expected: seen, desired: 0, ordering: .acquiringAndReleasing).exchanged {
                break
            }
        }
        source.outputMoved()
    }

    private func hostWrite(_ bytes: UnsafeRawBufferPointer) -> Int {
        if style == .socket {
            let count = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            return count < 0 ? -Int(errno) : count
        }
        return withoutPipeSignal { () -> Int in
            let count = write(descriptor, bytes.baseAddress, bytes.count)
            return count < 0 ? -Int(errno) : count
        }
    }

    /// What a host terminal has not shown yet is thrown away with the rest. Not from the background, where it would stop us.
    private func flushHost() {
        guard style == .nonblocking, isatty(descriptor) == 1 else { return }
        let foreground = tcgetpgrp(descriptor)
        if foreground < 0 || foreground == getpgrp() { tcflush(descriptor, TCOFLUSH) }
    }

    private func waitForHost() {
        var polled = [
            pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0),
            pollfd(fd: wake.reading, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&polled, 2, -1)
        wake.drain()
    }

    /// The role goes to the thread, which is started the first time.
    private func passOn(_ source: any OutputSource) {
        self.source.withLock { $0 = source }
        let running = thread.withLock { running in
            if !running { running = threads.start("host-writer", { [self] in run() }) }
            return running
        }
        if running {
            handOver.signal()
        } else {
            drain(source, mayBlock: true)  // no thread to be had: this one waits
        }
    }

    private func run() {
        while true {
            handOver.wait(milliseconds: K_NOTIMEOUT)
            if stopping.load(ordering: .acquiring) { break }
            let source = source.withLock { source in
                let mine = source
                source = nil
                return mine
            }
            if let source { drain(source, mayBlock: true) }
            if stopping.load(ordering: .acquiring) { break }
        }
        ended.signal()
    }

    /// Nobody writes any more: what was taken from the source and not written, and of which epoch. nil: the host holds the
    /// thread. Nobody kicks meanwhile.
    func rest() -> (bytes: [UInt8], epoch: UInt64)? {
        guard shutdown() else { return nil }
        stopping.store(false, ordering: .releasing)
        thread.withLock { $0 = false }
        requests.store(0, ordering: .releasing)
        return (Array(chunk[from..<to]), epoch)
    }

    /// What `rest` of another writer gave. A kick makes it go on.
    func restore(_ bytes: [UInt8], epoch: UInt64) {
        from = 0
        to = min(bytes.count, chunk.count)
        chunk.copyBytes(from: bytes[..<to])
        self.epoch = epoch
    }

    func shutdown() -> Bool {
        stopping.store(true, ordering: .releasing)
        guard thread.withLock({ $0 }) else { return true }
        wake.kick()
        handOver.signal()
        return ended.wait(milliseconds: 2000)
    }
}

/// Runs `body` so that a broken pipe is an error number and no signal, whatever the process has set for SIGPIPE.
func withoutPipeSignal<R>(_ body: () -> R) -> R {
    var pipeOnly = sigset_t()
    var old = sigset_t()
    sigemptyset(&pipeOnly)
    sigaddset(&pipeOnly, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &pipeOnly, &old)
    let result = body()
    if sigismember(&old, SIGPIPE) == 0 {
        var none = timespec()
        _ = sigtimedwait(&pipeOnly, nil, &none)
        pthread_sigmask(SIG_SETMASK, &old, nil)
    }
    return result
}
