import CMiXFile
import Synchronization

/// One entry of an epoll set.
final class EpollItem: @unchecked Sendable {
    // Sendable: variables are guarded by the set's lock, `epoll` by its own.
    let fd: Int32
    let description: OpenDescription
    private weak var epoll: EpollFile?
    fileprivate(set) var events: UInt32
    fileprivate(set) var data: UInt64
    /// Something may have happened since it was last looked at.
    fileprivate var isPending = true
    /// EPOLLONESHOT has fired: quiet until it is modified.
    fileprivate var isDisabled = false

    fileprivate init(_ epoll: EpollFile, fd: Int32, _ description: OpenDescription, events: UInt32, data: UInt64) {
        self.epoll = epoll
        self.fd = fd
        self.description = description
        self.events = events
        self.data = data
    }

    /// A source of the description has changed.
    func fire() { epoll?.fired(self) }
}

/// epoll(7). Entries that may be ready are marked by their sources, so a wait looks only at those.
final class EpollFile: OpenDescription, @unchecked Sendable {
    // Sendable: the items are guarded by a lock.
    static let exclusive: UInt32 = 1 << 28
    static let wakeUp: UInt32 = 1 << 29
    static let withExclusive: UInt32 =
        PollBits.input | PollBits.output | PollBits.error | PollBits.hangUp | wakeUp | edge | exclusive
    static let oneShot: UInt32 = 1 << 30
    static let edge: UInt32 = 1 << 31

    private let items = Mutex<[EpollItem]>([])
    let source = PollSource()

    init(_ manager: ProcessManager) { super.init(manager, flags: FileFlags.readWrite) }

    override var mode: UInt32 { 0o600 }

    override func closed() {
        let all = items.withLock { items in
            defer { items = [] }
            return items
        }
        for item in all { detach(item) }
    }

    fileprivate func fired(_ item: EpollItem) {
        let wakes = items.withLock { _ in
            item.isPending = true
            return !item.isDisabled
        }
        if wakes { source.notify() }
    }

    // MARK: The set

    func add(_ fd: Int32, _ description: OpenDescription, events: UInt32, data: UInt64) throws(Errno) {
        if let inner = description as? EpollFile {
            if inner.reaches(self) { throw .ELOOP }
            // Sets above, this one and those inside: at most five (epoll_ctl(2)).
            if height() + inner.depth() > Self.mostNested { throw .ELOOP }
        }
        let item = EpollItem(self, fd: fd, description, events: events, data: data)
        let isNew = items.withLock { items in
            if items.contains(where: { $0.fd == fd && $0.description === description }) { return false }
            items.append(item)
            return true
        }
        guard isNew else { throw .EEXIST }
        description.watch(by: self, adding: true)
        description.forEachSource { $0.attach(item) }
        source.notify()
    }

    /// The `offset`th entry that was made with this number (kcmp(2)).
    func watched(_ fd: Int, _ offset: Int) -> OpenDescription? {
        items.withLock { items in
            let all = items.filter { Int($0.fd) == fd }
            return all.indices.contains(offset) ? all[offset].description : nil
        }
    }

    func modify(_ fd: Int32, _ description: OpenDescription, events: UInt32, data: UInt64) throws(Errno) {
        let found: Errno? = items.withLock { items in
            guard let item = items.first(where: { $0.fd == fd && $0.description === description }) else {
                return Errno.ENOENT
            }
            if item.events & Self.exclusive != 0 { return Errno.EINVAL }
            item.events = events
            item.data = data
            item.isPending = true
            item.isDisabled = false
            return nil
        }
        if let found { throw found }
        source.notify()
    }

    func remove(_ fd: Int32, _ description: OpenDescription) throws(Errno) {
        let item: EpollItem? = items.withLock { items in
            guard let index = items.firstIndex(where: { $0.fd == fd && $0.description === description }) else {
                return nil
            }
            return items.remove(at: index)
        }
        guard let item else { throw .ENOENT }
        detach(item)
    }

    /// The description's last descriptor is gone: its entries go with it (epoll(7), Q6).
    func forget(_ description: OpenDescription) {
        let gone = items.withLock { items in
            let gone = items.filter { $0.description === description }
            items.removeAll { $0.description === description }
            return gone
        }
        for item in gone { item.description.forEachSource { $0.detach(item) } }
    }

    private func detach(_ item: EpollItem) {
        item.description.forEachSource { $0.detach(item) }
        let isLast = items.withLock { items in !items.contains { $0.description === item.description } }
        if isLast { item.description.watch(by: self, adding: false) }
    }

    private static let mostNested = 5
    private var innerSets: [EpollFile] { items.withLock { items in items.compactMap { $0.description as? EpollFile } } }

    /// Whether `other` is in this set, or in one inside it: a circle would never end.
    private func reaches(_ other: EpollFile) -> Bool { self === other || innerSets.contains { $0.reaches(other) } }
    /// Sets on the longest way down, or up, with this one.
    private func depth() -> Int { 1 + (innerSets.map { $0.depth() }.max() ?? 0) }
    private func height() -> Int { 1 + (outerSets.map { $0.height() }.max() ?? 0) }

    // MARK: Waiting

    struct Ready {
        var events: UInt32
        var data: UInt64
    }

    /// Takes up to `limit` entries that are ready now.
    func take(_ limit: Int, arm: Bool) -> [Ready] {
        let pending = items.withLock { items in
            let pending = items.filter { $0.isPending && !$0.isDisabled }
            for item in pending { item.isPending = false }
            return pending
        }
        var ready: [Ready] = []
        for (index, item) in pending.enumerated() {
            if ready.count == limit {
                // The rest keeps its turn, in front of those that are reported now.
                items.withLock { _ in for left in pending[index...] { left.isPending = true } }
                break
            }
            // Always armed: an entry that is not pending is only looked at again when its source speaks.
            let now = item.description.poll(item.events & 0xffff, arm: true)
            if now == 0 { continue }
            items.withLock { items in
                if item.events & Self.oneShot != 0 {
                    item.isDisabled = true
                } else if item.events & Self.edge == 0 {
                    item.isPending = true
                    // To the back: entries that are always ready must not starve the others.
                    if let place = items.firstIndex(where: { $0 === item }) { items.append(items.remove(at: place)) }
                }
            }
            ready.append(Ready(events: now, data: item.data))
        }
        return ready
    }

    override func seek(_ offset: Int64, _ whence: Int32) throws(Errno) -> Int64 { Self.noPosition }
    override var isPollable: Bool { true }
    override func poll(_ mask: UInt32, arm: Bool) -> UInt32 {
        let pending = items.withLock { items in items.filter { $0.isPending && !$0.isDisabled } }
        let isReady = pending.contains { $0.description.poll($0.events & 0xffff, arm: true) != 0 }
        return isReady ? PollBits.readable & mask : 0
    }
    override func forEachSource(_ body: (PollSource) -> Void) { body(source) }

    override func stat(_ cred: MixCred) throws(Errno) -> MixStat { .anonymous(number, mode: mode) }
    override func linkText(_ root: MixKey) -> [UInt8] { [UInt8]("anon_inode:[eventpoll]".utf8) }
    override var infoLines: String {
        items.withLock { items in
            items.map { item in
                let target = String(item.fd), events = String(item.events, radix: 16),
                    data = String(item.data, radix: 16)
                return "tfd: \(Text.left(target, 8)) events: \(Text.left(events, 8)) data: \(Text.left(data, 16)) "
                    + " pos:0 ino:0 sdev:0\n"
            }.joined()
        }
    }
}
