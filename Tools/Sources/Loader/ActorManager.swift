import CChorus
import ObjectNote

/// The loader as a server (chorus/knActorManager.h): actors have it load others, and end them.
final class ActorManager: @unchecked Sendable {  // Sendable: constants; the nucleus calls it from any thread.
    private unowned let site: Site

    init(_ site: Site) { self.site = site }

    /// Serves until the site is deleted.
    func start() throws(LoadError) {
        let nucleus = site.table.pointee
        var (name, group) = (KnUniqueId(), KnCap())
        let port = nucleus.portCreate?(nucleus.`self`, nil, &name) ?? K_ENOSYS
        // Never released: the site may call it until it is deleted.
        let cookie = Unmanaged.passRetained(self).toOpaque()
        var result = port
        if result >= 0 {
            result =
                nucleus.svMsgHandler?(
                    nucleus.`self`, port,
                    { cookie, _, annex, body, bodySize, replyAnnex, replyBody, replySize in
                        guard let cookie, let annex, let replyAnnex, let replySize else { return K_EINVAL }
                        let manager = Unmanaged<ActorManager>.fromOpaque(cookie).takeUnretainedValue()
                        let text = UnsafeRawBufferPointer(start: body, count: body == nil ? 0 : Int(bodySize))
                        var why = ""
                        replyAnnex.storeBytes(
                            of: manager.serve(annex.loadUnaligned(as: KnAmRequest.self), text, &why),
                            as: KnAmReply.self)
                        let room = UnsafeMutableRawBufferPointer(
                            start: replyBody, count: replyBody == nil ? 0 : Int(replySize.pointee))
                        room.copyBytes(from: why.utf8.prefix(room.count))
                        replySize.pointee = UInt32(min(room.count, why.utf8.count))
                        return K_OK
                    }, cookie) ?? K_ENOSYS
        }
        if result >= 0 { result = nucleus.grpAllocate?(nucleus.`self`, K_STATSYS, &group, K_STAMP_ACTOR) ?? K_ENOSYS }
        if result >= 0 { result = nucleus.grpPortInsert?(nucleus.`self`, &group, &name) ?? K_ENOSYS }
        if result < 0 { throw LoadError("the loader cannot serve group ACTOR: \(nucleusCode(result))") }
    }

    private func serve(_ request: KnAmRequest, _ body: UnsafeRawBufferPointer, _ why: inout String) -> KnAmReply {
        switch request.op {
        case K_AM_LOAD:
            let texts = body.split(separator: 0, omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            guard texts.count >= 3, !texts[0].isEmpty, texts[1].hasPrefix("/") else {
                return KnAmReply(result: K_EINVAL, hostPid: 0, cap: KnCap())
            }
            return load(request, name: texts[0], object: texts[1], options: texts[2], &why)
        case K_AM_UNLOAD:
            var cap = request.cap
            let result = site.boot.pointee.actorUnload?(site.handle, &cap) ?? K_ENOSYS
            return KnAmReply(result: result, hostPid: 0, cap: KnCap())
        default: return KnAmReply(result: K_ENOSYS, hostPid: 0, cap: KnCap())
        }
    }

    private func load(
        _ request: KnAmRequest, name: String, object: String, options: String, _ why: inout String
    ) -> KnAmReply {
        do throws(ObjectError) {
            _ = try ObjectNote.check(file: object, kind: .server, entry: K_ACTOR_ENTRY)
        } catch {
            why = "\(error)"
            return KnAmReply(result: K_EINVAL, hostPid: 0, cap: KnCap())
        }
        var args = KnLoadArgs()
        args.size = UInt32(MemoryLayout<KnLoadArgs>.size)
        args.privilege = request.privilege
        args.memoryLimit = request.memoryLimit
        args.threadLimit = request.threadLimit
        args.portLimit = request.portLimit
        var reply = KnAmReply()
        var line = [CChar](repeating: 0, count: 256)
        reply.result = name.withCString { name in
            object.withCString { object in
                options.withCString { options in
                    (args.name, args.object, args.options) = (name, object, options)
                    return site.boot.pointee.actorLoad?(site.handle, &args, &reply.cap, &line, UInt32(line.count))
                        ?? K_ENOSYS
                }
            }
        }
        why = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        if reply.result >= 0 { reply.hostPid = hostPid(of: reply.cap) }
        return reply
    }

    private func hostPid(of cap: KnCap) -> Int32 {
        let nucleus = site.table.pointee
        var stats = [KnActorStat](repeating: KnActorStat(), count: 4096)
        var count = UInt32(stats.count)
        guard nucleus.actorStat?(nucleus.`self`, &count, &stats) ?? K_ENOSYS >= 0 else { return 0 }
        return stats.prefix(Int(count)).first { $0.cap.names(cap) }?.hostPid ?? 0
    }
}
