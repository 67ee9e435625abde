import CChorus

/// Fills the table of nucleus calls of an actor. Each entry finds its actor in `self` and goes on in Swift.
enum NucleusTable {
    static func fill(_ table: UnsafeMutablePointer<KnNucleus>, for actor: Actor) {
        table.initialize(to: KnNucleus())
        table.pointee.size = UInt32(MemoryLayout<KnNucleus>.size)
        table.pointee.abiMajor = UInt16(K_ABI_MAJOR)
        table.pointee.abiMinor = UInt16(K_ABI_MINOR)
        table.pointee.`self` = Unmanaged.passUnretained(actor).toOpaque()
        actors(&table.pointee)
        threads(&table.pointee)
        unixThreads(&table.pointee)
        semaphores(&table.pointee)
        ports(&table.pointee)
        groups(&table.pointee)
        messages(&table.pointee)
        events(&table.pointee)
        traps(&table.pointee)
        regions(&table.pointee)
        segments(&table.pointee)
        system(&table.pointee)
        // Since ABI 1.1: actors, threads, ports, messages, handlers, memory.
        interrupts(&table.pointee)
        moreActors(&table.pointee)
        scheduling(&table.pointee)
        threadData(&table.pointee)
        mutexes(&table.pointee)
        timers(&table.pointee)
        memory(&table.pointee)
        morePorts(&table.pointee)
        moves(&table.pointee)
        subsystemTraps(&table.pointee)
        exceptions(&table.pointee)
        moreRegions(&table.pointee)
    }

    /// At most `limit` bytes of a name; "" for NULL.
    static func name(_ pointer: UnsafePointer<CChar>?, limit: Int = 32) -> String {
        guard let pointer else { return "" }
        var length = 0
        while length < limit - 1, pointer[length] != 0 { length += 1 }
        let bytes = UnsafeRawBufferPointer(start: pointer, count: length)
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Runs `body` with the actor that `me` names; a thrown error becomes the call's result.
@inline(__always)
func nucleusCall(_ me: UnsafeMutableRawPointer?, _ body: (Actor) throws(KnError) -> Int32) -> Int32 {
    guard let me else { return K_EINVAL }
    return Unmanaged<Actor>.fromOpaque(me)._withUnsafeGuaranteedRef { actor in
        do throws(KnError) { return try body(actor) } catch { return error.rawValue }
    }
}

/// A listing: `count` is capacity, then how many were written.
func listing<Item, Entry>(
    _ items: [Item], _ count: UnsafeMutablePointer<UInt32>?, _ to: UnsafeMutablePointer<Entry>?,
    _ make: (Item) -> Entry
) throws(KnError) -> Int32 {
    guard let count else { throw .fault }
    guard let to else {
        count.pointee = 0
        return Int32(items.count)
    }
    var written = 0
    for item in items.prefix(Int(count.pointee)) {
        to[written] = make(item)
        written += 1
    }
    count.pointee = UInt32(written)
    return Int32(items.count)
}

extension Optional {
    /// A pointer argument that must not be NULL.
    @inline(__always) func given() throws(KnError) -> Wrapped {
        guard let value = self else { throw .fault }
        return value
    }
}

extension Actor {
    /// The actor that an argument names: NULL (K_MYACTOR) is the caller.
    @inline(__always) func target(_ cap: UnsafePointer<KnCap>?) throws(KnError) -> Actor {
        guard let cap else {
            if isDeleted { throw .deadActor }
            return self
        }
        return try site.actor(cap.pointee)
    }

    @inline(__always) func needPrivilege() throws(KnError) { guard isPrivileged else { throw .privilege } }

    /// The machine layer, for calls that only a subsystem may make.
    @inline(__always) func machine() throws(KnError) -> any UnixMachine {
        guard isPrivileged else { throw .privilege }
        guard let unix = site.unix else { throw .notProvided }
        return unix
    }

    @inline(__always) func unixActor(_ cap: UnsafePointer<KnCap>?) throws(KnError) -> Actor {
        let actor = try site.actor(cap.given().pointee)
        guard actor.isUnix else { throw .invalid }
        return actor
    }

    /// A thread the caller may act on: its own, those of actors it created, or any if privileged.
    @inline(__always) func thread(_ li: KnThreadLid) throws(KnError) -> Thread {
        // In a handler the calling thread is a client's, or the nucleus' own.
        let thread = li == K_MYSELF ? Thread.current(site, in: self) : try site.thread(li)
        guard isPrivileged || thread.actor === self || thread.actor.creator === self else { throw .privilege }
        return thread
    }

    @inline(__always) func unixThread(_ li: KnThreadLid) throws(KnError) -> Thread {
        let thread = try thread(li)
        guard thread.actor.isUnix else { throw .invalid }
        return thread
    }
}
