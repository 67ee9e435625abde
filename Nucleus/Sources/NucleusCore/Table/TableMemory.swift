import CChorus

/// Local caches of external mappers' segments.
extension NucleusTable {
    static func memory(_ table: inout KnNucleus) {
        table.lcOpen = { me, cap, flags, li in
            nucleusCall(me) { actor throws(KnError) in
                let li = try li.given()
                guard flags == 0 else { throw .invalid }
                li.pointee = try actor.lcOpen(cap.given().pointee)
                return K_OK
            }
        }
        table.lcClose = { me, li in nucleusCall(me) { actor throws(KnError) in try actor.lcClose(li) } }
        table.lcCap = { me, li, lccap in
            nucleusCall(me) { actor throws(KnError) in
                try lccap.given().pointee = actor.localCache(li).lccap
                return K_OK
            }
        }
        table.lcStat = { me, li, stat in
            nucleusCall(me) { actor throws(KnError) in
                try stat.given().pointee = actor.localCache(li).stat()
                return K_OK
            }
        }
        table.lcFlush = { me, range, flags, order in
            nucleusCall(me) { actor throws(KnError) in
                try actor.flushCache(range.given().pointee, flags, rights: K_READABLE | K_WRITABLE, order)
            }
        }
        table.lcSetRights = { me, range, rights, order in
            nucleusCall(me) { actor throws(KnError) in
                try actor.flushCache(range.given().pointee, 0, rights: rights, order)
            }
        }
        table.sgCreateAt = { me, mapper, options, segment in
            nucleusCall(me) { actor throws(KnError) in
                let segment = try segment.given()
                try actor.needPrivilege()
                if actor.isDeleted { throw .deadActor }
                segment.pointee = try actor.site.createSegment(at: mapper.given().pointee, options)
                return K_OK
            }
        }
    }
}

extension Actor {
    private static var mostCaches: Int { 1024 }

    fileprivate func lcOpen(_ cap: KnCap) throws(KnError) -> Int32 {
        try needPrivilege()
        let segment = try site.openCache(cap)
        let li = state.withLock { state -> Int32? in
            guard !isDeleted, state.caches.count < Self.mostCaches else { return nil }
            repeat {
                state.lastCache = state.lastCache == Int32.max ? 1 : state.lastCache + 1
            } while state.caches[state.lastCache] != nil
            state.caches[state.lastCache] = segment
            return state.lastCache
        }
        guard let li else {
            site.closeCache(segment)
            throw isDeleted ? .deadActor : .noMemory
        }
        segment.local?.state.withLock { $0.opened += 1 }
        return li
    }

    fileprivate func lcClose(_ li: Int32) throws(KnError) -> Int32 {
        guard let segment = state.withLock({ $0.caches.removeValue(forKey: li) }) else { throw .unknown }
        release(cache: segment)
        return K_OK
    }

    func release(cache segment: Segment) {
        segment.local?.state.withLock { $0.opened -= 1 }
        site.closeCache(segment)
    }

    fileprivate func localCache(_ li: Int32) throws(KnError) -> LocalCache {
        guard let local = state.withLock({ $0.caches[li] })?.local else { throw .unknown }
        return local
    }
}

extension Site {
    /// A temporary segment, which is the mapper's to name.
    fileprivate func createSegment(at mapper: KnUniqueId, _ options: UInt32) throws(KnError) -> KnCap {
        guard let type = mapper.type, type == .port || type.isGroup else { throw .invalid }
        let shared = Mapper(mapper)
        defer { shared.workers.stop() }
        let request = MapperRequest(
            self, shared,
            KnMpCreate(service: KN_MPCREATE, size: UInt32(MemoryLayout<KnMpCreate>.size), options: options, pad: 0))
        let made = try request.ask(KnMpCreated.self)
        guard made.options == 0, let type = made.segcap.ui.type, type == .port || type.isGroup else { throw .garbage }
        return made.segcap
    }
}
