import CChorus

/// Traps that servers raise and servers answer.
extension NucleusTable {
    static func subsystemTraps(_ table: inout KnNucleus) {
        table.svTrapTable = { me, trap, entries, count, cookie in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needPrivilege()
                guard trap < K_TRAPMAX, trap != K_TRAP_SYSCALL, count > 0, count <= K_TRAPENTRYMAX else {
                    throw .invalid
                }
                let entries = UnsafeBufferPointer(start: try entries.given(), count: Int(count))
                try actor.connect(trap, table: entries, cookie)
                return K_OK
            }
        }
        table.trapRaise = { me, trap, number, args, result in
            nucleusCall(me) { actor throws(KnError) in
                var value: Int64 = 0
                let code = try actor.raise(trap, number, args, signature: nil, &value)
                result?.pointee = value
                return code
            }
        }
        table.trapEntry = { me, trap, number, entry in
            nucleusCall(me) { actor throws(KnError) in
                guard let trap = actor.site.traps.find(UInt64(trap)) else { throw .unknown }
                let place = try entry.given()
                guard let specific = try trap.specific(number) else {
                    place.pointee = .general
                    return 0
                }
                var told = specific.entry
                told.handler = nil
                told.binding = 0
                place.pointee = told
                return Int32(specific.signature)
            }
        }
    }
}

extension KnTrapEntry {
    /// What a general handler takes.
    fileprivate static var general: KnTrapEntry {
        var entry = KnTrapEntry()
        entry.count = K_TRAPWORDS
        withUnsafeMutableBytes(of: &entry.args) { room in
            let args = room.bindMemory(to: KnArg.self)
            for index in 0..<Int(K_TRAPWORDS) { args[index].type = UInt8(K_ARG_U64) }
        }
        return entry
    }
}
