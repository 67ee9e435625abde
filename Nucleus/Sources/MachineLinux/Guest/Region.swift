import CChorus
import CMachine
import NucleusCore

/// One region of a guest's address space: what is mapped where, as its subsystem asked for it.
struct Region {
    var start: VmAddr
    var end: VmAddr
    /// K_READABLE, K_WRITABLE, K_EXECUTABLE, K_INHERIT*, K_NODEMAND, K_NOWAITFORMEMORY, K_GROWSDOWN, K_MAYWRITE,
    /// K_RESERVED.
    var options: UInt32
    var opaque: UInt32
    var segment: Segment?
    /// Of `start` in the segment.
    var offset: VmOffset = 0
    /// Private copy or anonymous private memory; else shared.
    var isPrivate: Bool
    /// Names shared anonymous memory without a segment, the same in all who inherited it.
    var shared = KnUniqueId()
    /// It was private before another actor came to share it (rgnMapFromActor): a fork still copies it.
    var wasPrivate = false

    /// `opaque` of the vDSO: by that its subsystem finds it.
    static var vdso: UInt32 { 0x76 }

    var size: VmSize { end - start }

    /// Bytes of memory that it may come to hold for its actor alone.
    var charge: UInt64 { isPrivate && options & (K_WRITABLE | K_RESERVED) == K_WRITABLE ? size : 0 }

    /// A region kept through rgnDup(0) as a copy, though the host would share it.
    var isCopied: Bool { !isPrivate && options & K_INHERITSHARE == 0 && options & K_INHERITCOPY != 0 }

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
