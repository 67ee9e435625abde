/// Joins two network devices: full duplex, a bounded queue in each direction. A frame goes on its way with the sender's lock
/// held, and is handed over with the receiver's; the two are never held together, and nobody waits for anybody.
package final class Cable: @unchecked Sendable {
    // Sendable: constants, and state behind the lock, below which nothing else is locked.
    let name: String
    private let lock = Lock()
    private var ends: [End] = [End(), End()]

    private struct End {
        var isTaken = false
        weak var device: BusDevice?
        /// On their way to this end.
        var frames: FrameRing?
        /// Came faster than they were handed over.
        var overruns: UInt64 = 0
    }

    /// Frames on their way at a time.
    static let depth = 256

    init(_ name: String) { self.name = name }

    /// An end that is free; nil when both are taken.
    func take() -> Int? {
        lock.with {
            guard let free = ends.firstIndex(where: { !$0.isTaken }) else { return nil }
            ends[free] = End(isTaken: true)
            return free
        }
    }

    func plug(_ end: Int, _ device: BusDevice) {
        lock.with {
            ends[end].device = device
            ends[end].frames = FrameRing(frames: Self.depth, most: Ethernet.mostFrame)
        }
    }

    /// What is on its way there is lost.
    func leave(_ end: Int) { lock.with { ends[end] = End() } }

    var isFree: Bool { lock.with { ends.allSatisfy { !$0.isTaken } } }

    /// Whether there is a device at both ends.
    var isUp: Bool { lock.with { ends.allSatisfy { $0.device != nil } } }

    func device(_ end: Int) -> BusDevice? { lock.with { ends[end].device } }
    func overruns(_ end: Int) -> UInt64 { lock.with { ends[end].overruns } }

    /// Towards `end`. False where nobody is there.
    func send(to end: Int, _ frame: UnsafeRawBufferPointer) -> Bool {
        lock.with {
            guard ends[end].device != nil, let frames = ends[end].frames else { return false }
            if !frames.append(frame.count, { $0.copyMemory(from: frame) }) { ends[end].overruns &+= 1 }
            return true
        }
    }

    /// The next frame for `end`, into memory for the longest; how long it is.
    func receive(at end: Int, _ target: UnsafeMutableRawBufferPointer) -> Int? {
        lock.with {
            ends[end].frames?.take { frame in
                target.copyMemory(from: frame)
                return frame.count
            }
        }
    }
}

/// The cables of a bus by their names; each lives as long as a device has an end of it.
package final class Cables: @unchecked Sendable {
    // Sendable: state behind the lock.
    private let lock = Lock()
    private var cables: [String: Cable] = [:]

    package init() {}

    func end(_ name: String) -> (cable: Cable, end: Int)? {
        lock.with {
            cables = cables.filter { !$0.value.isFree }
            let cable = cables[name] ?? Cable(name)
            cables[name] = cable
            return cable.take().map { (cable, $0) }
        }
    }
}
