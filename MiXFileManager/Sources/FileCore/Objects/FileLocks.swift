import CMiXFile

/// The locks on one inode: POSIX record locks by process and flock(2) locks by open description. Guarded by OpenTable.
struct FileLocks {
    struct Record {
        var owner: UInt64
        var pid: Int32
        var isExclusive: Bool
        var start: UInt64
        var end: UInt64  // exclusive; .max: to the end of the file
    }

    struct Watch {
        var owner: UInt64
        var head: UInt32
        var tail: UInt32
    }

    private(set) var records: [Record] = []
    private(set) var whole: [Record] = []
    var watches: [Watch] = []

    init() {}

    /// Of an earlier server.
    init(records: [Record], whole: [Record]) {
        self.records = records.sorted { $0.start < $1.start }
        self.whole = whole
    }

    var isEmpty: Bool { records.isEmpty && whole.isEmpty && watches.isEmpty }

    /// The first lock that is in the way of `wanted`.
    func conflict(_ wanted: Record, flock: Bool) -> Record? {
        (flock ? whole : records).first {
            $0.owner != wanted.owner && ($0.isExclusive || wanted.isExclusive) && $0.start < wanted.end
                && wanted.start < $0.end
        }
    }

    /// Sets or, with `unlock`, clears a range of the owner's record locks: overlapped ones are split, neighbours of one
    /// kind join (fcntl(2)). True where something was released.
    mutating func set(_ wanted: Record, unlock: Bool) -> Bool {
        var released = false
        var out: [Record] = []
        var new = wanted
        for old in records {
            guard old.owner == wanted.owner, old.start <= new.end, new.start <= old.end else {
                out.append(old)
                continue
            }
            let overlaps = old.start < wanted.end && wanted.start < old.end
            if !unlock, old.isExclusive == wanted.isExclusive {
                new.start = min(new.start, old.start)
                new.end = max(new.end, old.end)
                continue
            }
            if !overlaps {
                out.append(old)
                continue
            }
            if unlock || old.isExclusive { released = true }
            if old.start < wanted.start {
                var left = old
                left.end = wanted.start
                out.append(left)
            }
            if old.end > wanted.end {
                var right = old
                right.start = wanted.end
                out.append(right)
            }
        }
        if !unlock { out.append(new) }
        records = out.sorted { $0.start < $1.start }
        return released
    }

    mutating func setWhole(_ wanted: Record, unlock: Bool) -> Bool {
        let before = whole.first { $0.owner == wanted.owner }
        whole.removeAll { $0.owner == wanted.owner }
        if !unlock { whole.append(wanted) }
        guard let before else { return false }
        return unlock || (before.isExclusive && !wanted.isExclusive)
    }

    /// What a closed description leaves: its flock, and the record locks of the process that closes (fcntl(2)).
    mutating func release(owner: UInt64, pid: Int32) -> Bool {
        let count = records.count + whole.count
        whole.removeAll { $0.owner == owner }
        records.removeAll { $0.owner == owner || pid > 0 && $0.pid == pid }
        return records.count + whole.count != count
    }
}
