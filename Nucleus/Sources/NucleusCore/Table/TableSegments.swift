import CChorus

extension NucleusTable {
    static func segments(_ table: inout KnNucleus) {
        table.sgCreate = { me, name, size, segment in
            nucleusCall(me) { actor throws(KnError) in
                let segment = try segment.given()
                if actor.isDeleted { throw .deadActor }
                try actor.needRoom(for: actor.state.withLock { $0.segments.count }, of: Bound.segments)
                let name = NucleusTable.name(name, limit: 64)
                segment.pointee = try actor.site.createSegment(actor, name: name, size: size).cap
                return K_OK
            }
        }
        table.sgAdopt = { me, descriptor, flags, segment in
            nucleusCall(me) { actor throws(KnError) in
                let segment = try segment.given()
                try actor.needPrivilege()
                if actor.isDeleted { throw .deadActor }
                guard descriptor >= 0, flags & ~K_SG_READONLY == 0 else { throw .invalid }
                let readOnly = flags & K_SG_READONLY != 0
                segment.pointee = try actor.site.adoptSegment(actor, descriptor, readOnly: readOnly).cap
                return K_OK
            }
        }
        table.sgRelease = { me, cap in
            nucleusCall(me) { actor throws(KnError) in
                actor.site.release(try actor.site.segment(cap.given().pointee), actor)
            }
        }
        table.sgStat = { me, cap, stat in
            nucleusCall(me) { actor throws(KnError) in
                let stat = try stat.given()
                return try actor.using(cap.given().pointee) { segment throws(KnError) in
                    // A mapper may have been told to forget the size.
                    try segment.local?.learnSize()
                    stat.pointee = segment.stat()
                    return K_OK
                }
            }
        }
        table.sgTrunc = { me, cap, size in
            nucleusCall(me) { actor throws(KnError) in
                try actor.using(cap.given().pointee) { $0.truncate(size) }
            }
        }
        table.sgRead = { me, from, to, size in
            nucleusCall(me) { actor throws(KnError) in
                let from = try from.given().pointee
                let size = try size.given()
                // The range may say less than the buffer holds; 0 leaves it to the buffer.
                let wanted = from.size == 0 ? Int(size.pointee) : Int(min(UInt64(size.pointee), from.size))
                if wanted > 0, to == nil { throw .fault }
                let moved = try actor.using(from.dataObject) {
                    $0.read(from.startOffset, UnsafeMutableRawBufferPointer(start: to, count: wanted))
                }
                guard moved >= 0 else { return Int32(moved) }
                size.pointee = UInt32(moved)
                return K_OK
            }
        }
        table.sgWrite = { me, to, from, size in
            nucleusCall(me) { actor throws(KnError) in
                let to = try to.given().pointee
                if size > 0, from == nil { throw .fault }
                if size > UInt32(Int32.max) { throw .tooBig }
                return try actor.using(to.dataObject) {
                    Int32($0.write(to.startOffset, UnsafeRawBufferPointer(start: from, count: Int(size))))
                }
            }
        }
        table.sgReadThread = { me, from, li, to in
            nucleusCall(me) { actor throws(KnError) in
                let from = try from.given().pointee
                let machine = try actor.machine()
                let thread = try actor.unixThread(li)
                return try actor.using(from.dataObject) { machine.sgReadThread($0, from, thread, to) }
            }
        }
        table.sgWriteThread = { me, to, li, from in
            nucleusCall(me) { actor throws(KnError) in
                let to = try to.given().pointee
                let machine = try actor.machine()
                let thread = try actor.unixThread(li)
                return try actor.using(to.dataObject) { segment throws(KnError) in
                    if segment.readOnly { throw .privilege }
                    return machine.sgWriteThread(segment, to, thread, from)
                }
            }
        }
        table.sgFlush = { me, cap in
            nucleusCall(me) { actor throws(KnError) in
                try actor.using(cap.given().pointee) { $0.flush() }
            }
        }
        table.sgPunch = { me, range in
            nucleusCall(me) { actor throws(KnError) in
                let range = try range.given().pointee
                return try actor.site.segment(range.dataObject).punch(range.startOffset, range.size)
            }
        }
        table.sgSeek = { me, cap, from, hole, found in
            nucleusCall(me) { actor throws(KnError) in
                let found = try found.given()
                let cap = try cap.given().pointee
                // A mapper knows no holes.
                if cap.ui.type != .segment { throw .notProvided }
                let segment = try actor.site.segment(cap)
                guard from <= UInt64(Int64.max) else { throw .invalid }
                let offset = actor.site.host.cacheSeek(segment.cache, from, hole: hole != 0)
                guard offset >= 0 else { return Int32(truncatingIfNeeded: offset) }
                found.pointee = UInt64(offset)
                return K_OK
            }
        }
    }

    static func system(_ table: inout KnNucleus) {
        table.uiLocalSite = { me, site in
            nucleusCall(me) { actor throws(KnError) in
                try site.given().pointee = Int32(bitPattern: actor.site.number)
                return K_OK
            }
        }
        table.sysLog = { me, level, line in
            nucleusCall(me) { actor throws(KnError) in
                let line = NucleusTable.name(try line.given(), limit: 1024)
                actor.site.report(max(0, min(3, level)), "\(actor.name): \(line)")
                return K_OK
            }
        }
        table.sysShutdown = { me, status in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needPrivilege()
                actor.site.shutdown(status)
                return K_OK
            }
        }
        table.sysRandom = { me, bytes, size in
            nucleusCall(me) { actor throws(KnError) in
                if size == 0 { return K_OK }
                let bytes = try bytes.given()
                actor.site.host.random(UnsafeMutableRawBufferPointer(start: bytes, count: Int(size)))
                return K_OK
            }
        }
        table.sysTrace = { me, kind, a, b in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needTrace(kind)
                actor.site.trace.add(kind, a, b, thread: Thread.current(actor.site, in: actor).li)
                return K_OK
            }
        }
        table.sysTraceRead = { me, from, count, events in
            nucleusCall(me) { actor throws(KnError) in
                try actor.needPrivilege()
                let count = try count.given()
                if count.pointee > 0, events == nil { throw .fault }
                let room = UnsafeMutableBufferPointer(start: events, count: Int(count.pointee))
                count.pointee = UInt32(actor.site.trace.read(from: from, room))
                return K_OK
            }
        }
    }
}
