import CChorus

extension NucleusTable {
    static func timers(_ table: inout KnNucleus) {
        table.timerCreate = { me, event, bits, timer in
            nucleusCall(me) { actor throws(KnError) in
                if actor.isDeleted { throw .deadActor }
                let timer = try timer.given()
                timer.pointee = try actor.site.createTimer(actor, event.given().pointee, bits)
                return K_OK
            }
        }
        table.timerSet = { me, timer, flags, value, interval in
            nucleusCall(me) { actor throws(KnError) in
                let found = try actor.site.timer(timer.given().pointee, of: actor)
                guard flags & ~K_DELAY_ABSOLUTE == 0, interval == 0 || interval >= TimerQueue.shortestInterval else {
                    throw .invalid
                }
                let expiry = value == 0 ? nil : actor.time(value, flags)
                return actor.site.timers.set(found, actor.site, expiry: expiry, interval: interval)
            }
        }
        table.timerGet = { me, timer, stat in
            nucleusCall(me) { actor throws(KnError) in
                let found = try actor.site.timer(timer.given().pointee, of: actor)
                try stat.given().pointee = actor.site.timers.stat(found, actor.site.host.now())
                return K_OK
            }
        }
        table.timerDelete = { me, timer in
            nucleusCall(me) { actor throws(KnError) in
                let timer = try timer.given()
                actor.site.deleteTimer(try actor.site.timer(timer.pointee, of: actor))
                timer.pointee.li = 0
                return K_OK
            }
        }
    }
}
