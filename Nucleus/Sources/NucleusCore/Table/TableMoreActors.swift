import CChorus

/// Calls on actors since ABI 1.1.
extension NucleusTable {
    static func moreActors(_ table: inout KnNucleus) {
        table.actorPrivilege = { me, cap, old, new in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needPrivilege()
                let target = try actor.target(cap)
                let before = target.privilege
                if let now = new?.pointee {
                    let changeable = [K_USERACTOR, K_SYSACTOR]
                    guard changeable.contains(now), changeable.contains(before) else { throw .invalid }
                    target.privilege = now
                }
                old?.pointee = before
                return K_OK
            }
        }
        table.actorDup = { me, source, cap, status, flags, name in
            nucleusCall(me) { actor throws(KnError) in
                let (unix, cap) = (try actor.machine(), try cap.given())
                let source = try actor.unixActor(source)
                guard status == K_ACTIVE || status == K_STOPPED,
                    [0, K_RGNDUP_COPY, K_RGNDUP_SHARE].contains(flags)
                else { throw .invalid }
                let new = actor.site.createActor(
                    name: NucleusTable.name(name), privilege: K_UNIXACTOR, creator: source.creator, status: status)
                let code = unix.rgnDup(new, source, flags)
                guard code == K_OK else {
                    actor.site.deleteActor(new)
                    throw KnError(rawValue: code)
                }
                cap.pointee = new.cap
                return K_OK
            }
        }
    }
}
