import ActorKit
import CChorus
import SimulatedBus

/// What the home knows of the site's cache of a block device (knMapper.h): the nucleus has it, programs read and write it, and only what
/// is missing or to be written back comes here. Requests that go past it (O_DIRECT, discard) keep it true.
final class BlockCache: @unchecked Sendable {
    // Sendable: everything that changes is behind the lock; the nucleus is called without it.
    private let nucleus: Nucleus
    private let lock = Lock()
    private var name: KnCap?
    /// Numbers what made cached data untrue: what was read before does not get into the cache any more.
    private var order: UInt64 = 1
    /// Where the last pull-in ended.
    private var end: UInt64 = 0

    init(_ nucleus: Nucleus) { self.nucleus = nucleus }

    private static let all: Range<UInt64> = 0..<0
    private static let page: UInt64 = 4096

    func opened(_ name: KnCap) { lock.with { self.name = name } }

    func closed(_ gone: KnCap) {
        lock.with {
            if let name, name.key.keyHead == gone.key.keyHead, name.key.keyTail == gone.key.keyTail { self.name = nil }
        }
    }

    /// A pull-in of `range` begins: its number, and whether it goes on where the last one ended.
    func pulls(_ range: Range<UInt64>) -> (order: UInt64, isInOrder: Bool) {
        lock.with {
            defer { end = range.upperBound }
            return (order, range.lowerBound == end)
        }
    }

    /// Writes back; a K_ code of what could not be.
    func flush(_ range: Range<UInt64> = all) -> Int32 { ask(range, K_LC_PUSH, order: 0) }

    /// Writes back, and forgets.
    @discardableResult func invalidate(_ range: Range<UInt64> = all) -> Int32 {
        let number = lock.with {
            order += 1
            return order
        }
        return ask(range, K_LC_PUSH | K_LC_INVALIDATE, order: number)
    }

    private func ask(_ range: Range<UInt64>, _ flags: UInt32, order: UInt64) -> Int32 {
        guard let name = lock.with({ self.name }) else { return K_OK }
        var part = KnObjDesc(dataObject: name, startOffset: 0, size: 0)
        if !range.isEmpty {
            part.startOffset = range.lowerBound & ~(Self.page - 1)
            part.size = (range.upperBound + Self.page - 1) & ~(Self.page - 1) - part.startOffset
        }
        let code = nucleus.lcFlush(&part, flags, order)
        // Gone meanwhile, after it was written back.
        return code == K_EUNKNOWN ? K_OK : code
    }
}
