import CChorus

/// Calls on bodies that are moved, since ABI 1.1.
extension NucleusTable {
    static func moves(_ table: inout KnNucleus) {
        table.msgAllocate = { me, size, body in
            nucleusCall(me) { actor throws(KnError) in
                try body.given().pointee = actor.msgAllocate(size)
                return K_OK
            }
        }
        table.msgFree = { me, body in
            nucleusCall(me) { actor throws(KnError) in
                try actor.msgFree(body)
                return K_OK
            }
        }
        table.msgTake = { me, body, size in
            nucleusCall(me) { actor throws(KnError) in
                let (body, size) = (try body.given(), try size.given())
                (body.pointee, size.pointee) = try actor.msgTake()
                return K_OK
            }
        }
        table.ipcSendMove = { me, source, dest, mode, annex, body, size in
            nucleusCall(me) { actor throws(KnError) in
                let dest = try dest.given().pointee
                return try actor.moving(body, size) { (body) throws(KnError) in
                    try actor.ipcSend(
                        Request(
                            source: source, dest: dest, mode: mode, annex: annex, body: UnsafeRawPointer(body.address),
                            bodySize: size, moved: .passUnretained(body)))
                }
            }
        }
        table.ipcCallMove = {
            me, source, dest, mode, annex, body, size, replyAnnex, replyBody, replySize, flags, delay in
            nucleusCall(me) { actor throws(KnError) in
                let dest = try dest.given().pointee
                return try actor.moving(body, size) { (body) throws(KnError) in
                    try actor.ipcCall(
                        Request(
                            source: source, dest: dest, mode: mode, annex: annex, body: UnsafeRawPointer(body.address),
                            bodySize: size, moved: .passUnretained(body)),
                        ReplyPlace(annex: replyAnnex, body: replyBody, size: replySize), flags: flags, delay: delay)
                }
            }
        }
    }
}
