import CChorus

extension NucleusTable {
    static func threads(_ table: inout KnNucleus) {
        table.threadCreate = { me, entry, argument, stackSize, name, li in
            nucleusCall(me) { actor throws(KnError) in
                if actor.isDeleted { throw .deadActor }
                let thread = try actor.site.startThread(
                    actor, entry.given(), argument, stackSize, NucleusTable.name(name))
                li?.pointee = thread.li
                return K_OK
            }
        }
        table.threadDelete = { me, li in
            nucleusCall(me) { actor throws(KnError) in
                let thread = try actor.thread(li)
                if thread.actor.isUnix { return try actor.machine().threadDelete(thread) }
                // A thread of this process cannot be stopped from outside: none of its calls blocks any more.
                thread.doom()
                return K_OK
            }
        }
        table.threadSelf = { me in nucleusCall(me) { actor throws(KnError) in Thread.current(actor.site, in: actor).li }
        }
        table.threadSuspend = { me, li in
            nucleusCall(me) { actor throws(KnError) in
                let thread = try actor.thread(li)
                if thread.actor.isUnix { return try actor.machine().threadSuspend(thread) }
                thread.suspend()
                return K_OK
            }
        }
        table.threadResume = { me, li in
            nucleusCall(me) { actor throws(KnError) in
                let thread = try actor.thread(li)
                if thread.actor.isUnix { return try actor.machine().threadResume(thread) }
                return thread.resume() ? K_OK : K_EINVAL
            }
        }
        table.threadAbort = { me, li in
            nucleusCall(me) { actor throws(KnError) in
                let thread = try actor.thread(li)
                guard thread.actor.isUnix else {
                    thread.abort()
                    return K_OK
                }
                // In a trap handler that blocks in the nucleus: the call ends. Else the machine holds the thread.
                if thread.wait.complete(K_EABORT, actor.site.host, onlyAbortable: true) { return K_OK }
                return try actor.machine().threadAbort(thread)
            }
        }
        table.threadAborted = { me in
            nucleusCall(me) { actor throws(KnError) in Thread.current(actor.site, in: actor).takeAborted() ? 1 : 0 }
        }
        table.threadDelay = { me, milliseconds in
            nucleusCall(me) { actor throws(KnError) in actor.threadDelay(milliseconds) }
        }
        table.threadStat = { me, count, stats in
            nucleusCall(me) { actor throws(KnError) in try listing(actor.site.threads.all, count, stats) { $0.stat() } }
        }
        table.threadCookie = { me, li, cookie in
            nucleusCall(me) { actor throws(KnError) in
                let thread = try actor.thread(li)
                thread.cookie.store(cookie, ordering: .releasing)
                return thread.actor.isUnix ? try actor.machine().threadCookie(thread, cookie) : K_OK
            }
        }
    }

    static func semaphores(_ table: inout KnNucleus) {
        table.semInit = { me, sem, count in
            nucleusCall(me) { actor throws(KnError) in
                if actor.isDeleted { throw .deadActor }
                let own = actor.isPrivileged ? 0 : actor.site.semaphores.all.count { $0.owner == actor.cap.ui }
                try actor.needRoom(for: own, of: Bound.semaphores)
                try sem.given().pointee = actor.site.createSemaphore(actor, count)
                return K_OK
            }
        }
        table.semP = { me, sem, delay in
            nucleusCall(me) { actor throws(KnError) in
                let semaphore = try actor.semaphore(sem.given().pointee)
                return semaphore.wait(Thread.current(actor.site, in: actor), actor, delay)
            }
        }
        table.semV = { me, sem in
            nucleusCall(me) { actor throws(KnError) in try actor.semaphore(sem.given().pointee).signal() }
        }
        table.semDelete = { me, sem in
            nucleusCall(me) { actor throws(KnError) in
                let sem = try sem.given()
                actor.site.deleteSemaphore(try actor.semaphore(sem.pointee))
                sem.pointee.li = 0
                return K_OK
            }
        }
    }
}
