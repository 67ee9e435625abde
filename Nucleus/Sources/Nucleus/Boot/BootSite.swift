import CChorus
import Glibc
import KnLane
import MachineLinux
import NucleusCore
import Synchronization

/// What a `site` of `knBoot.h` points to: a site, its machine, and the servers that were loaded into it.
final class BootSite: @unchecked Sendable {  // Sendable: constants, and state behind a mutex.
    let site: Site
    let host: LinuxHost
    let plans: CallPlans
    private let silent: Silence
    let actorHostPath: String?
    /// The sites that this one is joined with.
    let net = Mutex<InProcessNet?>(nil)
    private let loaded = Mutex<[Loaded]>([])

    private struct Loaded {
        let server: any LoadedActor
        let request: LoadRequest
        var isMoving = false
    }

    init?(_ args: KnSiteArgs) {
        guard let plans = CallPlans() else { return nil }
        let host = LinuxHost()
        self.host = host
        self.plans = plans
        silent = Silence()
        let domain = args.domain.0 | args.domain.1 == 0 ? nil : args.domain
        site = Site(
            host: host, number: args.siteNumber, name: args.name.map { String(cString: $0) } ?? "site", secret: domain)
        site.log = BootSite.logger(args, silent)
        site.trapBinder = LaneTrapBinder(plans)
        actorHostPath = Neighbours.find("chorus-actor-host", args.actorHostPath)
        if let zygote = Neighbours.find("chorus-zygote", args.zygotePath) { connectGuests(zygote) }
    }

    private func connectGuests(_ zygotePath: String) {
        let guests = LinuxGuests(site: site, zygotePath: zygotePath)
        guard let guests else { return site.report(0, "no memory for UNIX actors: they cannot be made here") }
        site.unix = guests
    }

    /// `silent` becomes true when the site is deleted: the cookie may be gone then, and late threads still have to say something.
    private static func logger(_ args: KnSiteArgs, _ silent: Silence) -> @Sendable (Int32, String) -> Void {
        guard let log = args.log else {
            return { _, line in
                let line = line + "\n"
                _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
            }
        }
        nonisolated(unsafe) let cookie = args.logCookie  // the caller's own; it promised any thread
        return { level, line in
            silent.flag.withLock { silent in
                if !silent { line.withCString { log(cookie, level, $0) } }
            }
        }
    }

    final class Silence: Sendable {
        let flag = Mutex(false)
    }

    /// A supervisor actor for the caller itself.
    func ownActor(_ name: String) -> UnsafePointer<KnNucleus> {
        let actor = site.createActor(name: name, privilege: K_SUPACTOR)
        actor.hostPid = getpid()
        return actor.table
    }

    // MARK: loaded servers

    func load(_ request: LoadRequest) -> (code: Int32, cap: KnCap, why: String) {
        switch instance(request, after: nil) {
        case .success(let server): (K_OK, server.actor.cap, "")
        case .failure(let refusal): (refusal.code, KnCap(), refusal.why)
        }
    }

    struct Refusal: Error {
        let code: Int32
        let why: String
    }

    /// A new instance of a server; paused, if it is to take the place of another one.
    func instance(_ request: LoadRequest, after last: Actor?) -> Result<any LoadedActor, Refusal> {
        let user = request.privilege == K_USERACTOR
        if user && actorHostPath == nil {
            let why = "\(request.name): chorus-actor-host is not installed beside the nucleus"
            return .failure(Refusal(code: K_EHOST, why: why))
        }
        let actor = site.createActor(
            name: request.name, privilege: request.privilege, system: request.isSystem, predecessor: last)
        actor.limits = request.limits
        if last != nil { actor.pause() }
        let server: any LoadedActor
        if user {
            let made = UserActor(actor, plans) { [host] in host.willBlock?() }
            actor.guest = made
            let code = made.spawn(actorHostPath ?? "")
            guard code == K_OK else {
                site.deleteActor(actor)
                return .failure(Refusal(code: code, why: "\(request.name): no host process"))
            }
            server = made
        } else {
            server = SupervisorActor(actor, plans)
        }
        // Listed before it runs: it may be what the caller of another thread wants to unload.
        loaded.withLock { $0.append(Loaded(server: server, request: request)) }
        let (code, why) = server.start(request)
        guard code < 0 else { return .success(server) }
        forget(server)
        site.deleteActor(actor)
        return .failure(Refusal(code: code, why: why))
    }

    /// The loaded server that `cap` names, or the `K_*` code why not.
    func find(_ cap: KnCap) -> Result<any LoadedActor, KnError> {
        let found = loaded.withLock { list in
            list.first {
                let ui = $0.server.actor.cap.ui
                return ui.uiHead == cap.ui.uiHead && ui.uiTail == cap.ui.uiTail
            }
        }?.server
        guard let found else { return .failure(.unknown) }
        let key = found.actor.cap.key
        guard key.keyHead == cap.key.keyHead, key.keyTail == cap.key.keyTail else { return .failure(.privilege) }
        return found.actor.isDeleted ? .failure(.deadActor) : .success(found)
    }

    func forget(_ server: any LoadedActor) {
        loaded.withLock { list in list.removeAll { $0.server === server } }
    }

    func forgetDead(_ cap: KnCap) {
        loaded.withLock { list in
            list.removeAll {
                let (ui, actor) = ($0.server.actor.cap.ui, $0.server.actor)
                return actor.isDeleted && ui.uiHead == cap.ui.uiHead && ui.uiTail == cap.ui.uiTail
            }
        }
    }

    /// How the server was loaded; nil while it is being moved already, or unloaded.
    func beginMove(_ server: any LoadedActor) -> LoadRequest? {
        loaded.withLock { list in
            guard let index = list.firstIndex(where: { $0.server === server }), !list[index].isMoving else {
                return nil
            }
            list[index].isMoving = true
            return list[index].request
        }
    }

    func endMove(_ server: any LoadedActor) {
        loaded.withLock { list in
            guard let index = list.firstIndex(where: { $0.server === server }) else { return }
            list[index].isMoving = false
        }
    }

    func unload(_ server: any LoadedActor) -> Int32 {
        site.flushCaches(servedBy: server.actor)
        let code = server.operate(.shutdown, [])
        forget(server)
        let deleted = site.deleteActor(server.actor)
        // A server without a shutdown, or one that died in it, is unloaded all the same.
        return code == K_ENOSYS || code >= 0 ? deleted : code
    }

    /// Everything still there goes, last loaded first.
    func end() {
        let rest = loaded.withLock { list in
            defer { list = [] }
            return list
        }
        site.flushCaches()
        for entry in rest.reversed() { site.deleteActor(entry.server.actor) }
        site.close()
        // Late host threads (a guest's death, a control connection) may still look at the site: it is not freed.
        (site.unix as? LinuxGuests)?.stop()
        _ = Unmanaged.passRetained(site)
        silent.flag.withLock { $0 = true }
    }
}
