import CChorus

/// Exceptions of servers in user privilege.
extension NucleusTable {
    static func exceptions(_ table: inout KnNucleus) {
        table.svActorExcHandlerConnect = { me, cap, handler, cookie in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needPrivilege()
                try actor.connectExceptions(of: actor.exceptional(cap), handler.given(), cookie)
                return K_OK
            }
        }
        table.svActorExcHandlerDisconnect = { me, cap in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needPrivilege()
                try actor.disconnectExceptions(of: actor.exceptional(cap))
                return K_OK
            }
        }
        table.actorExcPort = { me, cap, port in
            nucleusCall(me) { actor throws(KnError) in
                try actor.exceptional(cap).setExceptionPort(port?.pointee)
                return K_OK
            }
        }
    }
}
