import CMiXFile
import Synchronization

/// inotify(7): events of watched files and directories, to be read.
final class InotifyFile: OpenDescription, @unchecked Sendable {
    // Sendable: the state is guarded by a lock.
    private struct Watch {
        var node: NodeKey
        var mask: UInt32
    }
    private struct Event: Equatable {
        var descriptor: Int32
        var mask: UInt32
        var cookie: UInt32
        var name: [UInt8]

        /// `struct inotify_event`, the name padded to the structure's size.
        var length: Int { name.isEmpty ? 0 : (name.count + 16) & ~15 }
        func append(to bytes: inout [UInt8]) {
            withUnsafeBytes(of: (descriptor, mask, cookie, UInt32(length))) { bytes.append(contentsOf: $0) }
            bytes += name
            bytes += [UInt8](repeating: 0, count: length - name.count)
        }
    }
    private struct State {
        var watches: [Int32: Watch] = [:]
        var next: Int32 = 1
        var events: [Event] = []
    }
    private let state = Mutex(State())
    private let source = PollSource()
    /// /proc/sys/fs/inotify/max_queued_events, max_user_watches.
    private static let mostEvents = 16384, mostWatches = 65536

    override init(_ manager: ProcessManager, flags: UInt32) { super.init(manager, flags: FileFlags.readOnly | flags) }

    override var mode: UInt32 { 0o600 }

    override func closed() {
        let watches = state.withLock { state in
            defer { state.watches = [:] }
            return state.watches
        }
        for watch in watches.values { manager.inotify.remove(watch.node, self) }
    }

    // MARK: Watches

    func watch(_ node: NodeKey, _ mask: UInt32) throws(Errno) -> Int32 {
        let kept = mask & (InotifyBits.all | InotifyBits.oneShot | InotifyBits.exclUnlink)
        let result: Result<(descriptor: Int32, isNew: Bool), Errno> = state.withLock { state in
            if let (descriptor, watch) = state.watches.first(where: { $0.value.node == node }) {
                if mask & InotifyBits.maskCreate != 0 { return .failure(.EEXIST) }
                state.watches[descriptor]?.mask = mask & InotifyBits.maskAdd != 0 ? watch.mask | kept : kept
                return .success((descriptor, false))
            }
            if state.watches.count >= Self.mostWatches { return .failure(Errno(28)) }
            let descriptor = state.next
            state.next &+= 1
            state.watches[descriptor] = Watch(node: node, mask: kept)
            return .success((descriptor, true))
        }
        let (descriptor, isNew) = try result.get()
        if isNew { manager.inotify.add(node, self, descriptor) }
        return descriptor
    }

    /// The watch ends, which is the last that is heard of it. False: there is none.
    @discardableResult
    func end(_ descriptor: Int32) -> Bool {
        guard let watch = state.withLock({ $0.watches.removeValue(forKey: descriptor) }) else { return false }
        manager.inotify.remove(watch.node, self)
        queue(Event(descriptor: descriptor, mask: InotifyBits.ignored, cookie: 0, name: []))
        return true
    }

    // MARK: Events

    func post(_ descriptor: Int32, _ event: UInt32, name: [UInt8], cookie: UInt32) {
        guard let mask = state.withLock({ $0.watches[descriptor]?.mask }), mask & event & InotifyBits.all != 0 else {
            return
        }
        queue(Event(descriptor: descriptor, mask: event, cookie: cookie, name: name))
        if mask & InotifyBits.oneShot != 0 { end(descriptor) }
    }

    private func queue(_ event: Event) {
        state.withLock { state in
            if state.events.last == event { return }  // told already
            if state.events.count < Self.mostEvents {
                state.events.append(event)
            } else if state.events.last?.mask != InotifyBits.overflow {
                state.events.append(Event(descriptor: -1, mask: InotifyBits.overflow, cookie: 0, name: []))
            }
        }
        source.notify()
    }

    override func read(_ call: Call, _ ranges: UserRanges, at offset: Int64?) throws(Errno) -> Outcome {
        if offset != nil { throw .ESPIPE }
        let wait = !isNonBlocking
        let bytes: [UInt8]? = state.withLock { state in
            if state.events.isEmpty {
                if wait { call.enlist(on: source.queue) }
                return nil
            }
            var bytes: [UInt8] = []
            var taken = 0
            for event in state.events {
                if bytes.count + 16 + event.length > ranges.total { break }
                event.append(to: &bytes)
                taken += 1
            }
            state.events.removeFirst(taken)
            return bytes
        }
        guard let bytes else {
            if !wait { throw .EAGAIN }
            return .park(Wait(on: [source.queue], for: "inotify_read"))
        }
        if bytes.isEmpty { throw .EINVAL }
        try bytes.withUnsafeBytes { raw in Result { () throws(Errno) in try call.scatter(raw, to: ranges) } }.get()
        return .done(Int64(bytes.count))
    }

    override func ioctl(_ call: Call, _ command: UInt32, _ argument: UInt64) throws(Errno) -> Outcome {
        guard command == Ioctl.bytesReadable else { throw .ENOTTY }
        let size = state.withLock { $0.events.reduce(0) { $0 + 16 + $1.length } }
        try call.writeStruct(Int32(clamping: size), at: argument)
        return .zero
    }

    override func seek(_ offset: Int64, _ whence: Int32) throws(Errno) -> Int64 { Self.noPosition }
    override var isPollable: Bool { true }
    override func poll(_ mask: UInt32, arm: Bool) -> UInt32 {
        state.withLock { $0.events.isEmpty } ? 0 : PollBits.readable & mask
    }
    override func forEachSource(_ body: (PollSource) -> Void) { body(source) }

    override func stat(_ cred: MixCred) throws(Errno) -> MixStat { .anonymous(number, mode: mode) }
    override func linkText(_ root: MixKey) -> [UInt8] { [UInt8]("anon_inode:inotify".utf8) }
    override var infoLines: String {
        state.withLock { state in
            state.watches.sorted { $0.key > $1.key }.map { descriptor, watch in
                "inotify wd:\(String(descriptor, radix: 16)) ino:\(String(watch.node.ino, radix: 16)) "
                    + "sdev:\(String(watch.node.dev, radix: 16)) mask:\(String(watch.mask, radix: 16)) ignored_mask:0\n"
            }.joined()
        }
    }
}
