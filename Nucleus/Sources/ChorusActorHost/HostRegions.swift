import CChorus
import Glibc
import KnLane
import Synchronization

/// Regions of the actor: the nucleus keeps their list, the memory is this process's.
final class HostRegions: @unchecked Sendable {  // Sendable: constants, and what the lock orders.
    private let allocate, map, initialise, free, protect: UInt32
    /// One call at a time: the descriptor that comes is that call's.
    private let turn = Mutex(())
    /// Descriptors that have come and not been taken: a pipe would do, a list and a semaphore are simpler.
    private let descriptors = Mutex<[Int32]>([])
    private let ready = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init(_ plans: CallPlans) {
        allocate = plans.number(of: "rgnAllocate")
        map = plans.number(of: "rgnMap")
        initialise = plans.number(of: "rgnInit")
        free = plans.number(of: "rgnFree")
        protect = plans.number(of: "rgnSetProtect")
        sem_init(ready, 0, 0)
    }

    /// On the thread that receives them.
    func arrived(_ descriptor: Int32) {
        descriptors.withLock { $0.append(descriptor) }
        sem_post(ready)
    }

    private func takeDescriptor() -> Int32 {
        while sem_wait(ready) != 0 {}
        return descriptors.withLock { $0.removeFirst() }
    }

    /// Makes a call; one on regions of the own actor (NULL) is carried out here once the nucleus has agreed.
    func perform(_ op: UInt32, _ slots: UnsafeMutablePointer<UInt64>, _ call: () -> Int64) -> Int64 {
        guard op >= allocate, op <= protect, slots[0] == 0,
            let region = UnsafeMutablePointer<KnRgnDesc>(bitPattern: UInt(slots[1]))
        else { return call() }
        switch op {
        case allocate: return make(region, offset: nil, shared: false, call)
        case map, initialise:
            let object = UnsafePointer<KnObjDesc>(bitPattern: UInt(slots[2]))
            return make(region, offset: object?.pointee.startOffset ?? 0, shared: op == map, call)
        case free: return change(region, call) { munmap($0, $1) }
        case protect:
            let access = protection(region.pointee.options)
            return change(region, call) { mprotect($0, $1, access) }
        default: return call()
        }
    }

    private func protection(_ options: UInt32) -> Int32 {
        if options & K_RESERVED != 0 { return PROT_NONE }
        return (options & K_READABLE != 0 ? PROT_READ : 0) | (options & K_WRITABLE != 0 ? PROT_WRITE : 0)
            | (options & K_EXECUTABLE != 0 ? PROT_EXEC : 0)
    }

    private func size(_ region: KnRgnDesc) -> Int? {
        let (size, over) = region.size.addingReportingOverflow(4095)
        return over || size >= UInt64(Int64.max) ? nil : Int(size & ~4095)
    }

    /// Takes the addresses first, since only here is known which are free.
    private func make(
        _ region: UnsafeMutablePointer<KnRgnDesc>, offset: UInt64?, shared: Bool, _ call: () -> Int64
    ) -> Int64 {
        let options = region.pointee.options
        guard let size = size(region.pointee), size > 0, region.pointee.startAddr & 4095 == 0 else { return call() }
        let fixed = options & K_ANYWHERE == 0
        if fixed, region.pointee.startAddr == 0 { return call() }
        let wanted = fixed ? UnsafeMutableRawPointer(bitPattern: UInt(region.pointee.startAddr)) : nil
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (fixed ? 0x100000 : 0)  // MAP_FIXED_NOREPLACE
        guard let place = mmap(wanted, size, PROT_NONE, flags, -1, 0), place != MAP_FAILED else {
            return Int64(errno == EEXIST ? K_EEXIST : errno == EPERM ? K_EPRIV : K_ENOMEM)
        }
        guard !fixed || place == wanted else {
            munmap(place, size)
            return Int64(K_EEXIST)
        }
        let before = region.pointee.startAddr
        region.pointee.startAddr = UInt64(UInt(bitPattern: place))
        let result = turn.withLock { _ -> Int64 in
            let result = call()
            guard result == Int64(K_OK) else { return result }
            let descriptor = offset == nil ? -1 : takeDescriptor()
            defer { if descriptor >= 0 { close(descriptor) } }
            var flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE) | (descriptor < 0 ? MAP_ANONYMOUS : 0)
            if options & K_NODEMAND != 0 { flags |= MAP_POPULATE }
            let made = mmap(place, size, protection(options), flags, descriptor, Int(offset ?? 0))
            return made == MAP_FAILED ? Int64(K_ENOMEM) : result
        }
        if result != Int64(K_OK) {
            munmap(place, size)
            region.pointee.startAddr = before
        }
        return result
    }

    private func change(
        _ region: UnsafeMutablePointer<KnRgnDesc>, _ call: () -> Int64,
        _ body: (UnsafeMutableRawPointer, Int) -> Int32
    ) -> Int64 {
        let result = call()
        guard result == Int64(K_OK), let size = size(region.pointee),
            let at = UnsafeMutableRawPointer(bitPattern: UInt(region.pointee.startAddr))
        else { return result }
        return body(at, size) == 0 ? result : Int64(K_EHOST)
    }
}
