import ActorKit
import CChorus
import CDriverGuard
import CMiXDriver
import Glibc
import SimulatedBus

/// A device that a driver registered: what its users hold, while drivers come and go.
final class Registration: @unchecked Sendable {
    // Sendable: constants, and state behind the lock.
    let handle: UInt64
    let class_: UInt32
    let name: String
    let nucleus: Nucleus
    /// Of a network device.
    let link: Link?
    /// Of a block device.
    let cache: BlockCache
    let announcement = Announcement()
    private let lock = Lock()
    private var state = State.new
    private var opens = 0
    /// Its driver's host died, and another one is started.
    private var awaited = false
    /// Its device was pulled out: open or not, it goes.
    private var isPulledOut = false
    private var requests: [UInt64: Request] = [:]
    private var lastRequest: UInt64 = 0
    private var input: [UInt8] = []
    private(set) var served: UInt64 = 0
    private(set) var errors: UInt64 = 0

    enum State {
        case new
        case live(DriverInstance, UnsafeRawPointer)
        /// Its driver is being replaced: requests wait.
        case held(DriverInstance?, UnsafeRawPointer?)
        case gone
    }

    init(handle: UInt64, class_: UInt32, name: String, nucleus: Nucleus) {
        self.handle = handle
        self.class_ = class_
        self.name = name
        self.nucleus = nucleus
        link = class_ == DRV_CLASS_NET ? Link() : nil
        cache = BlockCache(nucleus)
    }

    static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 31
            && name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0 & 0xdf) || $0 == 0x2d }
    }

    // MARK: its driver

    func begin(_ instance: DriverInstance, _ ops: UnsafeRawPointer) {
        // The instance's lock is held; the table is the driver's, and its size was never promised.
        lock.with { (state, awaited) = (.live(instance, ops), false) }
        link?.fail(false)
    }

    var isWaiting: Bool {
        lock.with { if case .held(nil, _) = state { true } else { awaited } }
    }

    var isAwaited: Bool { lock.with { awaited } }
    var openCount: Int { lock.with { opens } }
    var mayGo: Bool {
        lock.with {
            if case .held = state { return true }
            if isPulledOut { return true }
            return opens == 0 && requests.isEmpty
        }
    }

    var instance: DriverInstance? {
        lock.with {
            switch state {
            case .live(let instance, _): instance
            case .held(let instance, _): instance
            case .new, .gone: nil
            }
        }
    }

    /// New requests wait from now on. True when none is under way any more, within the patience given.
    func hold(milliseconds: Int32) -> Bool {
        let holder = lock.with { () -> DriverInstance? in
            guard case .live(let instance, let ops) = state else { return nil }
            state = .held(instance, ops)
            return instance
        }
        // Who was inside before has begun what it wanted to begin.
        holder?.barrier()
        for _ in 0..<max(1, milliseconds / 2) {
            if lock.with({ requests.isEmpty }) { return true }
            nucleus.threadDelay(2)
        }
        return false
    }

    /// The driver stays after all.
    func release() {
        lock.with { if case .held(let instance?, let ops?) = state { state = .live(instance, ops) } }
    }

    /// The driver is gone: held, it waits for another one; else it is the device's end.
    func leave(_ server: DriverServer) {
        let stays = lock.with { () -> Bool in
            if case .held = state {
                state = .held(nil, nil)
                return true
            }
            state = .gone
            return false
        }
        fail()
        if stays { return }
        server.unregister(self)
        server.announceEnd(self)
    }

    /// What was under way and can be made again is, by the next host; the rest fails.
    static let again: Int32 = -1000

    /// The host is gone, another one comes: requests wait.
    func awaitRestart() {
        lock.with {
            if case .live(let instance, let ops) = state { state = .held(instance, ops) }
            awaited = true
        }
        fail(Self.again)
    }

    /// None comes any more: the driver's devices answer EIO.
    func giveUp() {
        lock.with { awaited = false }
        release()
        fail()
    }

    /// No other driver came.
    func abandon(_ server: DriverServer) {
        guard lock.with({ if case .held(nil, _) = state { true } else { false } }) else { return }
        lock.with { state = .gone }
        server.unregister(self)
        server.announceEnd(self)
    }

    func pullOut() {
        lock.with { isPulledOut = true }
        fail()
    }

    /// Requests under way fail.
    func fail(_ status: Int32 = DRV_EIO) {
        link?.fail(true)
        let all = lock.with { () -> [Request] in
            defer { requests = [:] }
            return Array(requests.values)
        }
        for request in all { request.end(status) }
    }

    // MARK: its users

    /// The driver and its table, waiting while it is being replaced. nil: there is none.
    func target() -> (instance: DriverInstance, ops: UnsafeRawPointer)? {
        for _ in 0..<5000 {
            let found = lock.with { () -> (DriverInstance, UnsafeRawPointer)?? in
                switch state {
                case .live(let instance, let ops): return .some((instance, ops))
                case .held: return nil
                case .new, .gone: return .some(nil)
                }
            }
            if let found { return found }
            nucleus.threadDelay(2)
        }
        return nil
    }

    func open() { lock.with { opens += 1 } }
    func close() { lock.with { opens = max(0, opens - 1) } }
    func count(_ result: Int64) {
        lock.with {
            served &+= 1
            if result < 0, result != -Int64(EAGAIN), result != -Int64(ENOTTY) { errors &+= 1 }
        }
    }

    /// Calls a member of its table; DRV_ENODEV without a driver.
    func call<Ops>(
        _ type: Ops.Type,
        _ body: (UnsafeMutablePointer<DrvSelf>, UnsafePointer<Ops>, UnsafeMutableRawPointer?, inout DrvFault) -> Int32
    ) -> Int32 {
        while let (instance, ops) = target() {
            var isHeld = false
            let result = instance.call { own, made, fault in
                // Held in between: the next driver is asked.
                isHeld = !isLive
                let context = instance.isHosted ? Unmanaged.passUnretained(self).toOpaque() : made
                return isHeld ? DRV_EAGAIN : body(own, ops.assumingMemoryBound(to: Ops.self), context, &fault)
            }
            if !isHeld, result != Self.again, !instance.isUnloaded { return result }
            nucleus.threadDelay(1)
        }
        return DRV_ENODEV
    }

    private var isLive: Bool {
        lock.with { if case .live = state { true } else { false } }
    }

    // MARK: requests of block devices

    final class Request: @unchecked Sendable {
        // Sendable: the status is written once, before the semaphore is signalled.
        private let done: SemaphoreHandle
        private(set) var status: Int32 = DRV_ETIMEOUT

        init(_ nucleus: Nucleus) { done = SemaphoreHandle(nucleus) }

        func end(_ status: Int32) {
            self.status = status
            done.signal()
        }

        func wait(milliseconds: Int32) -> Bool { done.wait(milliseconds: milliseconds) }
    }

    func beginRequest() -> (id: UInt64, request: Request) {
        let request = Request(nucleus)
        return lock.with {
            lastRequest += 1
            requests[lastRequest] = request
            return (lastRequest, request)
        }
    }

    func dropRequest(_ id: UInt64) { lock.with { requests[id] = nil } }

    /// False if it is no request of this device that is under way.
    func finish(_ id: UInt64, _ status: Int32) -> Bool {
        guard let request = lock.with({ requests.removeValue(forKey: id) }) else { return false }
        request.end(status > 0 ? DRV_OK : status)
        return true
    }

    // MARK: input of lines

    private static let mostInput = 65536

    func keepInput(_ bytes: UnsafeRawBufferPointer, _ later: (@escaping (DriverServer) -> Void) -> Void) -> UInt32 {
        let (taken, wasEmpty) = lock.with { () -> (Int, Bool) in
            let wasEmpty = input.isEmpty
            var taken = 0
            for byte in bytes {
                if Self.mostInput - input.count < 2 { break }
                if byte == UInt8(DRV_MARK) { input.append(byte) }
                input.append(byte)
                taken += 1
            }
            return (taken, wasEmpty)
        }
        if wasEmpty, taken > 0 { later { $0.tell(DEV_READY, self) } }
        return UInt32(taken)
    }

    /// What is no byte, where it stands among them (mix/mixDriver.h).
    func keepMark(_ kind: UInt32, _ value: UInt32, _ later: (@escaping (DriverServer) -> Void) -> Void) {
        let byte = kind == DRV_MARK_MODEM ? value >> 5 & 15 : value & 0xff
        guard (DRV_MARK_BREAK...DRV_MARK_MODEM).contains(kind) else { return }
        let wasEmpty = lock.with { () -> Bool in
            defer {
                // A line that changes faster than anybody looks loses changes, as one that is not read loses bytes.
                if Self.mostInput - input.count >= 3 {
                    input += [UInt8(DRV_MARK), UInt8(kind), UInt8(byte)]
                }
            }
            return input.isEmpty
        }
        if wasEmpty { later { $0.tell(DEV_READY, self) } }
    }

    func takeInput(_ most: Int) -> [UInt8] {
        lock.with {
            let taken = Array(input.prefix(most))
            input.removeFirst(taken.count)
            return taken
        }
    }
}
