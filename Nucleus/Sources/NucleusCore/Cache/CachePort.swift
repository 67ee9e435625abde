import CChorus
import Synchronization

/// The port that the lccaps of a site's caches name: mappers of other sites send their flushes to it.
extension Site {
    /// The port's name; none, and no other site reaches our caches, if there is no port.
    func connectCachePort() -> KnUniqueId {
        guard let port = try? createPort(kernel) else { return KnUniqueId() }
        _ = port.connect(
            { cookie, _, annex, _, _, replyAnnex, _, replySize in
                guard let cookie, let annex, let replyAnnex else { return K_EINVAL }
                replySize?.pointee = 0
                let site = Unmanaged<Site>.fromOpaque(cookie).takeUnretainedValue()
                let done = KnMpDone(
                    diag: site.flush(annex.loadUnaligned(as: KnLcFlush.self)),
                    size: UInt32(MemoryLayout<KnMpDone>.size))
                replyAnnex.storeBytes(of: done, as: KnMpDone.self)
                return K_OK
            }, Unmanaged.passUnretained(self).toOpaque())
        return port.ui
    }

    private func flush(_ request: KnLcFlush) -> Int32 {
        guard request.service == KN_LCFLUSH, request.size >= UInt32(MemoryLayout<KnLcFlush>.size) else {
            return K_EINVAL
        }
        guard let segment = caches.use(lckey: request.lckey), let local = segment.local else { return K_EUNKNOWN }
        defer { closeCache(segment) }
        return local.flush(request)
    }
}

extension LocalCache {
    /// As a mapper asks for it.
    func flush(_ request: KnLcFlush) -> Int32 {
        let mask = CacheWindow.pageSize - 1
        let (end, over) = request.offset.addingReportingOverflow(request.length)
        guard request.flags & ~(K_LC_PUSH | K_LC_INVALIDATE | K_LC_SIZE) == 0,
            request.rights & ~(K_READABLE | K_WRITABLE) == 0, request.rights != K_WRITABLE,
            request.offset & mask == 0, request.length & mask == 0, !over
        else { return K_EINVAL }
        let last = request.length == 0 ? UInt64.max / CacheWindow.bytes : end / CacheWindow.pageSize
        let first = request.offset / CacheWindow.pageSize
        guard first <= last else { return K_EINVAL }
        if request.flags & K_LC_SIZE != 0 { state.withLock { $0.sized = false } }
        let rights = request.flags & K_LC_INVALIDATE != 0 ? 0 : request.rights
        // Nothing is given up and nothing written back.
        if request.flags & K_LC_PUSH == 0, rights == K_READABLE | K_WRITABLE { return K_OK }
        return flush(first..<last, keep: rights, order: request.orderNumber)
    }
}

extension Actor {
    /// lcFlush and lcSetRights: of a cache here, or of another site's, which is asked by message.
    func flushCache(_ range: KnObjDesc, _ flags: UInt32, rights: UInt32, _ order: UInt64) throws(KnError) -> Int32 {
        try needPrivilege()
        let request = KnLcFlush(
            service: KN_LCFLUSH, size: UInt32(MemoryLayout<KnLcFlush>.size), lckey: range.dataObject.key,
            offset: range.startOffset, length: range.size, flags: flags, rights: rights, orderNumber: order)
        if let segment = site.caches.use(lckey: request.lckey, of: range.dataObject.ui), let local = segment.local {
            defer { site.closeCache(segment) }
            return local.flush(request)
        }
        guard range.dataObject.ui.type == .port else { throw .unknown }
        return try withUnsafeTemporaryAllocation(byteCount: Int(K_CMSGANNEXSIZE), alignment: 16) {
            annex throws(KnError) in
            annex.initializeMemory(as: UInt8.self, repeating: 0)
            annex.storeBytes(of: request, as: KnLcFlush.self)
            let message = Request(
                source: K_DEFAULTPORT, dest: KnIpcDest(target: range.dataObject.ui, coTarget: KnUniqueId()),
                mode: K_FUNCMODE, annex: UnsafeRawPointer(annex.baseAddress), body: nil, bodySize: 0)
            let code = try ipcCall(
                message, ReplyPlace(annex: annex.baseAddress, body: nil, size: nil), flags: 0,
                delay: Int32(clamping: site.mapperPatience.load(ordering: .relaxed)))
            return code < 0 ? code : min(annex.load(as: Int32.self), K_OK)
        }
    }
}
