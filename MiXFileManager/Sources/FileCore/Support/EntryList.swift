/// A directory's names in order of arrival. Each name keeps the cookie it got at insertion, so that a reader who goes on
/// behind a cookie sees every name that stayed exactly once, whatever came and went meanwhile (readdir(3)).
struct EntryList<Value> {
    struct Entry {
        var name: Name
        var value: Value?  // nil: removed; the place keeps the order until the next compaction
        var cookie: UInt64
    }

    private var list: [Entry] = []
    private var index: [Name: Int] = [:]
    private var nextCookie: UInt64 = 3  // 0 start, 1 behind ".", 2 behind ".."
    private var dead = 0

    var count: Int { index.count }
    var isEmpty: Bool { index.isEmpty }

    subscript(name: Name) -> Value? {
        guard !index.isEmpty, let i = index[name] else { return nil }
        return list[i].value
    }

    func contains(_ name: Name) -> Bool { !index.isEmpty && index[name] != nil }

    mutating func set(_ name: Name, _ value: Value) {
        if let i = index[name] {
            list[i].value = value
            return
        }
        index[name] = list.count
        list.append(Entry(name: name, value: value, cookie: nextCookie))
        nextCookie += 1
    }

    /// What the next name will get at least.
    var cookieBound: UInt64 { nextCookie }

    /// Puts back a name with the cookie it had; in ascending order, or nothing is done and false returned.
    mutating func restore(_ name: Name, _ value: Value, cookie: UInt64) -> Bool {
        guard cookie >= nextCookie, cookie < .max, index[name] == nil else { return false }
        nextCookie = cookie
        set(name, value)
        return true
    }

    mutating func restoreBound(_ bound: UInt64) { nextCookie = max(nextCookie, bound) }

    mutating func remove(_ name: Name) {
        guard let i = index.removeValue(forKey: name) else { return }
        if i == list.count - 1 {
            list.removeLast()
            return
        }
        list[i].value = nil
        dead += 1
        if dead > 16, dead > list.count / 2 { compact() }
    }

    mutating func removeAll() {
        list = []
        index = [:]
        dead = 0
    }

    private mutating func compact() {
        list.removeAll { $0.value == nil }
        for i in 0..<list.count { index[list[i].name] = i }
        dead = 0
    }

    /// Calls `body` for the names behind `cookie` until it says false.
    func forEach(after cookie: UInt64, _ body: (_ name: Name, _ value: Value, _ cookie: UInt64) -> Bool) {
        var low = 0
        var high = list.count
        while low < high {
            let middle = (low + high) / 2
            if list[middle].cookie <= cookie { low = middle + 1 } else { high = middle }
        }
        while low < list.count {
            if let value = list[low].value, !body(list[low].name, value, list[low].cookie) { return }
            low += 1
        }
    }

    var values: [Value] { index.values.compactMap { list[$0].value } }
    var names: [Name] { index.keys.map { $0 } }
}
