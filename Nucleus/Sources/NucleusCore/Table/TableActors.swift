import CChorus

extension NucleusTable {
    static func actors(_ table: inout KnNucleus) {
        table.actorCreate = { me, initial, cap, privilege, status, name in
            nucleusCall(me) { actor throws(KnError) in
                let cap = try cap.given()
                let creator = try actor.target(initial)
                let known = [K_USERACTOR, K_SYSACTOR, K_SUPACTOR, K_UNIXACTOR].contains(privilege)
                guard known, status == K_ACTIVE || status == K_STOPPED else { throw .invalid }
                if privilege != K_USERACTOR { try actor.needPrivilege() }
                if privilege == K_UNIXACTOR, actor.site.unix == nil { throw .notProvided }
                // The creator's subsystem goes on: a UNIX actor made for another one belongs to the same server.
                let subsystem = creator.isUnix ? creator.creator : creator
                let new = try actor.createChild(
                    subsystem, name: NucleusTable.name(name), privilege: privilege, status: status)
                cap.pointee = new.cap
                return K_OK
            }
        }
        table.actorDelete = { me, cap in
            nucleusCall(me) { actor throws(KnError) in actor.site.deleteActor(try actor.target(cap)) }
        }
        table.actorStart = { me, cap in
            nucleusCall(me) { actor throws(KnError) in try actor.target(cap).setStatus(K_ACTIVE) }
        }
        table.actorStop = { me, cap in
            nucleusCall(me) { actor throws(KnError) in try actor.target(cap).setStatus(K_STOPPED) }
        }
        table.actorSelf = { me, cap in
            nucleusCall(me) { actor throws(KnError) in
                try cap.given().pointee = actor.cap
                return K_OK
            }
        }
        table.actorStat = { me, count, stats in
            nucleusCall(me) { actor throws(KnError) in
                try listing(actor.site.allActors, count, stats) { $0.stat(for: actor) }
            }
        }
        table.actorName = { me, cap, name in
            nucleusCall(me) { actor throws(KnError) in
                let target = try actor.target(cap)
                let name = NucleusTable.name(try name.given())
                target.state.withLock { $0.name = name }
                target.site.traceActor(K_TR_ACTOR_NAME, target, name)
                return K_OK
            }
        }
        table.actorPi = { me, cap, old, new in
            nucleusCall(me) { actor throws(KnError) in
                let target = try actor.target(cap)
                let before = target.protection.id
                if let new {
                    try actor.needPrivilege()
                    target.protection.id = new.pointee
                }
                old?.pointee = before
                return K_OK
            }
        }
    }
}
