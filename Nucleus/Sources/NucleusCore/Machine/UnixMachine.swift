import CChorus

/// The part of the machine layer that runs UNIX actors: their host processes, traps, registers and memory.
/// Every call takes objects the nucleus has already looked up and checked; results are `K_*` codes (`knNucleus.h`).
public protocol UnixMachine: AnyObject, Sendable {
    func actorDeleted(_ actor: Actor)
    func actorRenew(_ actor: Actor, _ thread: Thread) -> Int32
    func actorStat(_ actor: Actor, _ stat: inout KnActorStat)
    func actorRead(_ actor: Actor, _ from: VmAddr, _ to: UnsafeMutableRawBufferPointer) -> Int32
    func actorWrite(_ actor: Actor, _ to: VmAddr, _ from: UnsafeRawBufferPointer) -> Int32

    func threadCreate(_ actor: Actor, _ start: KnThreadStart, from source: Thread?) -> Result<KnThreadLid, KnError>
    func threadDelete(_ thread: Thread) -> Int32
    func threadSuspend(_ thread: Thread) -> Int32
    func threadResume(_ thread: Thread) -> Int32
    func threadAbort(_ thread: Thread) -> Int32
    /// K_TH_RUNNING, K_TH_BLOCKED while a handler has its trap, or K_TH_PARKED.
    func threadStanding(_ thread: Thread) -> Int32
    /// Where the thread's program runs.
    func threadPeer(_ thread: Thread) -> (any HostPeer)?
    /// The thread whose trap, exception or abort the calling host thread handles.
    func trapServed() -> Thread?
    /// Who handles whose trap now.
    func trapServers() -> [(server: KnThreadLid, client: KnThreadLid)]
    func threadCookie(_ thread: Thread, _ cookie: UInt64) -> Int32
    func threadContext(
        _ thread: Thread, _ old: UnsafeMutablePointer<KnThreadCtx>?, _ now: UnsafePointer<KnThreadCtx>?
    ) -> Int32
    func threadFpuGet(_ thread: Thread, _ image: UnsafeMutableRawBufferPointer, _ size: inout UInt32) -> Int32
    func threadFpuSet(_ thread: Thread, _ image: UnsafeRawBufferPointer) -> Int32

    func trapConnect(_ owner: Actor, _ trap: UInt32, _ handler: KnTrapHdl, _ cookie: UnsafeMutableRawPointer?) -> Int32
    func trapDisconnect(_ owner: Actor, _ trap: UInt32) -> Int32
    func trapSignatures(_ owner: Actor, _ trap: UInt32, _ first: UInt32, _ sigs: UnsafeBufferPointer<KnTrapSig>)
        -> Int32
    /// nil disconnects.
    func exceptionHandler(_ owner: Actor, _ handler: KnExcHdl?, _ cookie: UnsafeMutableRawPointer?) -> Int32
    func abortHandler(_ owner: Actor, _ handler: KnAbortHdl?, _ cookie: UnsafeMutableRawPointer?) -> Int32
    func trapComplete(_ thread: Thread, _ result: Int64, context: Bool) -> Int32
    /// Ends a parked nucleus call of the thread itself.
    func callComplete(_ thread: Thread, _ result: Int32)

    func copyIn(_ thread: Thread, _ from: VmAddr, _ to: UnsafeMutableRawBufferPointer) -> Int32
    func copyInString(_ thread: Thread, _ from: VmAddr, _ to: UnsafeMutableRawBufferPointer, _ size: inout UInt32)
        -> Int32
    func copyOut(_ thread: Thread, _ from: UnsafeRawBufferPointer, _ to: VmAddr, deferred: Bool) -> Int32
    /// Compares and exchanges a word, atomically for the guest's own instructions; K_EBUSY: it was another.
    func swapWord(_ thread: Thread, _ at: VmAddr, expected: UInt32, new: UInt32) -> Int32

    func rgnAllocate(_ actor: Actor, _ rgn: inout KnRgnDesc) -> Int32
    /// shared: rgnMap, else rgnInit.
    func rgnMap(
        _ actor: Actor, _ rgn: inout KnRgnDesc, _ segment: Segment, _ object: KnObjDesc, shared: Bool
    ) -> Int32
    func rgnFree(_ actor: Actor, _ rgn: KnRgnDesc) -> Int32
    func rgnSetProtect(_ actor: Actor, _ rgn: KnRgnDesc) -> Int32
    func rgnMove(_ actor: Actor, _ old: KnRgnDesc, _ now: inout KnRgnDesc) -> Int32
    func rgnAdvise(_ actor: Actor, _ rgn: KnRgnDesc, _ advice: Int32) -> Int32
    /// shared: rgnMapFromActor, else rgnInitFromActor.
    func rgnFromActor(
        _ target: Actor, _ rgn: inout KnRgnDesc, _ source: Actor, _ from: KnRgnDesc, shared: Bool
    ) -> Int32
    func rgnSetInherit(_ actor: Actor, _ rgn: KnRgnDesc) -> Int32
    func rgnSetPaging(_ actor: Actor, _ rgn: KnRgnDesc) -> Int32
    func rgnSetOpaque(_ actor: Actor, _ rgn: KnRgnDesc) -> Int32
    /// flags: K_RGNDUP_*, or 0: as the regions' inheritance says.
    func rgnDup(_ target: Actor, _ source: Actor, _ flags: UInt32) -> Int32
    /// Regions at or above `from`, ascending; returns how many were written.
    func rgnStat(_ actor: Actor, _ from: VmAddr, _ stats: UnsafeMutableBufferPointer<KnRgnStat>) -> Int32
    func rgnStat2(_ actor: Actor, _ from: VmAddr, _ stats: UnsafeMutableBufferPointer<KnRgnStat2>) -> Int32

    /// No guest may write these bytes of a mapper's segment any more, nor read them unless `keepReading` (then all of
    /// them are in the cache), before it has faulted again. Guests that do not obey are ended.
    func cacheRevoke(_ segment: Segment, _ ranges: [Range<UInt64>], keepReading: Bool)

    func sgReadThread(_ segment: Segment, _ object: KnObjDesc, _ thread: Thread, _ to: VmAddr) -> Int32
    func sgWriteThread(_ segment: Segment, _ object: KnObjDesc, _ thread: Thread, _ from: VmAddr) -> Int32
}
