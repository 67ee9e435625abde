import CChorus

extension NucleusTable {
    static func mutexes(_ table: inout KnNucleus) {
        table.mutexInit = { me, mutex, flags in
            nucleusCall(me) { actor throws(KnError) in
                if actor.isDeleted { throw .deadActor }
                guard flags & ~K_MUTEX_RT == 0 else { throw .invalid }
                let mutex = try mutex.given()
                mutex.pointee = try actor.site.createMutex(actor, byPriority: flags & K_MUTEX_RT != 0)
                return K_OK
            }
        }
        table.mutexGet = { me, mutex, delay in
            nucleusCall(me) { actor throws(KnError) in
                let found = try actor.site.mutex(mutex.given().pointee)
                return found.get(Thread.current(actor.site, in: actor), actor, delay)
            }
        }
        table.mutexTry = { me, mutex in
            nucleusCall(me) { actor throws(KnError) in
                let found = try actor.site.mutex(mutex.given().pointee)
                return found.tryGet(Thread.current(actor.site, in: actor))
            }
        }
        table.mutexRel = { me, mutex in
            nucleusCall(me) { actor throws(KnError) in
                let found = try actor.site.mutex(mutex.given().pointee)
                return found.release(Thread.current(actor.site, in: actor))
            }
        }
        table.mutexDelete = { me, mutex in
            nucleusCall(me) { actor throws(KnError) in
                let mutex = try mutex.given()
                let found = try actor.site.mutex(mutex.pointee)
                guard found.creator === actor || actor.isPrivileged else { throw .privilege }
                actor.site.deleteMutex(found)
                mutex.pointee.li = 0
                return K_OK
            }
        }
    }
}
