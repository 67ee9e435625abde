/// One armed deadline. `fire` runs on the timer thread without locks.
final class TimerNode: @unchecked Sendable {
    // Sendable: `index` is guarded by the heap's owner, the rest is constant.
    let deadline: UInt64
    let fire: @Sendable () -> Void
    fileprivate(set) var index = -1

    init(deadline: UInt64, fire: @escaping @Sendable () -> Void) {
        self.deadline = deadline
        self.fire = fire
    }
}

/// A binary heap of deadlines with removal from the middle.
struct TimerHeap {
    private var nodes: [TimerNode] = []

    var first: TimerNode? { nodes.first }
    var count: Int { nodes.count }

    mutating func insert(_ node: TimerNode) {
        node.index = nodes.count
        nodes.append(node)
        rise(node.index)
    }
    /// False where it is not armed (any more).
    @discardableResult
    mutating func remove(_ node: TimerNode) -> Bool {
        let index = node.index
        guard index >= 0, index < nodes.count, nodes[index] === node else { return false }
        let last = nodes.removeLast()
        node.index = -1
        if last !== node {
            nodes[index] = last
            last.index = index
            rise(index)
            sink(last.index)
        }
        return true
    }
    /// Everything that is due, earliest first.
    mutating func takeDue(_ now: UInt64) -> [TimerNode] {
        var due: [TimerNode] = []
        while let node = nodes.first, node.deadline <= now {
            remove(node)
            due.append(node)
        }
        return due
    }

    private mutating func swap(_ a: Int, _ b: Int) {
        nodes.swapAt(a, b)
        nodes[a].index = a
        nodes[b].index = b
    }
    private mutating func rise(_ start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            if nodes[parent].deadline <= nodes[index].deadline { return }
            swap(index, parent)
            index = parent
        }
    }
    private mutating func sink(_ start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < nodes.count {
                if nodes[child].deadline < nodes[least].deadline { least = child }
            }
            if least == index { return }
            swap(index, least)
            index = least
        }
    }
}
