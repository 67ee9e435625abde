import CChorus

/// madvise(2).
enum AdviseCalls {
    static let table: [(Int, String, SystemCallHandler)] = [(28, "madvise", advise)]

    private static let dontNeed: Int32 = 4, free: Int32 = 8, remove: Int32 = 9, dontFork: Int32 = 10, doFork: Int32 = 11
    private static let hugePages: Int32 = 14, wipeOnFork: Int32 = 18, keepOnFork: Int32 = 19
    /// Hints about use, merging, huge pages, dumps and swapping, which change nothing that a program can see.
    private static let hints: Set<Int32> = [0, 1, 2, 3, 12, 13, 14, 15, 16, 17, 20, 21, 22, 23, 25]

    @Sendable private static func advise(_ call: Call) throws(Errno) -> Outcome {
        let advice = call.int(2)
        let (start, end) = try MemoryCalls.range(call[0], call[1])
        guard
            hints.contains(advice)
                || [dontNeed, free, remove, dontFork, doFork, wipeOnFork, keepOnFork].contains(advice)
        else { throw .EINVAL }
        if start == end { return .zero }
        let space = call.process.memory
        try space.lock.withLock { () throws(Errno) in
            for area in space.map.areas(in: start, end) { try carryOut(call, advice, area, space) }
            // Holes are skipped, and told of at the end.
            guard space.map.covers(start, end) else { throw .ENOMEM }
        }
        return .zero
    }

    /// Of one area, under the space's lock.
    private static func carryOut(
        _ call: Call, _ advice: Int32, _ area: MappedArea, _ space: AddressSpace
    ) throws(Errno) {
        let isPrivateMemory = area.file == nil && !area.isShared
        switch advice {
        case dontNeed, free:
            if area.traits.isLocked || advice == free && !isPrivateMemory { throw .EINVAL }
            // What is sealed keeps its contents, if the program itself could not change them either (mseal(2)).
            if area.traits.isSealed, isPrivateMemory, area.protection & 2 == 0 { throw .EPERM }
            try tell(call, dontNeed, area)
        case remove:
            guard !area.traits.isLocked, area.isShared, let file = area.file as? any MappedFile else { throw .EINVAL }
            guard area.protection & 2 != 0, file.isWritable else { throw .EACCES }
            var range = KnObjDesc(
                dataObject: file.mappedSegment, startOffset: area.offset, size: area.end - area.start)
            try call.manager.check(call.nucleus.sgPunch(&range))
        case dontFork: space.map.mark(area.start, area.end) { $0.fork = .leave }
        case doFork: space.map.mark(area.start, area.end) { if $0.fork == .leave { $0.fork = .copy } }
        case wipeOnFork:
            guard isPrivateMemory else { throw .EINVAL }
            space.map.mark(area.start, area.end) { $0.fork = .wipe }
        case keepOnFork: space.map.mark(area.start, area.end) { if $0.fork == .wipe { $0.fork = .copy } }
        case hugePages: try tell(call, advice, area)
        default: break
        }
    }

    private static func tell(_ call: Call, _ advice: Int32, _ area: MappedArea) throws(Errno) {
        var actor = call.process.actor
        var region = KnRgnDesc()
        region.startAddr = area.start
        region.size = area.end - area.start
        try call.manager.check(call.nucleus.rgnAdvise(&actor, &region, advice))
    }
}

extension ProcessManager {
    /// In a forked process, before it runs: MADV_DONTFORK and MADV_WIPEONFORK.
    func followForkAdvice(_ child: Process) {
        let space = child.memory
        space.lock.withLock {
            for area in space.map.areas where area.traits.fork != .copy {
                var actor = child.actor
                var region = KnRgnDesc()
                region.startAddr = area.start
                region.size = area.end - area.start
                if area.traits.fork == .wipe {
                    nucleus.rgnAdvise(&actor, &region, 4)
                } else if nucleus.rgnFree(&actor, &region) >= 0 {
                    space.map.remove(area.start, area.end)
                }
            }
        }
    }
}
