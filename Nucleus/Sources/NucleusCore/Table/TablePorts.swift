import CChorus
import Synchronization

extension NucleusTable {
    static func ports(_ table: inout KnNucleus) {
        table.portCreate = { me, cap, ui in
            nucleusCall(me) { actor throws(KnError) in
                let target = try actor.target(cap)
                let port = try actor.site.createPort(target)
                ui?.pointee = port.ui
                return port.withRoom { _, _ in port.li } ?? K_EUNKNOWN
            }
        }
        table.portDeclare = { me, cap, ui in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needPrivilege()
                let ui = try ui.given().pointee
                guard ui.type == .port else { throw .invalid }
                let port = try actor.site.createPort(actor.target(cap), declared: ui)
                return port.withRoom { _, _ in port.li } ?? K_EUNKNOWN
            }
        }
        table.portDelete = { me, cap, li in
            nucleusCall(me) { actor throws(KnError) in
                try actor.site.deletePort(actor.target(cap), li, Thread.current(actor.site, in: actor))
                return K_OK
            }
        }
        table.portEnable = { me, cap, li, priority in
            nucleusCall(me) { actor throws(KnError) in
                guard priority >= 0 else { throw .invalid }
                let port = try actor.target(cap).port(li)
                let done: Void? = port.withRoom { room, _ in
                    port.priority = priority
                    room.dispatch(port)?.send()
                }
                return done == nil ? K_EUNKNOWN : K_OK
            }
        }
        table.portDisable = { me, cap, li in
            nucleusCall(me) { actor throws(KnError) in
                let port = try actor.target(cap).port(li)
                let done: Void? = port.withRoom { _, _ in port.priority = nil }
                return done == nil ? K_EUNKNOWN : K_OK
            }
        }
        table.portLi = { me, ui in
            nucleusCall(me) { actor throws(KnError) in
                let port = try actor.site.port(ui.given().pointee)
                return port.withRoom { _, owner in owner === actor ? port.li : K_EUNKNOWN } ?? K_EUNKNOWN
            }
        }
        table.portUi = { me, ui, li in
            nucleusCall(me) { actor throws(KnError) in
                try ui.given().pointee = actor.port(li).ui
                return K_OK
            }
        }
        table.portPi = { me, cap, li, old, new in
            nucleusCall(me) { actor throws(KnError) in
                let port = try actor.target(cap).port(li)
                let before = port.protection.id
                if let new {
                    try actor.needPrivilege()
                    port.protection.id = new.pointee
                }
                old?.pointee = before
                return K_OK
            }
        }
        table.portMigrate = { me, options, source, li, target, sequence in
            nucleusCall(me) { actor throws(KnError) in
                guard options & ~UInt32(K_MIGRATE_QUEUE) == 0 else { throw .invalid }
                let moved = try actor.site.migrate(
                    actor.target(source), li, to: target, by: actor, withQueue: options & UInt32(K_MIGRATE_QUEUE) != 0)
                sequence?.pointee = moved.sequence
                return moved.li
            }
        }
        table.portStat = { me, count, stats in
            nucleusCall(me) { actor throws(KnError) in
                // Deleted in between: an entry of zeros would name nothing.
                // A port's name is the right to send: the unprivileged see their own.
                let ports = actor.site.ports.all.filter { actor.isPrivileged || $0.actor === actor }
                let found = ports.compactMap { $0.stat() }
                return try listing(found, count, stats) { $0 }
            }
        }
    }

    static func morePorts(_ table: inout KnNucleus) {
        table.portGetSeqNum = { me, cap, li, sequence in
            nucleusCall(me) { actor throws(KnError) in
                let sequence = try sequence.given()
                let port = try actor.target(cap).port(li)
                guard let number = port.withRoom({ _, _ in port.sequence }) else { throw .unknown }
                sequence.pointee = number
                return K_OK
            }
        }
    }

    static func groups(_ table: inout KnNucleus) {
        table.grpAllocate = { me, options, group, stamp in
            nucleusCall(me) { actor throws(KnError) in
                let group = try group.given()
                switch options {
                // For the unprivileged the first member makes the group.
                case K_DYNAMIC where !actor.isPrivileged: group.pointee = actor.site.newGroupCap()
                case K_DYNAMIC: group.pointee = actor.site.allocateGroup().cap
                case K_STATUSER: group.pointee = actor.site.staticCap(.staticUserGroup, stamp)
                case K_STATSYS:
                    try actor.needPrivilege()
                    group.pointee = actor.site.staticGroup(.staticSystemGroup, stamp).cap
                default: throw .invalid
                }
                return K_OK
            }
        }
        table.grpPortInsert = { me, group, port in
            nucleusCall(me) { actor throws(KnError) in
                try actor.site.join(actor.member(port.given().pointee), group.given().pointee)
                return K_OK
            }
        }
        table.grpPortRemove = { me, group, port in
            nucleusCall(me) { actor throws(KnError) in
                let site = actor.site
                let port = try actor.member(port.given().pointee)
                try site.remove(port, site.group(group.given().pointee))
                return K_OK
            }
        }
        table.grpName = { me, stamp, ui in
            nucleusCall(me) { actor throws(KnError) in
                // Whoever can send to a server's group may ask it for anything: the unprivileged get the user group's name.
                let type: UiType = actor.isPrivileged ? .staticSystemGroup : .staticUserGroup
                try ui.given().pointee = actor.site.staticCap(type, stamp).ui
                return K_OK
            }
        }
    }
}

extension Port {
    func stat() -> KnPortStat? {
        withRoom { _, actor in
            KnPortStat(
                ui: ui, actor: actor.cap.ui, li: li, enabled: priority == nil ? 0 : 1, queued: UInt32(queue.count),
                received: received &+ UInt32(truncatingIfNeeded: handled.load(ordering: .relaxed)),
                groups: UInt32(groups.count), hasHandler: connection == .connected ? 1 : 0)
        }
    }
}
