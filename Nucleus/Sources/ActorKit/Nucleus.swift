import CChorus

/// The nucleus as a server sees it: the table of `knNucleus.h` with `self` filled in.
///
/// Methods carry the CHORUS names and the C argument order; results are `K_*` codes. What each call does is said in
/// `knNucleus.h`. Conveniences live in other files of ActorKit.
public struct Nucleus: @unchecked Sendable {
    // Sendable: the table is immutable for the actor's life and its calls may come from any thread.
    public let table: UnsafePointer<KnNucleus>

    public init(_ table: UnsafePointer<KnNucleus>) { self.table = table }
}

extension Nucleus {
    @inlinable @discardableResult
    public func actorCreate(
        _ initial: UnsafePointer<KnCap>?,
        _ cap: UnsafeMutablePointer<KnCap>?,
        _ privilege: Int32,
        _ status: Int32,
        _ name: UnsafePointer<CChar>?
    ) -> Int32 {
        table.pointee.actorCreate(table.pointee.`self`, initial, cap, privilege, status, name)
    }
    @inlinable @discardableResult public func actorDelete(_ cap: UnsafePointer<KnCap>?) -> Int32 {
        table.pointee.actorDelete(table.pointee.`self`, cap)
    }
    @inlinable @discardableResult public func actorStart(_ cap: UnsafePointer<KnCap>?) -> Int32 {
        table.pointee.actorStart(table.pointee.`self`, cap)
    }
    @inlinable @discardableResult public func actorStop(_ cap: UnsafePointer<KnCap>?) -> Int32 {
        table.pointee.actorStop(table.pointee.`self`, cap)
    }
    @inlinable @discardableResult public func actorSelf(_ cap: UnsafeMutablePointer<KnCap>?) -> Int32 {
        table.pointee.actorSelf(table.pointee.`self`, cap)
    }
    @inlinable @discardableResult
    public func actorRenew(
        _ cap: UnsafePointer<KnCap>?,
        _ thread: KnThreadLid
    ) -> Int32 {
        table.pointee.actorRenew(table.pointee.`self`, cap, thread)
    }
    @inlinable @discardableResult
    public func actorStat(
        _ count: UnsafeMutablePointer<UInt32>?,
        _ stats: UnsafeMutablePointer<KnActorStat>?
    ) -> Int32 {
        table.pointee.actorStat(table.pointee.`self`, count, stats)
    }
    @inlinable @discardableResult
    public func actorName(
        _ cap: UnsafePointer<KnCap>?,
        _ name: UnsafePointer<CChar>?
    ) -> Int32 {
        table.pointee.actorName(table.pointee.`self`, cap, name)
    }
    @inlinable @discardableResult
    public func actorPi(
        _ cap: UnsafePointer<KnCap>?,
        _ oldPi: UnsafeMutablePointer<KnProtId>?,
        _ newPi: UnsafePointer<KnProtId>?
    ) -> Int32 {
        table.pointee.actorPi(table.pointee.`self`, cap, oldPi, newPi)
    }
    @inlinable @discardableResult
    public func threadCreate(
        _ entry: KnThreadHdl?,
        _ argument: UnsafeMutableRawPointer?,
        _ stackSize: UInt32,
        _ name: UnsafePointer<CChar>?,
        _ li: UnsafeMutablePointer<KnThreadLid>?
    ) -> Int32 {
        table.pointee.threadCreate(table.pointee.`self`, entry, argument, stackSize, name, li)
    }
    @inlinable @discardableResult
    public func threadCreateUnix(
        _ actor: UnsafePointer<KnCap>?,
        _ start: UnsafePointer<KnThreadStart>?,
        _ li: UnsafeMutablePointer<KnThreadLid>?
    ) -> Int32 {
        table.pointee.threadCreateUnix(table.pointee.`self`, actor, start, li)
    }
    @inlinable @discardableResult public func threadDelete(_ li: KnThreadLid) -> Int32 {
        table.pointee.threadDelete(table.pointee.`self`, li)
    }
    @inlinable @discardableResult public func threadSelf() -> Int32 {
        table.pointee.threadSelf(table.pointee.`self`)
    }
    @inlinable @discardableResult public func threadSuspend(_ li: KnThreadLid) -> Int32 {
        table.pointee.threadSuspend(table.pointee.`self`, li)
    }
    @inlinable @discardableResult public func threadResume(_ li: KnThreadLid) -> Int32 {
        table.pointee.threadResume(table.pointee.`self`, li)
    }
    @inlinable @discardableResult public func threadAbort(_ li: KnThreadLid) -> Int32 {
        table.pointee.threadAbort(table.pointee.`self`, li)
    }
    @inlinable @discardableResult public func threadAborted() -> Int32 {
        table.pointee.threadAborted(table.pointee.`self`)
    }
    @inlinable @discardableResult public func threadDelay(_ milliseconds: Int32) -> Int32 {
        table.pointee.threadDelay(table.pointee.`self`, milliseconds)
    }
    @inlinable @discardableResult
    public func threadStat(
        _ count: UnsafeMutablePointer<UInt32>?,
        _ stats: UnsafeMutablePointer<KnThreadStat>?
    ) -> Int32 {
        table.pointee.threadStat(table.pointee.`self`, count, stats)
    }
    @inlinable @discardableResult public func threadCookie(_ li: KnThreadLid, _ cookie: UInt64) -> Int32 {
        table.pointee.threadCookie(table.pointee.`self`, li, cookie)
    }
    @inlinable @discardableResult
    public func threadContext(
        _ li: KnThreadLid,
        _ old: UnsafeMutablePointer<KnThreadCtx>?,
        _ now: UnsafePointer<KnThreadCtx>?
    ) -> Int32 {
        table.pointee.threadContext(table.pointee.`self`, li, old, now)
    }
    @inlinable @discardableResult
    public func threadFpuGet(
        _ li: KnThreadLid,
        _ image: UnsafeMutableRawPointer?,
        _ size: UnsafeMutablePointer<UInt32>?
    ) -> Int32 {
        table.pointee.threadFpuGet(table.pointee.`self`, li, image, size)
    }
    @inlinable @discardableResult
    public func threadFpuSet(
        _ li: KnThreadLid,
        _ image: UnsafeRawPointer?,
        _ size: UInt32
    ) -> Int32 {
        table.pointee.threadFpuSet(table.pointee.`self`, li, image, size)
    }
    @inlinable @discardableResult public func semInit(_ sem: UnsafeMutablePointer<KnSem>?, _ count: UInt32) -> Int32 {
        table.pointee.semInit(table.pointee.`self`, sem, count)
    }
    @inlinable @discardableResult public func semP(_ sem: UnsafeMutablePointer<KnSem>?, _ delay: Int32) -> Int32 {
        table.pointee.semP(table.pointee.`self`, sem, delay)
    }
    @inlinable @discardableResult public func semV(_ sem: UnsafeMutablePointer<KnSem>?) -> Int32 {
        table.pointee.semV(table.pointee.`self`, sem)
    }
    @inlinable @discardableResult public func semDelete(_ sem: UnsafeMutablePointer<KnSem>?) -> Int32 {
        table.pointee.semDelete(table.pointee.`self`, sem)
    }
    @inlinable @discardableResult
    public func portCreate(
        _ actor: UnsafePointer<KnCap>?,
        _ ui: UnsafeMutablePointer<KnUniqueId>?
    ) -> Int32 {
        table.pointee.portCreate(table.pointee.`self`, actor, ui)
    }
    @inlinable @discardableResult
    public func portDeclare(
        _ actor: UnsafePointer<KnCap>?,
        _ ui: UnsafePointer<KnUniqueId>?
    ) -> Int32 {
        table.pointee.portDeclare(table.pointee.`self`, actor, ui)
    }
    @inlinable @discardableResult public func portDelete(_ actor: UnsafePointer<KnCap>?, _ li: KnPortLid) -> Int32 {
        table.pointee.portDelete(table.pointee.`self`, actor, li)
    }
    @inlinable @discardableResult
    public func portEnable(
        _ actor: UnsafePointer<KnCap>?,
        _ li: KnPortLid,
        _ priority: Int32
    ) -> Int32 {
        table.pointee.portEnable(table.pointee.`self`, actor, li, priority)
    }
    @inlinable @discardableResult public func portDisable(_ actor: UnsafePointer<KnCap>?, _ li: KnPortLid) -> Int32 {
        table.pointee.portDisable(table.pointee.`self`, actor, li)
    }
    @inlinable @discardableResult public func portLi(_ ui: UnsafePointer<KnUniqueId>?) -> Int32 {
        table.pointee.portLi(table.pointee.`self`, ui)
    }
    @inlinable @discardableResult
    public func portUi(
        _ ui: UnsafeMutablePointer<KnUniqueId>?,
        _ li: KnPortLid
    ) -> Int32 {
        table.pointee.portUi(table.pointee.`self`, ui, li)
    }
    @inlinable @discardableResult
    public func portPi(
        _ actor: UnsafePointer<KnCap>?,
        _ li: KnPortLid,
        _ oldPi: UnsafeMutablePointer<KnProtId>?,
        _ newPi: UnsafePointer<KnProtId>?
    ) -> Int32 {
        table.pointee.portPi(table.pointee.`self`, actor, li, oldPi, newPi)
    }
    @inlinable @discardableResult
    public func portMigrate(
        _ options: UInt32,
        _ src: UnsafePointer<KnCap>?,
        _ li: KnPortLid,
        _ dst: UnsafePointer<KnCap>?,
        _ seqNum: UnsafeMutablePointer<UInt32>?
    ) -> Int32 {
        table.pointee.portMigrate(table.pointee.`self`, options, src, li, dst, seqNum)
    }
    @inlinable @discardableResult
    public func portGetSeqNum(
        _ actor: UnsafePointer<KnCap>?, _ li: KnPortLid, _ seqNum: UnsafeMutablePointer<UInt32>?
    ) -> Int32 {
        table.pointee.portGetSeqNum(table.pointee.`self`, actor, li, seqNum)
    }
    @inlinable @discardableResult
    public func portStat(
        _ count: UnsafeMutablePointer<UInt32>?,
        _ stats: UnsafeMutablePointer<KnPortStat>?
    ) -> Int32 {
        table.pointee.portStat(table.pointee.`self`, count, stats)
    }
    @inlinable @discardableResult
    public func grpAllocate(
        _ options: Int32,
        _ group: UnsafeMutablePointer<KnCap>?,
        _ stamp: UInt32
    ) -> Int32 {
        table.pointee.grpAllocate(table.pointee.`self`, options, group, stamp)
    }
    @inlinable @discardableResult
    public func grpPortInsert(
        _ group: UnsafePointer<KnCap>?,
        _ port: UnsafePointer<KnUniqueId>?
    ) -> Int32 {
        table.pointee.grpPortInsert(table.pointee.`self`, group, port)
    }
    @inlinable @discardableResult
    public func grpPortRemove(
        _ group: UnsafePointer<KnCap>?,
        _ port: UnsafePointer<KnUniqueId>?
    ) -> Int32 {
        table.pointee.grpPortRemove(table.pointee.`self`, group, port)
    }
    @inlinable @discardableResult
    public func grpName(
        _ stamp: UInt32,
        _ ui: UnsafeMutablePointer<KnUniqueId>?
    ) -> Int32 {
        table.pointee.grpName(table.pointee.`self`, stamp, ui)
    }
    @inlinable @discardableResult
    public func ipcSend(
        _ src: KnPortLid,
        _ dest: UnsafePointer<KnIpcDest>?,
        _ mode: UInt32,
        _ annex: UnsafeRawPointer?,
        _ body: UnsafeRawPointer?,
        _ bodySize: UInt32
    ) -> Int32 {
        table.pointee.ipcSend(table.pointee.`self`, src, dest, mode, annex, body, bodySize)
    }
    @inlinable @discardableResult
    public func ipcCall(
        _ src: KnPortLid,
        _ dest: UnsafePointer<KnIpcDest>?,
        _ mode: UInt32,
        _ annex: UnsafeRawPointer?,
        _ body: UnsafeRawPointer?,
        _ bodySize: UInt32,
        _ replyAnnex: UnsafeMutableRawPointer?,
        _ replyBody: UnsafeMutableRawPointer?,
        _ replySize: UnsafeMutablePointer<UInt32>?,
        _ flags: UInt32,
        _ delay: Int32
    ) -> Int32 {
        table.pointee.ipcCall(
            table.pointee.`self`, src, dest, mode, annex, body, bodySize, replyAnnex, replyBody, replySize, flags, delay
        )
    }
    @inlinable @discardableResult
    public func ipcReceive(
        _ port: KnPortLid,
        _ head: UnsafeMutablePointer<KnMsgHead>?,
        _ annex: UnsafeMutableRawPointer?,
        _ body: UnsafeMutableRawPointer?,
        _ bodySize: UnsafeMutablePointer<UInt32>?,
        _ delay: Int32
    ) -> Int32 {
        table.pointee.ipcReceive(table.pointee.`self`, port, head, annex, body, bodySize, delay)
    }
    @inlinable @discardableResult
    public func ipcReply(
        _ annex: UnsafeRawPointer?,
        _ body: UnsafeRawPointer?,
        _ bodySize: UInt32
    ) -> Int32 {
        table.pointee.ipcReply(table.pointee.`self`, annex, body, bodySize)
    }
    @inlinable @discardableResult
    public func ipcGetData(
        _ body: UnsafeMutableRawPointer?,
        _ bodySize: UnsafeMutablePointer<UInt32>?
    ) -> Int32 {
        table.pointee.ipcGetData(table.pointee.`self`, body, bodySize)
    }
    @inlinable @discardableResult public func ipcSave() -> Int32 {
        table.pointee.ipcSave(table.pointee.`self`)
    }
    @inlinable @discardableResult public func ipcRestore(_ id: Int32) -> Int32 {
        table.pointee.ipcRestore(table.pointee.`self`, id)
    }
    @inlinable @discardableResult public func ipcSysInfo(_ head: UnsafeMutablePointer<KnMsgHead>?) -> Int32 {
        table.pointee.ipcSysInfo(table.pointee.`self`, head)
    }
    @inlinable @discardableResult
    public func svMsgHandler(
        _ port: KnPortLid,
        _ handler: KnMsgHdl?,
        _ cookie: UnsafeMutableRawPointer?
    ) -> Int32 {
        table.pointee.svMsgHandler(table.pointee.`self`, port, handler, cookie)
    }
    @inlinable @discardableResult
    public func eventCreate(
        _ handler: KnEvtHdl?,
        _ cookie: UnsafeMutableRawPointer?,
        _ event: UnsafeMutablePointer<KnCap>?
    ) -> Int32 {
        table.pointee.eventCreate(table.pointee.`self`, handler, cookie, event)
    }
    @inlinable @discardableResult
    public func eventPost(
        _ event: UnsafePointer<KnUniqueId>?,
        _ bits: UInt32
    ) -> Int32 {
        table.pointee.eventPost(table.pointee.`self`, event, bits)
    }
    @inlinable @discardableResult public func eventDelete(_ event: UnsafePointer<KnCap>?) -> Int32 {
        table.pointee.eventDelete(table.pointee.`self`, event)
    }
    @inlinable @discardableResult
    public func svTrapConnect(
        _ trap: UInt32,
        _ handler: KnTrapHdl?,
        _ cookie: UnsafeMutableRawPointer?
    ) -> Int32 {
        table.pointee.svTrapConnect(table.pointee.`self`, trap, handler, cookie)
    }
    @inlinable @discardableResult public func svTrapDisConnect(_ trap: UInt32) -> Int32 {
        table.pointee.svTrapDisConnect(table.pointee.`self`, trap)
    }
    @inlinable @discardableResult
    public func svTrapSignatures(
        _ trap: UInt32,
        _ first: UInt32,
        _ sigs: UnsafePointer<KnTrapSig>?,
        _ count: UInt32
    ) -> Int32 {
        table.pointee.svTrapSignatures(table.pointee.`self`, trap, first, sigs, count)
    }
    @inlinable @discardableResult
    public func svExcHandler(
        _ handler: KnExcHdl?,
        _ cookie: UnsafeMutableRawPointer?
    ) -> Int32 {
        table.pointee.svExcHandler(table.pointee.`self`, handler, cookie)
    }
    @inlinable @discardableResult
    public func svAbortHandler(
        _ handler: KnAbortHdl?,
        _ cookie: UnsafeMutableRawPointer?
    ) -> Int32 {
        table.pointee.svAbortHandler(table.pointee.`self`, handler, cookie)
    }
    @inlinable @discardableResult
    public func trapComplete(
        _ li: KnThreadLid,
        _ result: Int64,
        _ context: UInt32
    ) -> Int32 {
        table.pointee.trapComplete(table.pointee.`self`, li, result, context)
    }
    @inlinable @discardableResult
    public func svCopyIn(
        _ li: KnThreadLid,
        _ from: VmAddr,
        _ to: UnsafeMutableRawPointer?,
        _ size: UInt32
    ) -> Int32 {
        table.pointee.svCopyIn(table.pointee.`self`, li, from, to, size)
    }
    @inlinable @discardableResult
    public func svCopyInString(
        _ li: KnThreadLid,
        _ from: VmAddr,
        _ to: UnsafeMutableRawPointer?,
        _ size: UnsafeMutablePointer<UInt32>?
    ) -> Int32 {
        table.pointee.svCopyInString(table.pointee.`self`, li, from, to, size)
    }
    @inlinable @discardableResult
    public func svCopyOut(
        _ li: KnThreadLid,
        _ from: UnsafeRawPointer?,
        _ to: VmAddr,
        _ size: UInt32,
        _ flags: UInt32
    ) -> Int32 {
        table.pointee.svCopyOut(table.pointee.`self`, li, from, to, size, flags)
    }
    @inlinable @discardableResult
    public func rgnAllocate(
        _ actor: UnsafePointer<KnCap>?,
        _ rgn: UnsafeMutablePointer<KnRgnDesc>?
    ) -> Int32 {
        table.pointee.rgnAllocate(table.pointee.`self`, actor, rgn)
    }
    @inlinable @discardableResult
    public func rgnMap(
        _ actor: UnsafePointer<KnCap>?,
        _ rgn: UnsafeMutablePointer<KnRgnDesc>?,
        _ object: UnsafePointer<KnObjDesc>?
    ) -> Int32 {
        table.pointee.rgnMap(table.pointee.`self`, actor, rgn, object)
    }
    @inlinable @discardableResult
    public func rgnInit(
        _ actor: UnsafePointer<KnCap>?,
        _ rgn: UnsafeMutablePointer<KnRgnDesc>?,
        _ object: UnsafePointer<KnObjDesc>?
    ) -> Int32 {
        table.pointee.rgnInit(table.pointee.`self`, actor, rgn, object)
    }
    @inlinable @discardableResult
    public func rgnFree(
        _ actor: UnsafePointer<KnCap>?,
        _ rgn: UnsafePointer<KnRgnDesc>?
    ) -> Int32 {
        table.pointee.rgnFree(table.pointee.`self`, actor, rgn)
    }
    @inlinable @discardableResult
    public func rgnSetProtect(
        _ actor: UnsafePointer<KnCap>?,
        _ rgn: UnsafePointer<KnRgnDesc>?
    ) -> Int32 {
        table.pointee.rgnSetProtect(table.pointee.`self`, actor, rgn)
    }
    @inlinable @discardableResult
    public func rgnMove(
        _ actor: UnsafePointer<KnCap>?,
        _ old: UnsafePointer<KnRgnDesc>?,
        _ now: UnsafeMutablePointer<KnRgnDesc>?
    ) -> Int32 {
        table.pointee.rgnMove(table.pointee.`self`, actor, old, now)
    }
    @inlinable @discardableResult
    public func rgnAdvise(
        _ actor: UnsafePointer<KnCap>?,
        _ rgn: UnsafePointer<KnRgnDesc>?,
        _ advice: Int32
    ) -> Int32 {
        table.pointee.rgnAdvise(table.pointee.`self`, actor, rgn, advice)
    }
    @inlinable @discardableResult
    public func rgnDup(
        _ target: UnsafePointer<KnCap>?,
        _ source: UnsafePointer<KnCap>?,
        _ flags: UInt32
    ) -> Int32 {
        table.pointee.rgnDup(table.pointee.`self`, target, source, flags)
    }
    @inlinable @discardableResult
    public func rgnStat(
        _ actor: UnsafePointer<KnCap>?,
        _ from: VmAddr,
        _ count: UnsafeMutablePointer<UInt32>?,
        _ stats: UnsafeMutablePointer<KnRgnStat>?
    ) -> Int32 {
        table.pointee.rgnStat(table.pointee.`self`, actor, from, count, stats)
    }
    @inlinable @discardableResult
    public func actorRead(
        _ actor: UnsafePointer<KnCap>?,
        _ from: VmAddr,
        _ to: UnsafeMutableRawPointer?,
        _ size: UInt32
    ) -> Int32 {
        table.pointee.actorRead(table.pointee.`self`, actor, from, to, size)
    }
    @inlinable @discardableResult
    public func actorWrite(
        _ actor: UnsafePointer<KnCap>?,
        _ to: VmAddr,
        _ from: UnsafeRawPointer?,
        _ size: UInt32
    ) -> Int32 {
        table.pointee.actorWrite(table.pointee.`self`, actor, to, from, size)
    }
    @inlinable @discardableResult
    public func sgCreate(
        _ name: UnsafePointer<CChar>?,
        _ size: VmSize,
        _ segment: UnsafeMutablePointer<KnCap>?
    ) -> Int32 {
        table.pointee.sgCreate(table.pointee.`self`, name, size, segment)
    }
    @inlinable @discardableResult
    public func sgAdopt(
        _ fd: Int32,
        _ flags: UInt32,
        _ segment: UnsafeMutablePointer<KnCap>?
    ) -> Int32 {
        table.pointee.sgAdopt(table.pointee.`self`, fd, flags, segment)
    }
    @inlinable @discardableResult public func sgRelease(_ segment: UnsafePointer<KnCap>?) -> Int32 {
        table.pointee.sgRelease(table.pointee.`self`, segment)
    }
    @inlinable @discardableResult
    public func sgStat(
        _ segment: UnsafePointer<KnCap>?,
        _ stat: UnsafeMutablePointer<KnSgStat>?
    ) -> Int32 {
        table.pointee.sgStat(table.pointee.`self`, segment, stat)
    }
    @inlinable @discardableResult public func sgTrunc(_ segment: UnsafePointer<KnCap>?, _ size: VmSize) -> Int32 {
        table.pointee.sgTrunc(table.pointee.`self`, segment, size)
    }
    @inlinable @discardableResult
    public func sgRead(
        _ from: UnsafePointer<KnObjDesc>?,
        _ to: UnsafeMutableRawPointer?,
        _ size: UnsafeMutablePointer<UInt32>?
    ) -> Int32 {
        table.pointee.sgRead(table.pointee.`self`, from, to, size)
    }
    @inlinable @discardableResult
    public func sgWrite(
        _ to: UnsafePointer<KnObjDesc>?,
        _ from: UnsafeRawPointer?,
        _ size: UInt32
    ) -> Int32 {
        table.pointee.sgWrite(table.pointee.`self`, to, from, size)
    }
    @inlinable @discardableResult
    public func sgReadThread(
        _ from: UnsafePointer<KnObjDesc>?,
        _ li: KnThreadLid,
        _ to: VmAddr
    ) -> Int32 {
        table.pointee.sgReadThread(table.pointee.`self`, from, li, to)
    }
    @inlinable @discardableResult
    public func sgWriteThread(
        _ to: UnsafePointer<KnObjDesc>?,
        _ li: KnThreadLid,
        _ from: VmAddr
    ) -> Int32 {
        table.pointee.sgWriteThread(table.pointee.`self`, to, li, from)
    }
    @inlinable @discardableResult public func sgFlush(_ segment: UnsafePointer<KnCap>?) -> Int32 {
        table.pointee.sgFlush(table.pointee.`self`, segment)
    }
    @inlinable @discardableResult public func sgPunch(_ range: UnsafePointer<KnObjDesc>?) -> Int32 {
        table.pointee.sgPunch(table.pointee.`self`, range)
    }
    @inlinable @discardableResult
    public func sgSeek(
        _ segment: UnsafePointer<KnCap>?,
        _ from: VmOffset,
        _ hole: Int32,
        _ found: UnsafeMutablePointer<VmOffset>?
    ) -> Int32 {
        table.pointee.sgSeek(table.pointee.`self`, segment, from, hole, found)
    }
    @inlinable @discardableResult public func uiLocalSite(_ site: UnsafeMutablePointer<Int32>?) -> Int32 {
        table.pointee.uiLocalSite(table.pointee.`self`, site)
    }
    @inlinable @discardableResult public func sysLog(_ level: Int32, _ line: UnsafePointer<CChar>?) -> Int32 {
        table.pointee.sysLog(table.pointee.`self`, level, line)
    }
    @inlinable @discardableResult public func sysShutdown(_ status: Int32) -> Int32 {
        table.pointee.sysShutdown(table.pointee.`self`, status)
    }
    @inlinable @discardableResult public func sysRandom(_ bytes: UnsafeMutableRawPointer?, _ size: UInt32) -> Int32 {
        table.pointee.sysRandom(table.pointee.`self`, bytes, size)
    }
    @inlinable @discardableResult public func sysTrace(_ kind: UInt32, _ a: UInt64, _ b: UInt64) -> Int32 {
        table.pointee.sysTrace(table.pointee.`self`, kind, a, b)
    }
    @inlinable @discardableResult
    public func sysTraceRead(
        _ from: UInt64,
        _ count: UnsafeMutablePointer<UInt32>?,
        _ events: UnsafeMutablePointer<KnTraceEvent>?
    ) -> Int32 {
        table.pointee.sysTraceRead(table.pointee.`self`, from, count, events)
    }
}
