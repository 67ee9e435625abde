import CChorus

/// Regions since ABI 1.1: between actors, attributes.
extension NucleusTable {
    static func moreRegions(_ table: inout KnNucleus) {
        table.rgnMapFromActor = { me, target, region, source, from in
            nucleusCall(me) { actor throws(KnError) in try actor.fromActor(target, region, source, from, shared: true) }
        }
        table.rgnInitFromActor = { me, target, region, source, from in
            nucleusCall(me) { actor throws(KnError) in try actor.fromActor(target, region, source, from, shared: false)
            }
        }
        table.rgnSetInherit = { me, cap, region in
            nucleusCall(me) { actor throws(KnError) in
                let region = try region.given().pointee
                guard [0, K_INHERITSHARE, K_INHERITCOPY].contains(region.options) else { throw .invalid }
                return try actor.machine().rgnSetInherit(actor.unixActor(cap), region)
            }
        }
        table.rgnSetPaging = { me, cap, region in
            nucleusCall(me) { actor throws(KnError) in
                let region = try region.given().pointee
                guard region.options & ~(K_NODEMAND | K_NOWAITFORMEMORY) == 0 else { throw .invalid }
                return try actor.machine().rgnSetPaging(actor.unixActor(cap), region)
            }
        }
        table.rgnSetOpaque = { me, cap, region in
            nucleusCall(me) { actor throws(KnError) in
                try actor.machine().rgnSetOpaque(actor.unixActor(cap), region.given().pointee)
            }
        }
        table.rgnStat2 = { me, cap, from, count, stats in
            nucleusCall(me) { actor throws(KnError) in
                let count = try count.given()
                let room = UnsafeMutableBufferPointer(start: stats, count: stats == nil ? 0 : Int(count.pointee))
                let written = try actor.machine().rgnStat2(actor.unixActor(cap), from, room)
                if written < 0 { return written }
                count.pointee = UInt32(written)
                return K_OK
            }
        }
        table.sgSyncAll = { me in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needPrivilege()
                return actor.site.flushCaches()
            }
        }
    }
}

extension Actor {
    fileprivate func fromActor(
        _ target: UnsafePointer<KnCap>?, _ region: UnsafeMutablePointer<KnRgnDesc>?, _ source: UnsafePointer<KnCap>?,
        _ from: UnsafePointer<KnRgnDesc>?, shared: Bool
    ) throws(KnError) -> Int32 {
        let machine = try machine()
        let (region, from) = (try region.given(), try from.given().pointee)
        let (target, source) = (try unixActor(target), try unixActor(source))
        return machine.rgnFromActor(target, &region.pointee, source, from, shared: shared)
    }
}
