import CChorus

/// Calls on threads since ABI 1.1.
extension NucleusTable {
    static func scheduling(_ table: inout KnNucleus) {
        table.threadScheduler = { me, li, old, now in
            nucleusCall(me) { actor throws(KnError) in
                let thread = try actor.thread(li)
                let before = thread.schedule()
                if let now {
                    guard let wish = Schedule(policy: now.pointee.policy, priority: now.pointee.priority) else {
                        throw .invalid
                    }
                    if wish.rank < Schedule.usual.rank { try actor.needPrivilege() }
                    thread.setSchedule(wish)
                }
                old?.pointee = before
                return K_OK
            }
        }
        table.threadName = { me, li, old, now in
            nucleusCall(me) { actor throws(KnError) in
                let thread = try actor.thread(li)
                let before = thread.name
                if now != nil { thread.name = NucleusTable.name(now) }
                if let old { copyName(before, to: UnsafeMutableRawBufferPointer(start: old, count: 32)) }
                return K_OK
            }
        }
        table.threadStart = { me, li in
            nucleusCall(me) { actor throws(KnError) in try actor.setStopped(try actor.thread(li), false) }
        }
        table.threadStop = { me, li in
            nucleusCall(me) { actor throws(KnError) in try actor.setStopped(try actor.thread(li), true) }
        }
        table.threadDelayNs = { me, nanoseconds, flags in
            nucleusCall(me) { actor throws(KnError) in
                guard flags & ~K_DELAY_ABSOLUTE == 0 else { throw .invalid }
                return actor.threadDelay(until: actor.time(nanoseconds, flags))
            }
        }
        table.threadStat2 = { me, count, stats in
            nucleusCall(me) { actor throws(KnError) in
                let work = actor.site.workForOthers()
                return try listing(actor.site.threads.all, count, stats) { $0.stat2(work) }
            }
        }
        table.svGetInvoker = { me, cap in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needPrivilege()
                try cap.given().pointee = try actor.invoker().cap
                return K_OK
            }
        }
    }

    static func threadData(_ table: inout KnNucleus) {
        table.ptdKeyCreate = { me in nucleusCall(me) { actor throws(KnError) in try actor.createDataKey() } }
        table.ptdKeyDelete = { me, key in
            nucleusCall(me) { actor throws(KnError) in
                try actor.deleteDataKey(key)
                return K_OK
            }
        }
        table.ptdSet = { me, key, value in
            nucleusCall(me) { actor throws(KnError) in
                try actor.setData(key, value)
                return K_OK
            }
        }
        table.ptdGet = { me, key, value in
            nucleusCall(me) { actor throws(KnError) in
                try value.given().pointee = try actor.data(key)
                return K_OK
            }
        }
    }
}

extension Actor {
    /// A time of a call as one of the host's clock: what lies beyond its end never comes.
    func time(_ nanoseconds: UInt64, _ flags: UInt32) -> UInt64 {
        if flags & K_DELAY_ABSOLUTE != 0 { return nanoseconds }
        let (time, beyond) = site.host.now().addingReportingOverflow(nanoseconds)
        return beyond ? UInt64.max : time
    }

    func setStopped(_ thread: Thread, _ stop: Bool) throws(KnError) -> Int32 {
        let unix = thread.actor.isUnix ? try machine() : nil
        guard thread.stopped.exchange(stop, ordering: .sequentiallyConsistent) != stop else { return K_OK }
        if let unix { return stop ? unix.threadSuspend(thread) : unix.threadResume(thread) }
        if stop { thread.suspend() } else { _ = thread.resume() }
        return K_OK
    }
}
