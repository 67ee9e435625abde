import CChorus
import CMachine
import NucleusCore

/// One region of a guest's address space: what is mapped where, as its subsystem asked for it.
struct Region {
    var start: VmAddr
    var end: VmAddr
    /// K_READABLE, K_WRITABLE, K_EXECUTABLE, K_INHERITSHARE, K_GROWSDOWN, K_MAYWRITE, K_RESERVED.
    var options: UInt32
    var opaque: UInt32
    var segment: Segment?
    /// Of `start` in the segment.
    var offset: VmOffset = 0
    /// Private copy or anonymous private memory; else shared.
    var isPrivate: Bool
    /// Names shared anonymous memory, the same in all who inherited it.
    var shared = KnUniqueId()

    var size: VmSize { end - start }

    func clipped(_ from: VmAddr, _ to: VmAddr) -> Region {
        var part = self
        part.start = max(start, from)
        part.end = min(end, to)
        if segment != nil || shared.uiHead != 0 { part.offset = offset + (part.start - start) }
        return part
    }

    var stat: KnRgnStat {
        var object = KnObjDesc()
        object.dataObject.ui = segment?.cap.ui ?? shared
        object.startOffset = offset
        object.size = size
        return KnRgnStat(
            rgn: KnRgnDesc(startAddr: start, size: size, options: options, opaque: opaque, endAddr: end),
            object: object,
            isPrivate: isPrivate ? 1 : 0, pad: 0)
    }
}
