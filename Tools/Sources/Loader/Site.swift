import CChorus
import Glibc
import Manifest
import Synchronization

/// A running site: one instance of the nucleus and the actors that were loaded into it.
public final class Site: @unchecked Sendable {  // the nucleus takes calls from any thread
    let boot: UnsafePointer<KnBoot>
    let handle: UnsafeMutableRawPointer
    /// The loader's own actor.
    let table: UnsafePointer<KnNucleus>
    public let name: String
    /// In load order. The control socket's thread moves servers while another one may end the site.
    private let servers = Mutex<[Loaded]>([])
    private let log: SiteLog

    public init(library: NucleusLibrary, name: String, tree: InstallTree, log: SiteLog) throws(LoadError) {
        boot = library.boot
        self.name = name
        self.log = log
        var site: UnsafeMutableRawPointer?
        var result: Int32 = K_EINVAL
        name.withCString { name in
            tree.zygote.withCString { zygote in
                tree.actorHost.withCString { host in
                    var args = KnSiteArgs()
                    args.size = UInt32(MemoryLayout<KnSiteArgs>.size)
                    args.name = name
                    args.zygotePath = zygote
                    args.actorHostPath = host
                    args.log = { cookie, level, line in
                        guard let cookie, let line else { return }
                        Unmanaged<SiteLog>.fromOpaque(cookie).takeUnretainedValue().line(level, String(cString: line))
                    }
                    // The site may log until the process ends: the log is never released.
                    args.logCookie = Unmanaged.passRetained(log).toOpaque()
                    result = library.boot.pointee.siteCreate?(&args, &site) ?? K_ENOSYS
                }
            }
        }
        guard result >= 0, let site else { throw LoadError("no site can be made: \(nucleusCode(result))") }
        handle = site
        guard let table = boot.pointee.siteActor?(site, "loader") else {
            throw LoadError("the nucleus gives its loader no actor")
        }
        self.table = table
    }

    public struct Loaded: Sendable {
        public var entry: ActorEntry
        public var cap: KnCap
    }

    public var loaded: [Loaded] { servers.withLock { $0 } }

    func replace(_ cap: KnCap, by now: Loaded) {
        servers.withLock { list in
            guard let index = list.firstIndex(where: { $0.cap.names(cap) }) else { return }
            list[index] = now
        }
    }

    /// Whether UNIX processes may use CHORUS IPC; said before the first one runs.
    public func allowProcessIpc(_ allowed: Bool) throws(LoadError) {
        let result = boot.pointee.siteProcessIpc?(handle, allowed ? 1 : 0) ?? K_ENOSYS
        if result < 0 { throw LoadError("subsystem.ipc cannot be set: \(nucleusCode(result))") }
    }

    /// Whether the nucleus may rewrite UNIX processes' call sites, so that they trap without a signal.
    public func allowRewriting(_ allowed: Bool) throws(LoadError) {
        let result = boot.pointee.siteRewrite?(handle, allowed ? 1 : 0) ?? (allowed ? K_OK : K_ENOSYS)
        if result < 0 { throw LoadError("subsystem.rewrite cannot be set: \(nucleusCode(result))") }
    }

    /// What all actors together may hold, in bytes; 0: no limit.
    public func limitMemory(_ limit: UInt64) throws(LoadError) {
        if limit == 0 { return }
        let result = boot.pointee.siteMemory?(handle, limit) ?? K_ENOSYS
        if result < 0 { throw LoadError("subsystem.memory cannot be set: \(nucleusCode(result))") }
    }

    /// Loads one actor; its object has been checked.
    public func load(_ entry: ActorEntry, object: String, options: String) throws(LoadError) {
        var cap = KnCap()
        var why = [CChar](repeating: 0, count: 256)
        var result: Int32 = K_EINVAL
        entry.name.withCString { name in
            object.withCString { object in
                options.withCString { options in
                    var args = KnLoadArgs()
                    args.size = UInt32(MemoryLayout<KnLoadArgs>.size)
                    args.privilege = entry.privilege == .user ? K_USERACTOR : K_SUPACTOR
                    if !entry.isSystem { args.privilege |= K_LOAD_UNPRIVILEGED }
                    args.name = name
                    args.object = object
                    args.options = options
                    args.groupStamp = entry.group?.stamp ?? 0
                    args.memoryLimit = entry.limits.memory
                    args.threadLimit = entry.limits.threads
                    args.portLimit = entry.limits.ports
                    result = boot.pointee.actorLoad?(handle, &args, &cap, &why, UInt32(why.count)) ?? K_ENOSYS
                }
            }
        }
        if result < 0 {
            let reason = String(decoding: why.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw LoadError(
                "\(entry.place.file):\(entry.place.line): \(entry.place.key): \(object) does not start: "
                    + (reason.isEmpty ? nucleusCode(result) : "\(reason), \(nucleusCode(result))"))
        }
        servers.withLock { $0.append(Loaded(entry: entry, cap: cap)) }
    }

    /// Tells each actor, in load order, that all are there.
    public func started() throws(LoadError) {
        for server in loaded {
            let entry = server.entry
            var cap = server.cap
            let result = boot.pointee.actorStarted?(handle, &cap) ?? K_ENOSYS
            if result < 0 && result != K_ENOSYS {  // a server need not have first work
                throw LoadError(
                    "\(entry.place.file):\(entry.place.line): \(entry.place.key): "
                        + "its first work failed: \(result > -1000 ? String(cString: strerror(-result)) : nucleusCode(result))"
                )
            }
        }
    }

    /// Until someone shuts the site down; its exit status.
    public func wait() -> Int32 {
        var status: Int32 = 0
        let result = boot.pointee.siteWait?(handle, &status) ?? K_ENOSYS
        if result < 0 { log.line(0, "the site cannot be waited for: \(nucleusCode(result))") }
        return result < 0 ? 1 : status
    }

    public func shutdown(_ status: Int32) { _ = table.pointee.sysShutdown?(table.pointee.`self`, status) }

    /// Unloads one actor: what it exports must have been taken before.
    public func unload(_ cap: KnCap) throws(LoadError) {
        var cap = cap
        let name = cap
        servers.withLock { list in list.removeAll { $0.cap.names(name) } }
        let result = boot.pointee.actorUnload?(handle, &cap) ?? K_ENOSYS
        if result < 0 { throw LoadError("the actor did not end well: \(nucleusCode(result))") }
    }

    /// Unloads in reverse order and gives everything back.
    public func close() {
        let rest = servers.withLock { list in
            defer { list = [] }
            return list
        }
        for server in rest.reversed() {
            var cap = server.cap
            let result = boot.pointee.actorUnload?(handle, &cap) ?? K_ENOSYS
            if result < 0 { log.line(1, "actor \(server.entry.name) did not end well: \(nucleusCode(result))") }
        }
        let result = boot.pointee.siteDelete?(handle) ?? K_ENOSYS
        if result < 0 { log.line(1, "the site did not end well: \(nucleusCode(result))") }
    }
}

extension KnCap {
    /// The same object, whatever the keys.
    func names(_ other: KnCap) -> Bool { ui.uiHead == other.ui.uiHead && ui.uiTail == other.ui.uiTail }
}
