import CChorus
import Glibc

@testable import KnLane

/// Reproducible randomness: the seed is printed, and taken from KN_SEED when given.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ name: StaticString = #function) {
        let given = getenv("KN_SEED").flatMap { UInt64(String(cString: $0)) }
        state = given ?? UInt64.random(in: 1...UInt64(UInt32.max))
        print("\(name): KN_SEED=\(state)")
    }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    mutating func fill(_ bytes: UnsafeMutableRawBufferPointer) {
        for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: next()) }
    }
}

/// Memory that ends at an inaccessible page: one byte read too far is a fault.
final class Guarded {
    let size: Int
    private let base: UnsafeMutableRawPointer
    private let whole: Int
    let start: UnsafeMutableRawPointer

    init(_ size: Int) {
        self.size = size
        // Frames and buffers are 8-byte aligned, so the end is rounded up to that.
        let rounded = (size + 7) & ~7
        let pages = (rounded + 4095) & ~4095
        whole = pages + 4096
        base = mmap(nil, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        mprotect(base + pages, 4096, PROT_NONE)
        start = base + pages - rounded
    }
    deinit { munmap(base, whole) }
    var bytes: UnsafeMutableRawBufferPointer { .init(start: start, count: size) }
    var copy: [UInt8] { Array(bytes) }
}

extension CallPlans {
    /// Every plan there is, with a name for messages.
    var all: [(name: String, plan: CallPlan)] {
        let groups = [
            (calls, CallPlans.callCount), (handlers, CallPlans.handlerCount), (operations, CallPlans.operationCount),
            (main, 1),
        ]
        return groups.flatMap { base, count in
            (0..<count).map { index in
                (base[index].signature.pointee.name.map { String(cString: $0) } ?? "?", base[index])
            }
        }
    }
}

/// One side's slots and lengths, and the buffers they point to.
final class Arguments {
    let slots = UnsafeMutablePointer<UInt64>.allocate(capacity: 12)
    let lengths = UnsafeMutablePointer<UInt32>.allocate(capacity: 12)
    var buffers: [Int: Guarded] = [:]
    let plan: CallPlan

    /// Random arguments of a correct caller.
    init(_ plan: CallPlan, _ random: inout Seeded) {
        self.plan = plan
        slots.initialize(repeating: 0, count: 12)
        lengths.initialize(repeating: 0, count: 12)
        for index in 0..<plan.count {
            let arg = plan.argument(index)
            switch UInt32(arg.type) {
            case K_ARG_BUF where arg.len == K_LEN_FIXED:
                if !random.chance(10) { attach(index, Int(arg.size), &random) }
            case K_ARG_STR:
                guard !random.chance(10) else { continue }
                let length = random.below(min(Int(arg.size), 600))
                attach(index, length + 1, &random)
                guard let bytes = buffers[index]?.bytes else { continue }
                for place in 0..<length where bytes[place] == 0 { bytes[place] = 1 }
                bytes[length] = 0
            case K_ARG_BUF: break  // below: its length must be known
            default: slots[index] = random.next()
            }
        }
        let units = random.chance(5) ? 1 << 17 : 300
        for index in 0..<plan.count {
            let arg = plan.argument(index)
            guard arg.type == K_ARG_BUF, arg.len != K_LEN_FIXED else { continue }
            let length = Int(arg.lenArg)
            let count = random.below(max(2, min(units, 900_000 / Int(arg.size))))
            if arg.len == K_LEN_ARG {
                slots[length] = UInt64(count) | random.next() << 32  // garbage above a 32-bit argument
            } else {
                buffers[length]?.start.storeBytes(of: UInt32(count), as: UInt32.self)
            }
            let present = arg.len == K_LEN_ARG || buffers[length] != nil
            if !random.chance(10) { attach(index, present ? count * Int(arg.size) : 0, &random) }
        }
    }

    deinit {
        slots.deallocate()
        lengths.deallocate()
    }

    private func attach(_ index: Int, _ size: Int, _ random: inout Seeded) {
        let memory = Guarded(size)
        random.fill(memory.bytes)
        buffers[index] = memory
        slots[index] = UInt64(UInt(bitPattern: memory.start))
    }
}

/// `#require` does not take what cannot be copied.
func newScratch() throws -> Scratch {
    guard let scratch = Scratch() else { throw NoMemory() }
    return scratch
}
struct NoMemory: Error {}
