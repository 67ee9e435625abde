import ActorKit
import CChorus

/// Segments by capability: each is put back once, however many files and open instances share it.
final class SegmentPool {
    private let nucleus: Nucleus
    private var known: [UInt64: Segment] = [:]

    init(nucleus: Nucleus) { self.nucleus = nucleus }

    func read(_ reader: inout StateReader) throws(Errno) -> Segment? {
        let ui = KnUniqueId(uiHead: try reader.half(), uiTail: try reader.half())
        let key = KnKey(keyHead: try reader.half(), keyTail: try reader.half())
        if ui.uiHead | ui.uiTail == 0 { return nil }
        let name = UInt64(ui.uiHead) << 32 | UInt64(ui.uiTail)
        if let segment = known[name] { return segment }
        let segment = Segment(nucleus: nucleus, cap: KnCap(ui: ui, key: key))
        known[name] = segment
        return segment
    }
}

extension StateWriter {
    mutating func put(_ segment: Segment?, lent: inout [Segment]) {
        if let segment { lent.append(segment) }
        put(segment?.cap.ui.uiHead ?? 0)
        put(segment?.cap.ui.uiTail ?? 0)
        put(segment?.cap.key.keyHead ?? 0)
        put(segment?.cap.key.keyTail ?? 0)
    }
}
