/// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), the keyed hash behind group names.
struct SipHash {
    private var v0: UInt64, v1: UInt64, v2: UInt64, v3: UInt64
    private var tail: UInt64 = 0
    private var count = 0

    init(_ k0: UInt64, _ k1: UInt64) {
        v0 = k0 ^ 0x736f_6d65_7073_6575
        v1 = k1 ^ 0x646f_7261_6e64_6f6d
        v2 = k0 ^ 0x6c79_6765_6e65_7261
        v3 = k1 ^ 0x7465_6462_7974_6573
    }

    private static func rotate(_ x: UInt64, _ by: UInt64) -> UInt64 { (x &<< by) | (x &>> (64 &- by)) }

    private mutating func round() {
        v0 = v0 &+ v1
        v1 = Self.rotate(v1, 13) ^ v0
        v0 = Self.rotate(v0, 32)
        v2 = v2 &+ v3
        v3 = Self.rotate(v3, 16) ^ v2
        v0 = v0 &+ v3
        v3 = Self.rotate(v3, 21) ^ v0
        v2 = v2 &+ v1
        v1 = Self.rotate(v1, 17) ^ v2
        v2 = Self.rotate(v2, 32)
    }

    private mutating func compress(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    mutating func add(byte: UInt8) {
        tail |= UInt64(byte) &<< (8 &* UInt64(count & 7))
        count += 1
        if count & 7 == 0 {
            compress(tail)
            tail = 0
        }
    }

    mutating func add(_ word: UInt64) { for i in 0..<8 { add(byte: UInt8(truncatingIfNeeded: word &>> (8 * i))) } }

    consuming func finish() -> UInt64 {
        var copy = self
        copy.compress(copy.tail | (UInt64(copy.count & 0xff) &<< 56))
        copy.v2 ^= 0xff
        for _ in 0..<4 { copy.round() }
        return copy.v0 ^ copy.v1 ^ copy.v2 ^ copy.v3
    }

    static func hash(_ k0: UInt64, _ k1: UInt64, _ words: UInt64...) -> UInt64 {
        var sip = SipHash(k0, k1)
        for word in words { sip.add(word) }
        return sip.finish()
    }
}
