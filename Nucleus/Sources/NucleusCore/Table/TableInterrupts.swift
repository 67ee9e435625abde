import CChorus

/// Interrupt lines are the machine's: only supervisors and system actors see them.
extension NucleusTable {
    static func interrupts(_ table: inout KnNucleus) {
        table.svIntrConnect = { me, line, priority, handler, cookie in
            nucleusCall(me) { actor throws(KnError) in
                let line = try actor.interruptLine(line)
                let number = try line.connect(actor, priority: priority, handler.given(), cookie)
                guard !actor.isDeleted else {  // its deletion may have passed by before
                    line.disconnectAll(of: actor, Thread.current(actor.site, in: actor))
                    throw .deadActor
                }
                return number
            }
        }
        table.svIntrDisConnect = { me, line, number in
            nucleusCall(me) { actor throws(KnError) in
                try actor.interruptLine(line).disconnect(number, Thread.current(actor.site, in: actor))
                return K_OK
            }
        }
        table.svIntrTrigger = { me, line, how in
            nucleusCall(me) { actor throws(KnError) in
                try actor.interruptLine(line).trigger(how, actor)
                return K_OK
            }
        }
        table.svIntrMask = { me, line in
            nucleusCall(me) { actor throws(KnError) in
                try actor.interruptLine(line).mask()
                return K_OK
            }
        }
        table.svIntrUnMask = { me, line in
            nucleusCall(me) { actor throws(KnError) in
                try actor.interruptLine(line).unmask()
                return K_OK
            }
        }
        table.svIntrWatch = { me, line, count, event, bits in
            nucleusCall(me) { actor throws(KnError) in
                try actor.interruptLine(line).watch(count, event?.pointee, bits)
                return K_OK
            }
        }
        table.svIntrStat = { me, count, stats in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needPrivilege()
                let lines = actor.site.interrupts.all.sorted { $0.number < $1.number }
                return try listing(lines, count, stats) { $0.stat }
            }
        }
    }
}

extension Actor {
    fileprivate func interruptLine(_ number: UInt32) throws(KnError) -> InterruptLine {
        try needPrivilege()
        return try site.interruptLine(number)
    }
}
