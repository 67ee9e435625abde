import CChorus
import CMachine
import Glibc
import NucleusCore

/// The host behind one site. All its host calls are in `hostCalls.h`.
public final class LinuxHost: HostServices, @unchecked Sendable {
    // Sendable: hooks and closures are set before the site runs.
    private let hooks: UnsafeMutablePointer<host_hooks>

    /// Called around a wait that really blocks, on the blocking thread: another thread may take over what it served.
    public var willBlock: (@convention(c) () -> Void)?
    public var didBlock: (@convention(c) () -> Void)?
    public var threadEnded: (@Sendable (UnsafeMutableRawPointer) -> Void)?

    public init() {
        hooks = .allocate(capacity: 1)
        hooks.initialize(to: host_hooks())
        // Only a process with a thousand sites runs out of keys.
        if host_key_create(hooks) < 0 { abort() }
    }

    deinit {
        host_key_delete(hooks)
        hooks.deallocate()
    }

    /// Fault injection: `hook` sees every call (`HOST_CALL_*`) and returns 0 or the errno it is to fail with.
    public func injectFaults(
        _ cookie: UnsafeMutableRawPointer?, _ hook: (@convention(c) (UnsafeMutableRawPointer?, UInt32) -> Int32)?
    ) {
        hooks.pointee.cookie = cookie
        hooks.pointee.fault = hook
    }

    public func now() -> UInt64 { host_now() }

    public let ticks: @convention(c) () -> UInt64 = host_has_ticks() != 0 ? host_ticks : host_now

    public func realtime() -> (seconds: Int64, nanoseconds: Int64) {
        var seconds: Int64 = 0
        var nanoseconds: Int64 = 0
        host_realtime(&seconds, &nanoseconds)
        return (seconds, nanoseconds)
    }

    public func random(_ bytes: UnsafeMutableRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        // Names must not be guessable: without randomness there is no site.
        if host_random(base, bytes.count) < 0 { abort() }
    }

    public func wait(_ word: UnsafeMutablePointer<UInt32>, _ expected: UInt32, deadline: UInt64?) -> Bool {
        willBlock?()
        defer { didBlock?() }
        return host_futex_wait(word, expected, deadline ?? UInt64.max) == 0
    }

    public func wake(_ word: UnsafeMutablePointer<UInt32>, _ count: Int32) { host_futex_wake(word, count) }

    public var hostThread: Int32 { host_thread_id() }

    public func schedule(_ thread: Int32, of process: Int32, _ wish: Schedule) -> HostSchedule {
        var granted = HostSchedule()
        _ = host_schedule(
            hooks, process, thread, wish.policy, wish.priority, &granted.policy, &granted.priority)
        return granted
    }

    public func sharpenWaits() { host_sharpen_waits() }

    public var threadValue: UnsafeMutableRawPointer? {
        get { host_value(hooks) }
        set {
            let me = Unmanaged.passUnretained(self)
            let ended: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Void = { host, value in
                guard let host else { return }
                let me = Unmanaged<LinuxHost>.fromOpaque(host).takeRetainedValue()
                if let value { me.threadEnded?(value) }
            }
            // Every host thread with a value holds the host: it outlives their ends.
            if host_value_set(hooks, me.toOpaque(), ended, newValue) == 1 { _ = me.retain() }
        }
    }

    public func startThread(name: String, stackSize: Int, _ body: @escaping @Sendable () -> Void) -> Int32 {
        let box = Unmanaged.passRetained(ThreadBody(body))
        let code = host_thread_start(
            hooks, name, stackSize,
            { if let box = $0 { Unmanaged<ThreadBody>.fromOpaque(box).takeRetainedValue().body() } },
            box.toOpaque())
        if code < 0 { box.release() }
        return knCode(code)
    }
}

private final class ThreadBody {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// Local caches are host files: memfds, or files of the host as their own cache.
extension LinuxHost {
    public func cacheCreate(name: String, size: UInt64) -> Int32 {
        guard size <= UInt64(Int64.max) else { return K_EINVAL }
        return knCode(host_memfd(hooks, name.isEmpty ? "segment" : name, size))
    }
    public func cacheAdopt(_ descriptor: Int32) -> Int32 { knCode(host_dup(hooks, descriptor)) }
    public func cacheClose(_ cache: Int32) { host_close(cache) }

    public func cacheRead(_ cache: Int32, _ offset: UInt64, _ to: UnsafeMutableRawBufferPointer) -> Int {
        knCode(host_pread(hooks, cache, to.baseAddress, to.count, offset))
    }
    public func cacheWrite(_ cache: Int32, _ offset: UInt64, _ from: UnsafeRawBufferPointer) -> Int {
        knCode(host_pwrite(hooks, cache, from.baseAddress, from.count, offset))
    }
    public func cacheTruncate(_ cache: Int32, _ size: UInt64) -> Int32 { knCode(host_truncate(hooks, cache, size)) }
    public func cachePunch(_ cache: Int32, _ offset: UInt64, _ size: UInt64) -> Int32 {
        knCode(host_punch(hooks, cache, offset, size))
    }
    public func cacheSeek(_ cache: Int32, _ offset: UInt64, hole: Bool) -> Int64 {
        Int64(knCode(host_seek(hooks, cache, offset, hole ? 1 : 0)))
    }
    public func cacheSync(_ cache: Int32) -> Int32 { knCode(host_sync(hooks, cache)) }
    public func cacheSize(_ cache: Int32) -> (size: UInt64, resident: UInt64) {
        var size: UInt64 = 0
        var resident: UInt64 = 0
        _ = host_size(hooks, cache, &size, &resident)
        return (size, resident)
    }
}

/// A host result as a nucleus code: results stay, -errno becomes the nearest `K_*`.
@inline(__always) func knCode<Value: FixedWidthInteger & SignedInteger>(_ result: Value) -> Value {
    result >= 0 ? result : Value(knError(Int32(truncatingIfNeeded: -result)))
}

private func knCode(_ result: Int64) -> Int {
    result >= 0 ? Int(result) : Int(knError(Int32(truncatingIfNeeded: -result)))
}

private func knError(_ error: Int32) -> Int32 {
    switch error {
    case ENOMEM, ENOSPC, EDQUOT, EMFILE, ENFILE, EAGAIN: K_ENOMEM
    case EINVAL: K_EINVAL
    case EFAULT: K_EFAULT
    case EBADF, EPERM, EACCES, EROFS: K_EPRIV
    case EFBIG: K_ETOOBIG
    case ENXIO: K_EUNKNOWN
    case EOPNOTSUPP, ENOSYS: K_ENOSYS
    default: K_EHOST
    }
}
