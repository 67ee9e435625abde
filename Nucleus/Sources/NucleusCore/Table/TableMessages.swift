import CChorus

extension NucleusTable {
    static func messages(_ table: inout KnNucleus) {
        table.ipcSend = { me, source, dest, mode, annex, body, size in
            nucleusCall(me) { actor throws(KnError) in
                let dest = try dest.given().pointee
                return try actor.ipcSend(
                    Request(source: source, dest: dest, mode: mode, annex: annex, body: body, bodySize: size))
            }
        }
        table.ipcCall = { me, source, dest, mode, annex, body, size, replyAnnex, replyBody, replySize, flags, delay in
            nucleusCall(me) { actor throws(KnError) in
                let dest = try dest.given().pointee
                return try actor.ipcCall(
                    Request(source: source, dest: dest, mode: mode, annex: annex, body: body, bodySize: size),
                    ReplyPlace(annex: replyAnnex, body: replyBody, size: replySize), flags: flags, delay: delay)
            }
        }
        table.ipcReceive = { me, port, head, annex, body, size, delay in
            nucleusCall(me) { actor throws(KnError) in try actor.ipcReceive(port, head, annex, body, size, delay) }
        }
        table.ipcReply = { me, annex, body, size in
            nucleusCall(me) { actor throws(KnError) in try actor.ipcReply(annex, body, size) }
        }
        table.ipcGetData = { me, body, size in
            nucleusCall(me) { actor throws(KnError) in try actor.ipcGetData(body, size) }
        }
        table.ipcSave = { me in nucleusCall(me) { actor throws(KnError) in try actor.ipcSave() } }
        table.ipcRestore = { me, id in nucleusCall(me) { actor throws(KnError) in try actor.ipcRestore(id) } }
        table.ipcSysInfo = { me, head in
            nucleusCall(me) { actor throws(KnError) in
                try head.given().pointee = actor.ipcSysInfo()
                return K_OK
            }
        }
        table.svMsgHandler = { me, li, handler, cookie in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needPrivilege()
                let port = try actor.port(li)
                if let handler { return port.connect(handler, cookie) }
                let (site, thread) = (actor.site, Thread.current(actor.site, in: actor))
                return try site.draining(port.gate, thread) { () throws(KnError) in port.disconnect(thread) }
            }
        }
    }

    static func events(_ table: inout KnNucleus) {
        table.eventCreate = { me, handler, cookie, event in
            nucleusCall(me) { actor throws(KnError) in
                if actor.isDeleted { throw .deadActor }
                let own = actor.isPrivileged ? 0 : actor.site.events.all.count { $0.actor === actor }
                try actor.needRoom(for: own, of: Bound.events)
                try event.given().pointee = actor.site.createEvent(actor, handler.given(), cookie)
                return K_OK
            }
        }
        table.eventPost = { me, event, bits in
            nucleusCall(me) { actor throws(KnError) in actor.site.postEvent(try event.given().pointee, bits) }
        }
        table.eventDelete = { me, event in
            nucleusCall(me) { actor throws(KnError) in
                try actor.site.deleteEvent(event.given().pointee, Thread.current(actor.site, in: actor))
                return K_OK
            }
        }
    }
}
