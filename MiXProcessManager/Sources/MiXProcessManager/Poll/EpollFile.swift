import CMiXFile
import Synchronization

/// One entry of an epoll set.
final class EpollItem: @unchecked Sendable {
    // Sendable: variables are guarded by the set's lock, `epoll` by its own.
    let fd: Int32
    let description: OpenDescription
    private weak var epoll: EpollFile?
    fileprivate let order: UInt64
    fileprivate(set) var events: UInt32
    fileprivate(set) var data: UInt64
    /// EPOLLONESHOT has fired: quiet until it is modified.
    fileprivate var isDisabled = false
    /// Still in the set: it may be removed while its description is asked.
    fileprivate var isMember = true
    /// Something may have happened since it was last looked at: in the list of those to look at. The list needs no
    /// references, for the set holds every member.
    fileprivate var isPending = false
    fileprivate unowned(unsafe) var next: EpollItem?
    fileprivate unowned(unsafe) var previous: EpollItem?

    fileprivate init(
        _ epoll: EpollFile, order: UInt64, fd: Int32, _ description: OpenDescription, events: UInt32, data: UInt64
    ) {
        self.epoll = epoll
        self.order = order
        self.fd = fd
        self.description = description
        self.events = events
        self.data = data
    }

    /// A source of the description has changed.
    func fire() { epoll?.fired(self) }
}

/// The entries of a set: found by descriptor and description, and those to look at in the order in which they fired.
private struct EpollItems {
    private var members: [ObjectIdentifier: [Int32: EpollItem]] = [:]
    private(set) var sets: [ObjectIdentifier: EpollFile] = [:]
    private var made: UInt64 = 0
    private unowned(unsafe) var first: EpollItem?
    private unowned(unsafe) var last: EpollItem?
    private(set) var pending = 0

    var all: [EpollItem] { members.values.flatMap(\.values).sorted { $0.order < $1.order } }

    func find(_ fd: Int32, _ description: OpenDescription) -> EpollItem? {
        members[ObjectIdentifier(description)]?[fd]
    }

    func contains(_ description: OpenDescription) -> Bool { members[ObjectIdentifier(description)] != nil }

    mutating func insert(
        _ epoll: EpollFile, _ fd: Int32, _ description: OpenDescription, _ events: UInt32, _ data: UInt64
    )
        -> EpollItem
    {
        made += 1
        let item = EpollItem(epoll, order: made, fd: fd, description, events: events, data: data)
        members[ObjectIdentifier(description), default: [:]][fd] = item
        if let inner = description as? EpollFile { sets[ObjectIdentifier(inner)] = inner }
        append(item)
        return item
    }

    mutating func remove(_ fd: Int32, _ description: OpenDescription) -> EpollItem? {
        let key = ObjectIdentifier(description)
        guard let item = members[key]?.removeValue(forKey: fd) else { return nil }
        leave(item)
        if members[key]?.isEmpty == true {
            members[key] = nil
            sets[key] = nil
        }
        return item
    }

    mutating func removeAll(of description: OpenDescription) -> [EpollItem] {
        let key = ObjectIdentifier(description)
        guard let gone = members.removeValue(forKey: key) else { return [] }
        sets[key] = nil
        for item in gone.values { leave(item) }
        return Array(gone.values)
    }

    private mutating func leave(_ item: EpollItem) {
        item.isMember = false
        if item.isPending { unlink(item) }
    }

    // MARK: Those to look at

    mutating func append(_ item: EpollItem) {
        if item.isPending || !item.isMember || item.isDisabled { return }
        item.isPending = true
        item.previous = last
        item.next = nil
        if let last { last.next = item } else { first = item }
        last = item
        pending += 1
    }

    mutating func prepend(_ item: EpollItem) {
        if item.isPending || !item.isMember || item.isDisabled { return }
        item.isPending = true
        item.previous = nil
        item.next = first
        if let first { first.previous = item } else { last = item }
        first = item
        pending += 1
    }

    mutating func takeFirst() -> EpollItem? {
        guard let item = first else { return nil }
        unlink(item)
        return item
    }

    private mutating func unlink(_ item: EpollItem) {
        if let before = item.previous { before.next = item.next } else { first = item.next }
        if let after = item.next { after.previous = item.previous } else { last = item.previous }
        item.next = nil
        item.previous = nil
        item.isPending = false
        pending -= 1
    }
}

/// epoll(7). Entries that may be ready are listed by their sources, so a wait looks only at those.
final class EpollFile: OpenDescription, @unchecked Sendable {
    // Sendable: the items are guarded by a lock.
    static let exclusive: UInt32 = 1 << 28
    static let wakeUp: UInt32 = 1 << 29
    static let withExclusive: UInt32 =
        PollBits.input | PollBits.output | PollBits.error | PollBits.hangUp | wakeUp | edge | exclusive
    static let oneShot: UInt32 = 1 << 30
    static let edge: UInt32 = 1 << 31

    private let items = Mutex(EpollItems())
    let source = PollSource()

    init(_ manager: ProcessManager) { super.init(manager, flags: FileFlags.readWrite) }

    override var mode: UInt32 { 0o600 }

    override func closed() {
        let all = items.withLock { items in
            let all = items.all
            for item in all { _ = items.remove(item.fd, item.description) }
            return all
        }
        for item in all { detach(item) }
    }

    fileprivate func fired(_ item: EpollItem) {
        let wakes = items.withLock { items in
            items.append(item)
            return item.isPending
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
        let item: EpollItem? = items.withLock { items in
            if items.find(fd, description) != nil { return nil }
            return items.insert(self, fd, description, events, data)
        }
        guard let item else { throw .EEXIST }
        description.watch(by: self, adding: true)
        description.forEachSource { $0.attach(item) }
        source.notify()
    }

    /// The `offset`th entry that was made with this number (kcmp(2)).
    func watched(_ fd: Int, _ offset: Int) -> OpenDescription? {
        let all = items.withLock { $0.all }.filter { Int($0.fd) == fd }
        return all.indices.contains(offset) ? all[offset].description : nil
    }

    func modify(_ fd: Int32, _ description: OpenDescription, events: UInt32, data: UInt64) throws(Errno) {
        let found: Errno? = items.withLock { items in
            guard let item = items.find(fd, description) else { return Errno.ENOENT }
            if item.events & Self.exclusive != 0 { return Errno.EINVAL }
            item.events = events
            item.data = data
            item.isDisabled = false
            items.append(item)
            return nil
        }
        if let found { throw found }
        source.notify()
    }

    func remove(_ fd: Int32, _ description: OpenDescription) throws(Errno) {
        guard let item = items.withLock({ $0.remove(fd, description) }) else { throw .ENOENT }
        detach(item)
    }

    /// The description's last descriptor is gone: its entries go with it (epoll(7), Q6).
    func forget(_ description: OpenDescription) {
        let gone = items.withLock { $0.removeAll(of: description) }
        for item in gone { item.description.forEachSource { $0.detach(item) } }
    }

    private func detach(_ item: EpollItem) {
        item.description.forEachSource { $0.detach(item) }
        let isLast = items.withLock { !$0.contains(item.description) }
        if isLast { item.description.watch(by: self, adding: false) }
    }

    private static let mostNested = 5
    private var innerSets: [EpollFile] { items.withLock { Array($0.sets.values) } }

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

    /// Asks those that may be ready, once each, until `body` has enough; it says what becomes of one that is ready.
    private func scan(_ body: (EpollItem, _ now: UInt32, inout EpollItems) -> Bool) {
        // What is put back meanwhile is behind those that are there now.
        var left = items.withLock { $0.pending }
        while left > 0 {
            left -= 1
            guard let (item, events) = items.withLock({ items in items.takeFirst().map { ($0, $0.events) } }) else {
                break
            }
            // Always armed: an entry that is not pending is only looked at again when its source speaks.
            let now = item.description.poll(events & 0xffff, arm: true)
            if now != 0, !items.withLock({ items in body(item, now, &items) }) { break }
        }
        // Whoever looked while an entry was out of the list may have gone to sleep.
        if items.withLock({ $0.pending }) > 0 { source.queue.wake() }
    }

    /// Takes up to `limit` entries that are ready now.
    func take(_ limit: Int) -> [Ready] {
        var ready: [Ready] = []
        scan { item, now, items in
            ready.append(Ready(events: now, data: item.data))
            if item.events & Self.oneShot != 0 {
                item.isDisabled = true
            } else if item.events & Self.edge == 0 {
                // To the back: entries that are always ready must not starve the others.
                items.append(item)
            }
            return ready.count < limit
        }
        return ready
    }

    override func seek(_ offset: Int64, _ whence: Int32) throws(Errno) -> Int64 { Self.noPosition }
    override var isPollable: Bool { true }
    override func poll(_ mask: UInt32, arm: Bool) -> UInt32 {
        var isReady = false
        scan { item, _, items in
            isReady = true
            items.prepend(item)
            return false
        }
        return isReady ? PollBits.readable & mask : 0
    }
    override func forEachSource(_ body: (PollSource) -> Void) { body(source) }

    override func stat(_ cred: MixCred) throws(Errno) -> MixStat { .anonymous(number, mode: mode) }
    override func linkText(_ root: MixKey) -> [UInt8] { [UInt8]("anon_inode:[eventpoll]".utf8) }
    override var infoLines: String {
        items.withLock { items in
            items.all.map { item in
                let target = String(item.fd), events = String(item.events, radix: 16),
                    data = String(item.data, radix: 16)
                return "tfd: \(Text.left(target, 8)) events: \(Text.left(events, 8)) data: \(Text.left(data, 16)) "
                    + " pos:0 ino:0 sdev:0\n"
            }.joined()
        }
    }
}
