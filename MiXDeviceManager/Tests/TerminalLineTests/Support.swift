import TerminalLine

/// SplitMix64: the same numbers for the same seed on every host.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

extension LineDiscipline {
    mutating func type(_ bytes: [UInt8]) -> Int { bytes.withUnsafeBytes { receive($0) } }
    mutating func type(_ text: String) { _ = type(Array(text.utf8)) }
    mutating func print(_ bytes: [UInt8]) -> Int { bytes.withUnsafeBytes { write($0) } }

    mutating func shown() -> [UInt8] {
        let count = output.count
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = output.take(into: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    mutating func got(_ size: Int = 4096) -> [UInt8]? {
        guard hasInput else { return nil }
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            filled = read(
                into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[0..<size]))
        }
    }

    mutating func change(_ edit: (inout Termios) -> Void) {
        var t = termios
        edit(&t)
        setTermios(t)
    }
}
