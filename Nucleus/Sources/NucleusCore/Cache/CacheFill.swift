import CChorus
import Synchronization

/// Pages and rights on demand.
extension LocalCache {
    private enum Step<Result: Sendable>: Sendable {
        case done(Result)
        case wait(Thread, CacheTurn)
        case fill(CacheFill)
        case size
    }

    /// Runs `body` with the lock held, once all of `pages` are here and, with `write`, may be written.
    func demand<Result: Sendable>(
        _ pages: Range<UInt64>, write: Bool, _ body: (inout State) -> Result
    ) throws(KnError) -> Result {
        // Others may take away again what was brought in; that has to end.
        for _ in 0..<64 {
            let step = state.withLock { state -> Step<Result> in
                if !state.sized { return .size }
                for number in CacheWindow.numbers(pages) {
                    let window = state.windows[number] ?? CacheWindow()
                    if let turn = window.flush { return .wait(join(turn), turn) }
                    let needed = CacheWindow.mask(pages, number)
                    let here = write ? window.present & window.writable : window.present
                    if needed & ~here == 0 { continue }
                    if let turn = window.fill { return .wait(join(turn), turn) }
                    return .fill(plan(&state, number, needed, window, write: write))
                }
                for number in CacheWindow.numbers(pages) where state.windows[number]?.recent == false {
                    state.windows[number]?.recent = true
                }
                return .done(body(&state))
            }
            switch step {
            case .done(let result): return result
            case .wait(let thread, let turn): try wait(thread, turn)
            case .fill(let fill): try perform(fill)
            case .size: try learnSize()
            }
        }
        throw .busy
    }

    /// What to ask for so that window `number` has what is `needed`. The windows concerned are taken.
    private func plan(
        _ state: inout State, _ number: UInt64, _ needed: UInt16, _ window: CacheWindow, write: Bool
    ) -> CacheFill {
        let backedPages = (state.backed + CacheWindow.pageSize - 1) / CacheWindow.pageSize
        let backed = CacheWindow.mask(0..<backedPages, number)
        let absent = needed & ~window.present
        let turn = CacheTurn()
        guard absent & backed != 0 else {
            // Rights alone: the pages are here, or lie behind all that the mapper has, where there are zeros.
            let lacking = absent != 0 ? absent : needed & ~window.writable
            state.windows[number, default: CacheWindow()].fill = turn
            state.counts.accesses += 1
            let pages = CacheWindow.hull(lacking, number)
            return CacheFill(
                turn: turn, windows: number..<number + 1, required: pages, wanted: pages, data: false, write: write,
                present: absent)
        }
        let windows = take(&state, around: number, turn, backedPages: backedPages)
        state.counts.pullIns += 1
        let first = windows.lowerBound * CacheWindow.pages
        let wanted = first..<min(windows.upperBound * CacheWindow.pages, backedPages)
        return CacheFill(
            turn: turn, windows: windows, required: CacheWindow.hull(absent & backed, number), wanted: wanted,
            data: true,
            write: write, present: 0)
    }

    /// The windows of the mapper's cluster around `number` of which nothing is here and nothing under way.
    private func take(
        _ state: inout State, around number: UInt64, _ turn: CacheTurn, backedPages: UInt64
    ) -> Range<UInt64> {
        let count = state.inCluster / CacheWindow.bytes
        let block = number / count * count
        let end = min(block + count, (backedPages + CacheWindow.pages - 1) / CacheWindow.pages)
        func isFree(_ number: UInt64) -> Bool {
            guard let window = state.windows[number] else { return true }
            return window.present == 0 && window.fill == nil && window.flush == nil
        }
        var (low, high) = (number, number + 1)
        while low > block, isFree(low - 1) { low -= 1 }
        while high < end, isFree(high) { high += 1 }
        for number in low..<high { state.windows[number, default: CacheWindow()].fill = turn }
        return low..<high
    }

    private func perform(_ fill: CacheFill) throws(KnError) {
        do throws(KnError) {
            if fill.data || fill.present != 0 { try site.makeRoom(for: fill.wanted.count) }
            if fill.data { try pullIn(fill) } else { try getAccess(fill) }
        } catch {
            end(fill, error.rawValue)
            throw error
        }
        end(fill, K_OK)
    }

    private func end(_ fill: CacheFill, _ code: Int32) {
        state.withLock { state in
            if code < 0 { state.counts.failures += 1 }
            for number in fill.windows {
                state.windows[number]?.fill = nil
                drop(&state, number)
            }
            fill.turn.end(code)
        }
    }

    /// Forgets a window that says nothing.
    func drop(_ state: inout State, _ number: UInt64) {
        guard let window = state.windows[number], window.present == 0, window.pins == 0, window.fill == nil,
            window.flush == nil
        else { return }
        state.windows[number] = nil
    }

    private func pullIn(_ fill: CacheFill) throws(KnError) {
        let (wanted, required) = (fill.bytes(fill.wanted), fill.bytes(fill.required))
        let request = MapperRequest(
            site, mapper,
            KnMpPullIn(
                service: KN_MPPULLIN, size: UInt32(MemoryLayout<KnMpPullIn>.size), segkey: segcap.key, lccap: lccap,
                accessOffset: wanted.lowerBound, accessSize: UInt64(wanted.count), requiredAccess: fill.access, pad: 0,
                requiredAccessOffset: required.lowerBound, requiredAccessSize: UInt64(required.count),
                dataOffset: wanted.lowerBound, dataSize: UInt64(wanted.count),
                requiredDataOffset: required.lowerBound, requiredDataSize: UInt64(required.count),
                pullInId: site.lastTransaction.wrappingAdd(2, ordering: .relaxed).newValue),
            room: wanted.count)
        let said = try request.ask(KnMpAccess.self)
        let granted = try fill.granted(said)
        let data = try fill.data(said, request.returned)
        // Behind the segment's end a page holds zeros.
        let stale = request.data[request.returned...]
        UnsafeMutableRawBufferPointer(rebasing: stale).initializeMemory(as: UInt8.self, repeating: 0)
        // Only this request makes pages of its windows present; what is here already may be newer.
        let (absent, size) = state.withLock { state in
            (
                fill.windows.map {
                    (number: $0, mask: CacheWindow.mask(data, $0) & ~(state.windows[$0]?.present ?? 0))
                },
                state.size
            )
        }
        for (number, mask) in absent {
            try runs(mask, number) { run throws(KnError) in
                let (start, end) = (
                    run.lowerBound * CacheWindow.pageSize, min(run.upperBound * CacheWindow.pageSize, size)
                )
                guard start < end else { return }
                let from = Int(start - data.lowerBound * CacheWindow.pageSize)
                let bytes = UnsafeRawBufferPointer(rebasing: request.data[from..<from + Int(end - start)])
                let moved = host.cacheWrite(segment.cache, start, bytes)
                guard moved == bytes.count else { throw moved < 0 ? KnError(rawValue: Int32(moved)) : .noMemory }
            }
        }
        state.withLock { state in
            guard accept(&state, fill, said) else { return }
            for (number, mask) in absent {
                change(&state, number) {
                    $0.present |= mask
                    $0.recent = true
                }
                if said.grantedAccess & K_WRITABLE != 0 {
                    state.windows[number]?.writable |= mask & CacheWindow.mask(granted, number)
                }
            }
        }
    }

    private func getAccess(_ fill: CacheFill) throws(KnError) {
        let pages = fill.bytes(fill.wanted)
        let request = MapperRequest(
            site, mapper,
            KnMpGetAccess(
                service: KN_MPGETACCESS, size: UInt32(MemoryLayout<KnMpGetAccess>.size), segkey: segcap.key,
                lccap: lccap, accessOffset: pages.lowerBound, accessSize: UInt64(pages.count),
                requiredAccess: fill.access, pad: 0, requiredAccessOffset: pages.lowerBound,
                requiredAccessSize: UInt64(pages.count)))
        let said = try request.ask(KnMpAccess.self)
        let granted = try fill.granted(said)
        state.withLock { state in
            guard accept(&state, fill, said) else { return }
            for number in fill.windows {
                change(&state, number) { $0.present |= fill.present }
                guard said.grantedAccess & K_WRITABLE != 0, let present = state.windows[number]?.present else {
                    continue
                }
                state.windows[number]?.writable |= present & CacheWindow.mask(granted, number)
            }
        }
    }

    /// False if a flush has overtaken the answer: then it does not count, and who needs it asks again.
    private func accept(_ state: inout State, _ fill: CacheFill, _ said: KnMpAccess) -> Bool {
        guard said.ordinalNumber >= fill.turn.overtaken else { return false }
        for number in fill.windows { state.windows[number]?.order = said.ordinalNumber }
        state.inCluster = cluster(said.inClusterSize, state.inCluster)
        state.outCluster = cluster(said.outClusterSize, state.outCluster)
        if said.grantedAccess & K_MP_RELEASE != 0 { state.wantsRelease = true }
        return true
    }
}

/// The unbroken runs of pages in `mask` of window `number`.
func runs(
    _ mask: UInt16, _ number: UInt64, _ body: (Range<UInt64>) throws(KnError) -> Void
) throws(KnError) {
    var rest = mask
    while rest != 0 {
        let run = CacheWindow.run(rest, around: rest.trailingZeroBitCount)
        try body(CacheWindow.hull(run, number))
        rest &= ~run
    }
}

/// A request that is under way for windows of a cache.
struct CacheFill {
    let turn: CacheTurn
    let windows: Range<UInt64>
    /// Pages.
    let required: Range<UInt64>
    let wanted: Range<UInt64>
    /// MpPullIn; else MpGetAccess.
    let data: Bool
    let write: Bool
    /// Pages that become present with the rights alone.
    let present: UInt16

    var access: UInt32 { write ? K_READABLE | K_WRITABLE : K_READABLE }

    func bytes(_ pages: Range<UInt64>) -> Range<UInt64> {
        pages.lowerBound * CacheWindow.pageSize..<pages.upperBound * CacheWindow.pageSize
    }

    /// The pages that rights were granted for, if the answer covers what was required.
    func granted(_ said: KnMpAccess) throws(KnError) -> Range<UInt64> {
        let known = K_READABLE | K_WRITABLE | K_MP_RELEASE
        guard said.grantedAccess & ~known == 0, said.grantedAccess & access == access else { throw .garbage }
        return try pages(said.returnAccessOffset, said.returnAccessSize)
    }

    /// The pages that came along. The last one may be short: there the segment ends.
    func data(_ said: KnMpAccess, _ returned: Int) throws(KnError) -> Range<UInt64> {
        guard said.returnDataSize == UInt64(returned) else { throw .garbage }
        let end = said.returnDataSize.addingReportingOverflow(CacheWindow.pageSize - 1)
        guard !end.overflow else { throw .garbage }
        let data = try pages(said.returnDataOffset, end.partialValue & ~(CacheWindow.pageSize - 1))
        // What is short may only be the end of what was wanted, which is cut at the segment's end.
        guard said.returnDataSize % CacheWindow.pageSize == 0 || data.upperBound == wanted.upperBound else {
            throw .garbage
        }
        return data
    }

    private func pages(_ offset: UInt64, _ size: UInt64) throws(KnError) -> Range<UInt64> {
        let mask = CacheWindow.pageSize - 1
        let (end, over) = offset.addingReportingOverflow(size)
        guard offset & mask == 0, size & mask == 0, !over else { throw .garbage }
        let pages = offset / CacheWindow.pageSize..<end / CacheWindow.pageSize
        guard pages.lowerBound >= wanted.lowerBound, pages.upperBound <= wanted.upperBound,
            pages.lowerBound <= required.lowerBound, pages.upperBound >= required.upperBound
        else { throw .garbage }
        return pages
    }
}
