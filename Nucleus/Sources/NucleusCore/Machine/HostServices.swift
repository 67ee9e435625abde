import CChorus

/// What the portable nucleus needs of the machine it runs on. The nucleus makes no host call but through this.
///
/// Errors are negative `K_*` codes; times are CLOCK_MONOTONIC nanoseconds.
public protocol HostServices: AnyObject, Sendable {
    func now() -> UInt64
    /// A clock that may be read often: steady, the same on all processors, of whatever rate.
    var ticks: @convention(c) () -> UInt64 { get }
    /// CLOCK_REALTIME, for modification times.
    func realtime() -> (seconds: Int64, nanoseconds: Int64)
    /// Blocks while `word` holds `expected`; false when `deadline` (nil: never) has passed. Spurious returns allowed.
    /// The machine lets another nucleus thread take over whatever the calling one was serving.
    func wait(_ word: UnsafeMutablePointer<UInt32>, _ expected: UInt32, deadline: UInt64?) -> Bool
    func wake(_ word: UnsafeMutablePointer<UInt32>, _ count: Int32)
    func random(_ bytes: UnsafeMutableRawBufferPointer)
    func startThread(name: String, stackSize: Int, _ body: @escaping @Sendable () -> Void) -> Int32
    /// The number of the calling host thread.
    var hostThread: Int32 { get }
    /// Runs `thread` of host process `process` (0: this one) under a schedule, or the nearest to it that the host
    /// allows; what the host has made of it. A thread that is not of that process is left alone.
    func schedule(_ thread: Int32, of process: Int32, _ wish: Schedule) -> HostSchedule
    /// From now on waits of the calling thread end as close to their deadline as the host can make it.
    func sharpenWaits()
    /// The value kept for the calling host thread, or nil: which nucleus thread it is.
    var threadValue: UnsafeMutableRawPointer? { get set }
    /// Called with the value of a host thread that ends while it still has one.
    var threadEnded: (@Sendable (UnsafeMutableRawPointer) -> Void)? { get set }

    // Local caches. A cache is a host file descriptor; offsets and sizes in bytes; results bytes moved.
    func cacheCreate(name: String, size: UInt64) -> Int32
    func cacheAdopt(_ descriptor: Int32) -> Int32
    func cacheClose(_ cache: Int32)
    func cacheRead(_ cache: Int32, _ offset: UInt64, _ to: UnsafeMutableRawBufferPointer) -> Int
    func cacheWrite(_ cache: Int32, _ offset: UInt64, _ from: UnsafeRawBufferPointer) -> Int
    func cacheTruncate(_ cache: Int32, _ size: UInt64) -> Int32
    func cachePunch(_ cache: Int32, _ offset: UInt64, _ size: UInt64) -> Int32
    func cacheSeek(_ cache: Int32, _ offset: UInt64, hole: Bool) -> Int64
    func cacheSync(_ cache: Int32) -> Int32
    // Memory of this process. Sizes are whole pages; options K_READABLE ... of regions.
    /// Fresh memory, or a cache from `offset` (else -1), at `start` if nothing is there (K_EEXIST), or anywhere (0).
    /// The address, or a code.
    func memoryMap(
        _ start: UInt64, _ size: UInt64, _ options: UInt32, _ cache: Int32, _ offset: UInt64, shared: Bool
    ) -> Int64
    /// `stays`: the addresses are not to be used for anything else, and read as zeros.
    func memoryUnmap(_ start: UInt64, _ size: UInt64, stays: Bool)
    func memoryProtect(_ start: UInt64, _ size: UInt64, _ options: UInt32) -> Int32
    /// Another descriptor of a cache, which cannot write.
    func cacheReopen(_ cache: Int32) -> Int32
    /// Bytes, and bytes of memory or disk held.
    func cacheSize(_ cache: Int32) -> (size: UInt64, resident: UInt64)
}
