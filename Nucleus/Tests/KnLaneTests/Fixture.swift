import CChorus
import Glibc
import MachineLinux
import Nucleus
import Synchronization
import Testing

/// The test servers, compiled once for both privileges: the same file.
enum Fixture {
    static let object: String? = build("server")
    /// Knows ABI 1.0 by numbers alone.
    static let abi10: String? = build("abi10")
    static let threads: String? = build("threads")
    static let regions: String? = build("regions")
    /// Its handlers do not come back.
    static let stuck: String? = build("stuck")
    static let bodies: String? = build("bodies")
    static let errors: String? = build("errors")
    static let mover: String? = build("mover")

    /// Faults on demand.
    static let faults: String? = build("faults")
    /// Its handlers come and go.
    static let gates: String? = build("gates")
    /// Answers and raises traps of its own.
    static let traps: String? = build("traps")

    private static func path(_ name: String) -> String { "/tmp/kn-\(name)-\(getpid()).so" }

    private static func build(_ name: String) -> String? {
        let here = #filePath
        guard let slash = here.lastIndex(of: "/") else { return nil }
        let directory = String(here[..<slash])
        let output = path(name)
        atexit {
            for name in [
                "server", "abi10", "threads", "regions", "stuck", "bodies", "errors", "mover", "traps", "faults",
                "gates",
            ] {
                unlink(Fixture.path(name))
            }
        }
        let line =
            "cc -shared -fPIC -O1 -D_GNU_SOURCE -I '\(directory)/../../Sources/CChorus/include' "
            + "-o \(output) '\(directory)/Fixtures/\(name).c'"
        let done = DispatchLatch()
        let pid = Reaper.shared.spawning {
            var child: pid_t = -1
            var arguments: [UnsafeMutablePointer<CChar>?] = []
            for argument in ["sh", "-c", line] { arguments.append(strdup(argument)) }
            arguments.append(nil)
            defer { for argument in arguments { free(argument) } }
            return posix_spawn(&child, "/bin/sh", nil, nil, arguments, environ) == 0 ? child : -1
        } _: { _, status in
            done.open(status)
        }
        return pid > 0 && done.wait() == 0 ? output : nil
    }
}

final class DispatchLatch: @unchecked Sendable {
    private let lock = Mutex<Int32?>(nil)
    func open(_ value: Int32) { lock.withLock { $0 = value } }
    func wait(seconds: Int = 60) -> Int32? {
        for _ in 0..<(seconds * 1000) {
            if let value = lock.withLock({ $0 }) { return value }
            usleep(1000)
        }
        return nil
    }
}

/// What a site logged.
final class LogLines: Sendable {
    let lines = Mutex<[String]>([])
    func waitFor(_ text: String, seconds: Int = 30) -> Bool {
        for _ in 0..<(seconds * 200) {
            if lines.withLock({ $0.contains { line in LogLines.contains(line, text) } }) { return true }
            usleep(5000)
        }
        return false
    }
    static func contains(_ line: String, _ text: String) -> Bool {
        line.withCString { line in text.withCString { strstr(line, $0) != nil } }
    }
}

/// A site with an actor of the test's own, through kn_boot alone.
final class BootedSite {
    let boot: UnsafePointer<KnBoot>
    let site: UnsafeMutableRawPointer
    let n: UnsafePointer<KnNucleus>
    let log = LogLines()

    /// `size`: of the arguments, as a caller of an older ABI knows them.
    init(number: UInt32 = 0, domain: (UInt64, UInt64) = (0, 0), size: Int = MemoryLayout<KnSiteArgs>.size) throws {
        boot = try #require(bootEntry())
        var args = KnSiteArgs()
        args.size = UInt32(size)
        (args.siteNumber, args.domain) = (number, domain)
        args.logCookie = Unmanaged.passUnretained(log).toOpaque()
        args.log = { cookie, _, line in
            guard let cookie, let line else { return }
            let text = String(cString: line)
            print("log: \(text)")
            Unmanaged<LogLines>.fromOpaque(cookie).takeUnretainedValue().lines.withLock { $0.append(text) }
        }
        var made: UnsafeMutableRawPointer?
        let code = boot.pointee.siteCreate(&args, &made)
        try #require(code == K_OK)
        site = try #require(made)
        n = try #require(boot.pointee.siteActor(site, "test"))
    }

    private let deleted = Mutex(false)

    /// Once; who is inside may still be on the way out.
    func delete() {
        let before = deleted.withLock { deleted in
            defer { deleted = true }
            return deleted
        }
        if !before { _ = boot.pointee.siteDelete(site) }
    }

    deinit { delete() }

    func load(
        _ privilege: Int32, object: String, options: String = "", stamp: UInt32 = K_STAMP_FILE, memory: UInt64 = 0
    ) -> (code: Int32, cap: KnCap, why: String) {
        var cap = KnCap()
        var why = [CChar](repeating: 0, count: 300)
        let code = object.withCString { object in
            options.withCString { options in
                "fixture".withCString { name in
                    var args = KnLoadArgs()
                    args.size = UInt32(MemoryLayout<KnLoadArgs>.size)
                    args.privilege = privilege
                    args.memoryLimit = memory
                    (args.name, args.object, args.options) = (name, object, options)
                    args.groupStamp = stamp
                    return boot.pointee.actorLoad(site, &args, &cap, &why, UInt32(why.count))
                }
            }
        }
        return (code, cap, why.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" })
    }

    /// Sends `body` to the group of the fixture: the result, and the reply.
    func call(_ body: [UInt8], annex: [UInt8]? = nil, capacity: Int = 4096, stamp: UInt32 = K_STAMP_FILE)
        -> (code: Int32, reply: [UInt8], annex: [UInt8])
    {
        var dest = KnIpcDest()
        let own = n.pointee.`self`
        _ = n.pointee.grpName(own, stamp, &dest.target)
        var reply = [UInt8](repeating: 0, count: capacity)
        var replyAnnex = [UInt8](repeating: 0, count: Int(K_CMSGANNEXSIZE))
        var size = UInt32(capacity)
        let code = n.pointee.ipcCall(
            own, K_DEFAULTPORT, &dest, K_FUNCMODE, annex, body, UInt32(body.count), &replyAnnex, &reply, &size, 0,
            K_NOTIMEOUT)
        return (code, code < 0 ? [] : Array(reply.prefix(Int(size))), replyAnnex)
    }

    /// messages, events, threads, privilege, pid
    func state() -> [UInt32] {
        let reply = call([UInt8(ascii: "p")]).reply
        return reply.withUnsafeBytes { Array($0.bindMemory(to: UInt32.self)) }
    }
}
