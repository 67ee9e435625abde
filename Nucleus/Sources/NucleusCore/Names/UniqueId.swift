import CChorus

/// What a unique identifier names; the top four bits of `uiHead`.
enum UiType: UInt32 {
    case port = 1, dynamicGroup, staticUserGroup, staticSystemGroup, actor, segment, event

    var isGroup: Bool { self == .dynamicGroup || self == .staticUserGroup || self == .staticSystemGroup }
}

/// A UI is 64 bits: type (4), birth-site hint (16: low bits of the site number), random (44). The hint says where to
/// ask first and is never an authority. A group's UI has no hint: its 60 bits come from the key.
extension KnUniqueId {
    var raw: UInt64 { UInt64(uiHead) &<< 32 | UInt64(uiTail) }
    init(raw: UInt64) { self.init(uiHead: UInt32(raw &>> 32), uiTail: UInt32(truncatingIfNeeded: raw)) }

    var type: UiType? { UiType(rawValue: uiHead &>> 28) }
    var siteHint: UInt16 { UInt16(truncatingIfNeeded: uiHead &>> 12) }
    var isNone: Bool { raw == 0 }

    init(_ type: UiType, site: UInt32, random: UInt64) {
        self.init(
            raw: UInt64(type.rawValue) &<< 60 | UInt64(site & 0xffff) &<< 44 | random & 0xfff_ffff_ffff)
    }

    /// The sending name of the group whose membership key is `key`: a one-way function of it.
    init(_ type: UiType, groupKey key: KnKey) {
        // The constant is public: only inverting the hash would lead from the name to the key.
        let hash = SipHash.hash(0x4348_4f52_5553_2f47, key.raw, 0x6772_6f75_702d_7569)
        self.init(raw: UInt64(type.rawValue) &<< 60 | hash & 0x0fff_ffff_ffff_ffff)
    }
}

extension KnKey {
    var raw: UInt64 { UInt64(keyHead) &<< 32 | UInt64(keyTail) }
    init(raw: UInt64) { self.init(keyHead: UInt32(raw &>> 32), keyTail: UInt32(truncatingIfNeeded: raw)) }
}

extension HostServices {
    func random64() -> UInt64 {
        var word: UInt64 = 0
        withUnsafeMutableBytes(of: &word) { random($0) }
        return word
    }
}

extension Site {
    func newUi(_ type: UiType) -> KnUniqueId { KnUniqueId(type, site: number, random: host.random64()) }
    func newCap(_ type: UiType) -> KnCap { KnCap(ui: newUi(type), key: KnKey(raw: host.random64() | 1)) }
}

func == (a: KnUniqueId, b: KnUniqueId) -> Bool { a.raw == b.raw }
func == (a: KnKey, b: KnKey) -> Bool { a.raw == b.raw }
