/// First in, first out; amortised constant time.
struct Fifo<Element> {
    private var items: [Element?] = []
    private var head = 0

    var isEmpty: Bool { head == items.count }
    var count: Int { items.count - head }
    var first: Element? { head < items.count ? items[head] : nil }

    mutating func append(_ element: Element) { items.append(element) }

    mutating func prepend(_ element: Element) {
        if head > 0 {
            head -= 1
            items[head] = element
        } else {
            items.insert(element, at: 0)
        }
    }

    mutating func popFirst() -> Element? {
        guard head < items.count else { return nil }
        let element = items[head]
        items[head] = nil
        head += 1
        if head == items.count {
            items.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 32, head * 2 > items.count {
            items.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Takes out and returns all that match.
    mutating func remove(where match: (Element) -> Bool) -> [Element] {
        var kept: [Element?] = []
        var gone: [Element] = []
        for case .some(let element) in items[head...] {
            if match(element) { gone.append(element) } else { kept.append(element) }
        }
        items = kept
        head = 0
        return gone
    }

    mutating func removeAll() -> [Element] { remove { _ in true } }

    var elements: [Element] { items[head...].compactMap { $0 } }
}

extension Fifo: Sendable where Element: Sendable {}
