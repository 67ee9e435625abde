import CChorus
import NucleusCore

/// The one symbol a loader looks for in libNucleus.so (`knBoot.h`).
@c(kn_boot)
public func bootEntry() -> UnsafePointer<KnBoot>? { bootTable.pointer }

/// Written once, before anybody can have it.
private struct BootTable: @unchecked Sendable {  // Sendable: never written again.
    let pointer: UnsafePointer<KnBoot>

    init() {
        let table = UnsafeMutablePointer<KnBoot>.allocate(capacity: 1)
        table.initialize(to: KnBoot())
        table.pointee.size = UInt32(MemoryLayout<KnBoot>.size)
        table.pointee.abiMajor = UInt16(K_ABI_MAJOR)
        table.pointee.abiMinor = UInt16(K_ABI_MINOR)
        table.pointee.siteCreate = { args, site in
            guard let args, let site else { return K_EINVAL }
            guard let made = BootSite(siteArgs(args)) else { return K_ENOMEM }
            site.pointee = Unmanaged.passRetained(made).toOpaque()
            return K_OK
        }
        table.pointee.siteActor = { site, name in
            guard let name else { return nil }
            return withSite(site) { $0.ownActor(String(cString: name)) }
        }
        table.pointee.actorLoad = { site, args, cap, why, whySize in
            guard let args, let cap, let request = LoadRequest(args.pointee) else { return K_EINVAL }
            let result = withSite(site) { $0.load(request) }
            guard let result else { return K_EINVAL }
            tell(result.why, why, whySize)
            if result.code >= 0 { cap.pointee = result.cap }
            return result.code
        }
        table.pointee.actorStarted = { site, cap in
            withServer(site, cap) { $1.operate(.started, []) }
        }
        table.pointee.actorUnload = { site, cap in
            let code = withServer(site, cap) { $0.unload($1) }
            // It died before: nothing is left of it but its entry.
            if code == K_EDEADACTOR, let cap { withSite(site) { $0.forgetDead(cap.pointee) } }
            return code
        }
        table.pointee.actorExport = { site, cap, sequence, message, size in
            withServer(site, cap) {
                $1.operate(.stateExport, [UInt64(sequence), slot(message), slot(size)])
            }
        }
        table.pointee.actorImport = { site, cap, sequence, message, size in
            withServer(site, cap) {
                $1.operate(.stateImport, [UInt64(sequence), slot(message), UInt64(size)])
            }
        }
        table.pointee.actorHeartbeat = { site, cap in
            withServer(site, cap) { $1.operate(.heartbeat, []) }
        }
        table.pointee.actorMove = { site, cap, privilege, now, why, whySize in
            guard let now, privilege == K_SUPACTOR || privilege == K_USERACTOR else { return K_EINVAL }
            return withServer(site, cap) { site, server in
                switch site.move(server, to: privilege) {
                case .success(let moved):
                    now.pointee = moved.actor.cap
                    return K_OK
                case .failure(let refusal):
                    tell(refusal.why, why, whySize)
                    return refusal.code
                }
            }
        }
        table.pointee.siteProcessIpc = { site, allowed in
            let done: Void? = withSite(site) { $0.site.processIpc.store(allowed != 0, ordering: .relaxed) }
            return done == nil ? K_EINVAL : K_OK
        }
        table.pointee.siteRewrite = { site, allowed in
            let done: Void? = withSite(site) { $0.site.rewrites.store(allowed != 0, ordering: .relaxed) }
            return done == nil ? K_EINVAL : K_OK
        }
        table.pointee.siteJoin = { site, other in
            let code = withSite(site) { site in withSite(other) { BootSite.join(site, $0) } }
            return (code ?? nil) ?? K_EINVAL
        }
        table.pointee.siteMemory = { site, limit in
            let done: Void? = withSite(site) { $0.site.limitMemory(limit) }
            return done == nil ? K_EINVAL : K_OK
        }
        table.pointee.siteWait = { site, status in
            guard let ended = withSite(site, { $0.site.waitShutdown() }) else { return K_EINVAL }
            status?.pointee = ended
            return K_OK
        }
        table.pointee.siteDelete = { site in
            guard let site else { return K_EINVAL }
            Unmanaged<BootSite>.fromOpaque(site).takeRetainedValue().end()
            return K_OK
        }
        pointer = UnsafePointer(table)
    }
}

private let bootTable = BootTable()

/// As many members as the caller knows of; those of ABI 1.0 are always there.
private func siteArgs(_ given: UnsafePointer<KnSiteArgs>) -> KnSiteArgs {
    let first = MemoryLayout<KnSiteArgs>.offset(of: \.domain) ?? 0
    let size = min(max(Int(given.pointee.size), first), MemoryLayout<KnSiteArgs>.size)
    var args = KnSiteArgs()
    withUnsafeMutableBytes(of: &args) { $0.copyMemory(from: UnsafeRawBufferPointer(start: given, count: size)) }
    return args
}

private func slot(_ pointer: UnsafeRawPointer?) -> UInt64 { UInt64(UInt(bitPattern: pointer)) }

private func withSite<Value>(_ site: UnsafeMutableRawPointer?, _ body: (BootSite) -> Value) -> Value? {
    site.map { Unmanaged<BootSite>.fromOpaque($0)._withUnsafeGuaranteedRef(body) }
}

private func withServer(
    _ site: UnsafeMutableRawPointer?, _ cap: UnsafePointer<KnCap>?, _ body: (BootSite, any LoadedActor) -> Int32
) -> Int32 {
    guard let cap else { return K_EINVAL }
    let result: Int32? = withSite(site) { site in
        switch site.find(cap.pointee) {
        case .success(let server): body(site, server)
        case .failure(let error): error.rawValue
        }
    }
    return result ?? K_EINVAL
}

/// One line into the caller's buffer, cut to fit.
private func tell(_ line: String, _ buffer: UnsafeMutablePointer<CChar>?, _ size: UInt32) {
    guard let buffer, size > 0 else { return }
    var index = 0
    for byte in line.utf8 where index < Int(size) - 1 {
        buffer[index] = byte == 10 ? 32 : CChar(bitPattern: byte)
        index += 1
    }
    buffer[index] = 0
}
