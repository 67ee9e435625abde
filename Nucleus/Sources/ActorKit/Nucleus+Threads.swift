import CChorus

/// Threads, mutexes and timers since ABI 1.1.
extension Nucleus {
    @inlinable @discardableResult
    public func threadScheduler(
        _ li: KnThreadLid, _ old: UnsafeMutablePointer<KnThreadSched>?, _ now: UnsafePointer<KnThreadSched>?
    ) -> Int32 {
        table.pointee.threadScheduler(table.pointee.`self`, li, old, now)
    }
    @inlinable @discardableResult
    public func threadName(
        _ li: KnThreadLid, _ old: UnsafeMutablePointer<CChar>?, _ now: UnsafePointer<CChar>?
    ) -> Int32 {
        table.pointee.threadName(table.pointee.`self`, li, old, now)
    }
    @inlinable @discardableResult public func threadStart(_ li: KnThreadLid) -> Int32 {
        table.pointee.threadStart(table.pointee.`self`, li)
    }
    @inlinable @discardableResult public func threadStop(_ li: KnThreadLid) -> Int32 {
        table.pointee.threadStop(table.pointee.`self`, li)
    }
    @inlinable @discardableResult
    public func threadDelayNs(_ nanoseconds: UInt64, _ flags: UInt32 = 0) -> Int32 {
        table.pointee.threadDelayNs(table.pointee.`self`, nanoseconds, flags)
    }
    @inlinable @discardableResult
    public func threadStat2(
        _ count: UnsafeMutablePointer<UInt32>?, _ stats: UnsafeMutablePointer<KnThreadStat2>?
    ) -> Int32 {
        table.pointee.threadStat2(table.pointee.`self`, count, stats)
    }
    @inlinable @discardableResult public func svGetInvoker(_ cap: UnsafeMutablePointer<KnCap>?) -> Int32 {
        table.pointee.svGetInvoker(table.pointee.`self`, cap)
    }
    @inlinable public func ptdKeyCreate() -> Int32 { table.pointee.ptdKeyCreate(table.pointee.`self`) }
    @inlinable @discardableResult public func ptdKeyDelete(_ key: Int32) -> Int32 {
        table.pointee.ptdKeyDelete(table.pointee.`self`, key)
    }
    @inlinable @discardableResult public func ptdSet(_ key: Int32, _ value: UInt64) -> Int32 {
        table.pointee.ptdSet(table.pointee.`self`, key, value)
    }
    @inlinable @discardableResult
    public func ptdGet(_ key: Int32, _ value: UnsafeMutablePointer<UInt64>?) -> Int32 {
        table.pointee.ptdGet(table.pointee.`self`, key, value)
    }
    @inlinable @discardableResult
    public func mutexInit(_ mutex: UnsafeMutablePointer<KnMutex>?, _ flags: UInt32 = 0) -> Int32 {
        table.pointee.mutexInit(table.pointee.`self`, mutex, flags)
    }
    @inlinable @discardableResult
    public func mutexGet(_ mutex: UnsafePointer<KnMutex>?, _ delay: Int32 = K_NOTIMEOUT) -> Int32 {
        table.pointee.mutexGet(table.pointee.`self`, mutex, delay)
    }
    @inlinable @discardableResult public func mutexTry(_ mutex: UnsafePointer<KnMutex>?) -> Int32 {
        table.pointee.mutexTry(table.pointee.`self`, mutex)
    }
    @inlinable @discardableResult public func mutexRel(_ mutex: UnsafePointer<KnMutex>?) -> Int32 {
        table.pointee.mutexRel(table.pointee.`self`, mutex)
    }
    @inlinable @discardableResult public func mutexDelete(_ mutex: UnsafeMutablePointer<KnMutex>?) -> Int32 {
        table.pointee.mutexDelete(table.pointee.`self`, mutex)
    }
    @inlinable @discardableResult
    public func timerCreate(
        _ event: UnsafePointer<KnUniqueId>?, _ bits: UInt32, _ timer: UnsafeMutablePointer<KnTimer>?
    ) -> Int32 {
        table.pointee.timerCreate(table.pointee.`self`, event, bits, timer)
    }
    @inlinable @discardableResult
    public func timerSet(
        _ timer: UnsafePointer<KnTimer>?, _ flags: UInt32, _ value: UInt64, _ interval: UInt64
    ) -> Int32 {
        table.pointee.timerSet(table.pointee.`self`, timer, flags, value, interval)
    }
    @inlinable @discardableResult
    public func timerGet(_ timer: UnsafePointer<KnTimer>?, _ stat: UnsafeMutablePointer<KnTimerStat>?) -> Int32 {
        table.pointee.timerGet(table.pointee.`self`, timer, stat)
    }
    @inlinable @discardableResult public func timerDelete(_ timer: UnsafeMutablePointer<KnTimer>?) -> Int32 {
        table.pointee.timerDelete(table.pointee.`self`, timer)
    }
}
