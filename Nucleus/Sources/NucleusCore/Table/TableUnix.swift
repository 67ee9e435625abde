import CChorus

/// Calls on UNIX actors: objects are found and checked here, the machine layer does the rest.
extension NucleusTable {
    static func unixThreads(_ table: inout KnNucleus) {
        table.actorRenew = { me, cap, li in
            nucleusCall(me) { actor throws(KnError) in
                let machine = try actor.machine()
                let target = try actor.unixActor(cap)
                let thread = try actor.unixThread(li)
                guard thread.actor === target else { throw .invalid }
                let code = machine.actorRenew(target, thread)
                if code == K_OK { actor.site.renounce(target, thread) }
                return code
            }
        }
        table.threadCreateUnix = { me, cap, start, li in
            nucleusCall(me) { actor throws(KnError) in
                let machine = try actor.machine()
                let target = try actor.unixActor(cap)
                let start = try start.given().pointee
                let li = try li.given()
                let blank = start.flags & K_START_BLANK != 0
                let source: Thread? = blank ? nil : try actor.unixThread(start.from)
                let (count, limit) = target.state.withLock { ($0.threads.count, $0.limits.threads) }
                if limit != 0, count >= Int(limit) { throw .noMemory }
                switch machine.threadCreate(target, start, from: source) {
                case .success(let made):
                    if let source { actor.site.threads.find(made)?.inherit(from: source) }
                    li.pointee = made
                    return K_OK
                case .failure(let error): throw error
                }
            }
        }
        table.threadContext = { me, li, old, now in
            nucleusCall(me) { actor throws(KnError) in try actor.machine().threadContext(actor.unixThread(li), old, now)
            }
        }
        table.threadFpuGet = { me, li, image, size in
            nucleusCall(me) { actor throws(KnError) in
                let machine = try actor.machine()
                let size = try size.given()
                let buffer = UnsafeMutableRawBufferPointer(
                    start: image, count: image == nil ? 0 : Int(size.pointee))
                return machine.threadFpuGet(try actor.unixThread(li), buffer, &size.pointee)
            }
        }
        table.threadFpuSet = { me, li, image, size in
            nucleusCall(me) { actor throws(KnError) in
                let machine = try actor.machine()
                guard size <= K_FPUCTXMAX else { throw .invalid }
                if size > 0, image == nil { throw .fault }
                return machine.threadFpuSet(
                    try actor.unixThread(li), UnsafeRawBufferPointer(start: image, count: Int(size)))
            }
        }
    }

    static func traps(_ table: inout KnNucleus) {
        table.svTrapConnect = { me, trap, handler, cookie in
            nucleusCall(me) { actor throws(KnError) in
                if trap == K_TRAP_SYSCALL {
                    return try actor.machine().trapConnect(actor, trap, handler.given(), cookie)
                }
                try actor.needPrivilege()
                guard trap < K_TRAPMAX else { throw .invalid }
                try actor.connect(trap, .general(handler.given()), cookie)
                return K_OK
            }
        }
        table.svTrapDisConnect = { me, trap in
            nucleusCall(me) { actor throws(KnError) in
                if trap == K_TRAP_SYSCALL { return try actor.machine().trapDisconnect(actor, trap) }
                try actor.needPrivilege()
                try actor.disconnect(trap: trap)
                return K_OK
            }
        }
        table.svTrapSignatures = { me, trap, first, signatures, count in
            nucleusCall(me) { actor throws(KnError) in
                let machine = try actor.machine()
                if count > 0, signatures == nil { throw .fault }
                return machine.trapSignatures(
                    actor, trap, first, UnsafeBufferPointer(start: signatures, count: Int(count)))
            }
        }
        table.svExcHandler = { me, handler, cookie in
            nucleusCall(me) { actor throws(KnError) in try actor.machine().exceptionHandler(actor, handler, cookie) }
        }
        table.svAbortHandler = { me, handler, cookie in
            nucleusCall(me) { actor throws(KnError) in try actor.machine().abortHandler(actor, handler, cookie) }
        }
        table.trapComplete = { me, li, result, context in
            nucleusCall(me) { actor throws(KnError) in
                try actor.machine().trapComplete(actor.unixThread(li), result, context: context != 0)
            }
        }
        table.svCopyIn = { me, li, from, to, size in
            nucleusCall(me) { actor throws(KnError) in
                if size == 0 { return K_OK }
                let buffer = UnsafeMutableRawBufferPointer(start: try to.given(), count: Int(size))
                return try actor.machine().copyIn(actor.unixThread(li), from, buffer)
            }
        }
        table.svCopyInString = { me, li, from, to, size in
            nucleusCall(me) { actor throws(KnError) in
                let size = try size.given()
                let buffer = UnsafeMutableRawBufferPointer(start: try to.given(), count: Int(size.pointee))
                return try actor.machine().copyInString(actor.unixThread(li), from, buffer, &size.pointee)
            }
        }
        table.svCopyOut = { me, li, from, to, size, flags in
            nucleusCall(me) { actor throws(KnError) in
                if size == 0 { return K_OK }
                let buffer = UnsafeRawBufferPointer(start: try from.given(), count: Int(size))
                if flags & UInt32(K_COPY_SWAP) != 0 {
                    guard size == 8, flags == UInt32(K_COPY_SWAP), to % 4 == 0 else { throw .invalid }
                    let words = buffer.loadUnaligned(as: (UInt32, UInt32).self)
                    return try actor.machine().swapWord(actor.unixThread(li), to, expected: words.0, new: words.1)
                }
                return try actor.machine().copyOut(
                    actor.unixThread(li), buffer, to, deferred: flags & UInt32(K_COPY_DEFER) != 0)
            }
        }
    }

    static func regions(_ table: inout KnNucleus) {
        table.rgnAllocate = { me, cap, region in
            nucleusCall(me) { actor throws(KnError) in
                if let server = try actor.server(cap) { return try server.allocate(&region.given().pointee) }
                return try actor.machine().rgnAllocate(actor.unixActor(cap), &region.given().pointee)
            }
        }
        table.rgnMap = { me, cap, region, object in
            nucleusCall(me) { actor throws(KnError) in try actor.map(cap, region, object, shared: true) }
        }
        table.rgnInit = { me, cap, region, object in
            nucleusCall(me) { actor throws(KnError) in try actor.map(cap, region, object, shared: false) }
        }
        table.rgnFree = { me, cap, region in
            nucleusCall(me) { actor throws(KnError) in
                if let server = try actor.server(cap) { return try server.free(region.given().pointee) }
                return try actor.machine().rgnFree(actor.unixActor(cap), region.given().pointee)
            }
        }
        table.rgnSetProtect = { me, cap, region in
            nucleusCall(me) { actor throws(KnError) in
                if let server = try actor.server(cap) { return try server.protect(region.given().pointee) }
                return try actor.machine().rgnSetProtect(actor.unixActor(cap), region.given().pointee)
            }
        }
        table.rgnMove = { me, cap, old, now in
            nucleusCall(me) { actor throws(KnError) in
                try actor.machine().rgnMove(actor.unixActor(cap), old.given().pointee, &now.given().pointee)
            }
        }
        table.rgnAdvise = { me, cap, region, advice in
            nucleusCall(me) { actor throws(KnError) in
                try actor.machine().rgnAdvise(actor.unixActor(cap), region.given().pointee, advice)
            }
        }
        table.rgnDup = { me, target, source, flags in
            nucleusCall(me) { actor throws(KnError) in
                guard [0, K_RGNDUP_COPY, K_RGNDUP_SHARE].contains(flags) else { throw .invalid }
                return try actor.machine().rgnDup(actor.unixActor(target), actor.unixActor(source), flags)
            }
        }
        table.rgnStat = { me, cap, from, count, stats in
            nucleusCall(me) { actor throws(KnError) in
                let count = try count.given()
                let buffer = UnsafeMutableBufferPointer(start: stats, count: stats == nil ? 0 : Int(count.pointee))
                if let server = try actor.server(cap) {
                    count.pointee = UInt32(server.regionStats(from, buffer))
                    return K_OK
                }
                let written = try actor.machine().rgnStat(actor.unixActor(cap), from, buffer)
                if written < 0 { return written }
                count.pointee = UInt32(written)
                return K_OK
            }
        }
        table.actorRead = { me, cap, from, to, size in
            nucleusCall(me) { actor throws(KnError) in
                if size == 0 { return 0 }
                let buffer = UnsafeMutableRawBufferPointer(start: try to.given(), count: Int(size))
                return try actor.machine().actorRead(actor.unixActor(cap), from, buffer)
            }
        }
        table.actorWrite = { me, cap, to, from, size in
            nucleusCall(me) { actor throws(KnError) in
                if size == 0 { return 0 }
                let buffer = UnsafeRawBufferPointer(start: try from.given(), count: Int(size))
                return try actor.machine().actorWrite(actor.unixActor(cap), to, buffer)
            }
        }
    }
}

extension Actor {
    fileprivate func map(
        _ cap: UnsafePointer<KnCap>?, _ region: UnsafeMutablePointer<KnRgnDesc>?, _ object: UnsafePointer<KnObjDesc>?,
        shared: Bool
    ) throws(KnError) -> Int32 {
        let region = try region.given()
        let object = try object.given().pointee
        if let server = try server(cap) {
            return try using(object.dataObject) { segment throws(KnError) in
                try server.allocate(&region.pointee, segment, offset: object.startOffset, shared: shared)
            }
        }
        let machine = try machine()
        let target = try unixActor(cap)
        return try using(object.dataObject) { segment throws(KnError) in
            if shared, segment.readOnly, region.pointee.options & K_WRITABLE != 0 { throw .privilege }
            return machine.rgnMap(target, &region.pointee, segment, object, shared: shared)
        }
    }
}
