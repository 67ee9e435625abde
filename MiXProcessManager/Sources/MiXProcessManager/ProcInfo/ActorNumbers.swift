import CChorus
import CMiXDevice
import CMiXFile
import Synchronization

/// What the nucleus counts for an actor's host process.
struct ActorNumbers {
    var user: UInt64
    var system: UInt64
    var resident: UInt64
}

/// Numbers that `ps` would ask for once for every process, kept for a moment.
struct NumberCache {
    var actors: [UInt64: ActorNumbers] = [:]
    var actorsTaken: UInt64 = 0
    var terminals: [Int32: (device: UInt64, foreground: Int32)?] = [:]
    var terminalsTaken: UInt64 = 0

    static let lifetime: UInt64 = 50_000_000
}

extension FileState {
    func actorNumbers(_ manager: ProcessManager, _ actor: KnUniqueId) -> ActorNumbers? {
        let name = UInt64(actor.uiHead) << 32 | UInt64(actor.uiTail)
        let now = manager.clock.monotonic()
        let kept: ActorNumbers? = numberCache.withLock { cache in
            now - cache.actorsTaken < NumberCache.lifetime ? cache.actors[name] : nil
        }
        if let kept { return kept }
        let fresh = Self.allActors(manager)
        numberCache.withLock {
            $0.actors = fresh
            $0.actorsTaken = now
        }
        return fresh[name]
    }

    private static func allActors(_ manager: ProcessManager) -> [UInt64: ActorNumbers] {
        var room = 256
        while true {
            var count = UInt32(room)
            var code: Int32 = 0
            let stats = [KnActorStat](unsafeUninitializedCapacity: room) { buffer, initialized in
                buffer.initialize(repeating: KnActorStat())
                code = manager.nucleus.actorStat(&count, buffer.baseAddress)
                initialized = room
            }
            if code < 0 { return [:] }
            if Int(count) >= room && room < 65536 {
                room *= 4
                continue
            }
            var found: [UInt64: ActorNumbers] = [:]
            for stat in stats.prefix(Int(count)) {
                found[UInt64(stat.cap.ui.uiHead) << 32 | UInt64(stat.cap.ui.uiTail)] = ActorNumbers(
                    user: stat.userNanoseconds, system: stat.systemNanoseconds, resident: stat.residentBytes)
            }
            return found
        }
    }

    /// Device number and foreground group of a session's terminal.
    func controllingTerminal(
        _ manager: ProcessManager, session: Int32
    ) -> (device: UInt64, foreground: Int32)? {
        let now = manager.clock.monotonic()
        let kept = numberCache.withLock { cache in
            if now - cache.terminalsTaken >= NumberCache.lifetime {
                cache.terminals = [:]
                cache.terminalsTaken = now
            }
            return cache.terminals[session]
        }
        if let kept { return kept }
        let found = Self.askTerminal(manager, session)
        numberCache.withLock { $0.terminals[session] = .some(found) }
        return found
    }

    private static func askTerminal(_ manager: ProcessManager, _ session: Int32) -> (device: UInt64, foreground: Int32)?
    {
        var request = MixObjRequest()
        request.op = TTY_CONTROLLING
        request.cred.sid = session
        guard let (reply, _) = try? manager.objectCall(manager.deviceServer, request) else { return nil }
        request = MixObjRequest()
        request.op = OBJ_STAT
        request.key = MixKey(object: reply.value.0, tag: reply.value.1)
        request.cred.sid = session
        var stat = MixStat()
        let known = withUnsafeMutableBytes(of: &stat) {
            (try? manager.objectCall(manager.deviceServer, request, reply: $0)) != nil
        }
        let device = known ? stat.rdev : UInt64(reply.devMajor) << 32 | UInt64(reply.devMinor)
        request.op = OBJ_IOCTL
        request.arg.0 = 0x540f  // TIOCGPGRP
        request.size = 4
        let answer = try? manager.objectCall(manager.deviceServer, request, body: [], room: 4).1
        var foreground: Int32 = -1
        if let answer, answer.count == 4 {
            foreground = answer.withUnsafeBytes { $0.loadUnaligned(as: Int32.self) }
        }
        return (device, foreground)
    }
}
