import CChorus
import Synchronization

/// Writing back, and giving up what the mapper wants back.
extension LocalCache {
    /// Pushes out what is dirty in `pages` and keeps no more than `rights`; what an order above `order` has granted
    /// stays (0: nothing does). K_OK, or why data could not be pushed out: that stays, dirty as it is.
    func flush(_ pages: Range<UInt64>, keep rights: UInt32, order: UInt64) -> Int32 {
        let (numbers, count) = state.withLock { state -> ([UInt64], Int) in
            let numbers = state.windows.keys.filter { CacheWindow.mask(pages, $0) != 0 }.sorted()
            for number in numbers {
                guard order != 0, let turn = state.windows[number]?.fill else { continue }
                turn.overtaken = max(turn.overtaken, order)
            }
            return (numbers, Int(state.outCluster / CacheWindow.bytes))
        }
        var result = K_OK
        var next = 0
        while next < numbers.count {
            // As many as the mapper takes at once, and without a gap.
            var end = next + 1
            while end < numbers.count, end - next < count, numbers[end] == numbers[end - 1] + 1 { end += 1 }
            do throws(KnError) {
                try flush(numbers[next]..<numbers[end - 1] + 1, pages, keep: rights, order)
            } catch { if result == K_OK { result = error.rawValue } }
            next = end
        }
        return result
    }

    private func flush(
        _ numbers: Range<UInt64>, _ pages: Range<UInt64>, keep rights: UInt32, _ order: UInt64
    ) throws(KnError) {
        let turn = CacheTurn()
        try alone(numbers, turn)
        defer { release(numbers, turn) }
        // With the windows ours, nothing of them changes but by what is done here.
        let parts = state.withLock { state -> [(number: UInt64, dirty: UInt16, lost: UInt16)] in
            numbers.compactMap { number in
                guard let window = state.windows[number], order == 0 || window.order <= order else { return nil }
                let mask = CacheWindow.mask(pages, number)
                let lost = rights == 0 ? window.present & mask : rights & K_WRITABLE == 0 ? window.writable & mask : 0
                return (number, window.dirty & mask, lost)
            }
        }
        var revoked: [Range<UInt64>] = []
        for part in parts {
            try runs(part.dirty | part.lost, part.number) { run throws(KnError) in
                revoked.append(run.lowerBound * CacheWindow.pageSize..<run.upperBound * CacheWindow.pageSize)
            }
        }
        if revoked.isEmpty { return }
        revoke(revoked, keepReading: rights != 0)
        try pushOut(parts.map { ($0.number, $0.dirty) })
        if rights == 0 {
            for part in parts {
                try runs(part.lost, part.number) { run throws(KnError) in
                    let code = host.cachePunch(
                        segment.cache, run.lowerBound * CacheWindow.pageSize, UInt64(run.count) * CacheWindow.pageSize)
                    guard code >= 0 else { throw KnError(rawValue: code) }
                }
            }
        }
        state.withLock { state in
            for part in parts {
                if rights == 0 { change(&state, part.number) { $0.present &= ~part.lost } }
                state.windows[part.number]?.writable &= ~part.lost
            }
        }
    }

    /// Takes the windows for a flush, when no other has them and nobody is being given a mapping of them.
    private func alone(_ numbers: Range<UInt64>, _ turn: CacheTurn) throws(KnError) {
        while true {
            let wait = state.withLock { state -> (Thread, CacheTurn)? in
                for number in numbers {
                    if let other = state.windows[number]?.flush, other !== turn { return (join(other), other) }
                }
                for number in numbers where state.windows[number] != nil { state.windows[number]?.flush = turn }
                // Those who pin end the turn of the flush when the last of them is done.
                return numbers.contains { (state.windows[$0]?.pins ?? 0) > 0 } ? (join(turn), turn) : nil
            }
            guard let (thread, other) = wait else { return }
            do throws(KnError) { try self.wait(thread, other) } catch {
                release(numbers, turn)
                throw error
            }
        }
    }

    private func release(_ numbers: Range<UInt64>, _ turn: CacheTurn) {
        state.withLock { state in
            for number in numbers where state.windows[number]?.flush === turn {
                state.windows[number]?.flush = nil
                drop(&state, number)
            }
            turn.end()
        }
    }

    private func revoke(_ ranges: [Range<UInt64>], keepReading: Bool) {
        guard state.withLock({ $0.regions > 0 }) else { return }
        site.unix?.cacheRevoke(segment, ranges, keepReading: keepReading)
    }

    /// Pushes the dirty pages out, in unbroken runs.
    private func pushOut(_ parts: [(number: UInt64, dirty: UInt16)]) throws(KnError) {
        var run = 0..<UInt64(0)
        for part in parts {
            try runs(part.dirty, part.number) { next throws(KnError) in
                if next.lowerBound == run.upperBound, !run.isEmpty {
                    run = run.lowerBound..<next.upperBound
                    return
                }
                try pushOut(run)
                run = next
            }
        }
        try pushOut(run)
    }

    private func pushOut(_ run: Range<UInt64>) throws(KnError) {
        let start = run.lowerBound * CacheWindow.pageSize
        let end = min(run.upperBound * CacheWindow.pageSize, state.withLock { $0.size })
        guard start < end else { return }
        let size = Int(end - start)
        let request = MapperRequest(
            site, mapper,
            KnMpPushOut(
                service: KN_MPPUSHOUT, size: UInt32(MemoryLayout<KnMpPushOut>.size), segkey: segcap.key, lccap: lccap,
                dataOffset: start, dataSize: UInt64(size), options: 0, pad: 0),
            body: size)
        let moved = host.cacheRead(segment.cache, start, request.data)
        guard moved == size else { throw moved < 0 ? KnError(rawValue: Int32(moved)) : .host }
        do throws(KnError) { _ = try request.ask(KnMpDone.self) } catch {
            state.withLock { $0.counts.failures += 1 }
            throw error
        }
        state.withLock { state in
            state.counts.pushOuts += 1
            state.backed = max(state.backed, end)
            for number in CacheWindow.numbers(run) { state.windows[number]?.dirty &= ~CacheWindow.mask(run, number) }
        }
    }

    /// Cuts the segment or makes it longer, after the mapper has agreed.
    func truncate(_ size: UInt64) throws(KnError) {
        try learnSize()
        let request = MapperRequest(
            site, mapper,
            KnMpTrunc(
                service: KN_MPTRUNC, size: UInt32(MemoryLayout<KnMpTrunc>.size), segkey: segcap.key, lccap: lccap,
                segmentSize: size))
        _ = try request.ask(KnMpDone.self)
        let first = (size + CacheWindow.pageSize - 1) / CacheWindow.pageSize
        let beyond = first..<UInt64(Int64.max) / CacheWindow.pageSize + 1
        let numbers = state.withLock { state in
            state.windows.keys.filter { CacheWindow.mask(beyond, $0) != 0 }.sorted()
        }
        let turn = CacheTurn()
        for number in numbers {
            do throws(KnError) { try alone(number..<number + 1, turn) } catch {
                for taken in numbers { release(taken..<taken + 1, turn) }
                throw error
            }
        }
        if let low = numbers.first, let high = numbers.last {
            revoke([low * CacheWindow.bytes..<(high + 1) * CacheWindow.bytes], keepReading: false)
        }
        let code = state.withLock { state -> Int32 in
            let code = host.cacheTruncate(segment.cache, size)
            guard code >= 0 else { return code }
            (state.size, state.backed) = (size, size)
            touch(&state)
            for number in numbers {
                let kept = ~CacheWindow.mask(beyond, number)
                change(&state, number) { $0.present &= kept }
                state.windows[number]?.writable &= kept
                state.windows[number]?.dirty &= kept
                // What is on its way was there before the cut.
                state.windows[number]?.fill?.overtaken = .max
            }
            return K_OK
        }
        for number in numbers { release(number..<number + 1, turn) }
        if code < 0 { throw KnError(rawValue: code) }
    }
}
