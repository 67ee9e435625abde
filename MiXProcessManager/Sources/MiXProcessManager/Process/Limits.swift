/// Resource limits (getrlimit(2)).
struct Limits {
    enum Resource: Int {
        case cpu = 0, fileSize, data, stack, core, resident, processes, files, lockedMemory, addressSpace, locks
        case signals, messageQueue, nice, realTimePriority, realTimeTime
    }
    struct Limit: Equatable {
        var soft: UInt64
        var hard: UInt64
    }
    static let infinity = UInt64.max
    static let count = 16
    private var values: [Limit]

    init() {
        values = Array(repeating: Limit(soft: Self.infinity, hard: Self.infinity), count: Self.count)
        self[.stack] = Limit(soft: 8 << 20, hard: Self.infinity)
        self[.core] = Limit(soft: 0, hard: Self.infinity)
        self[.processes] = Limit(soft: 4096, hard: 4096)
        self[.files] = Limit(soft: 1024, hard: 1_048_576)
        self[.lockedMemory] = Limit(soft: 8 << 20, hard: 8 << 20)
        self[.signals] = Limit(soft: 4096, hard: 4096)
        self[.messageQueue] = Limit(soft: 819_200, hard: 819_200)
        self[.nice] = Limit(soft: 0, hard: 0)
        self[.realTimePriority] = Limit(soft: 0, hard: 0)
    }
    subscript(resource: Resource) -> Limit {
        get { values[resource.rawValue] }
        set { values[resource.rawValue] = newValue }
    }
    /// prlimit64(2): EINVAL soft above hard, EPERM a raised hard limit without privilege.
    mutating func change(_ resource: Resource, to new: Limit, privileged: Bool) throws(Errno) {
        guard new.soft <= new.hard else { throw .EINVAL }
        guard privileged || new.hard <= self[resource].hard else { throw .EPERM }
        if resource == .files && new.hard > 1_048_576 { throw .EPERM }
        self[resource] = new
    }
}
