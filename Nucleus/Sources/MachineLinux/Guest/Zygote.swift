import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// The first guest host process, from which all blank ones are cloned, and a few made in advance.
final class Zygote: @unchecked Sendable {
    // Sendable: `first` is commanded under its dialogue lock; the pool is locked.
    let first: GuestThread
    private let keeper: Thread
    let vdso: (start: UInt64, end: UInt64)
    private let spare = Mutex<[Blank]>([])
    /// Counts the blanks taken.
    private let taken = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

    /// A host process with one thread, empty but for the stub.
    struct Blank {
        let process: GuestProcess
        let slot: Int32
        let tid: Int32
    }

    /// Starts the zygote program; nil (and a log line) if the host refuses. No other zygote lives.
    init?(_ guests: LinuxGuests) {
        var pair: (Int32, Int32) = (-1, -1)
        let made = withUnsafeMutablePointer(to: &pair) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) { guest_socketpair($0) }
        }
        guard made == 0 else {
            guests.site.report(0, "zygote: no socket")
            return nil
        }
        let process = GuestProcess(socket: pair.0)
        guard let descriptor = guests.areas.allocateFirst() else {
            closeDescriptor(pair.1)
            guests.site.report(0, "zygote: no mailbox")
            return nil
        }
        let area = guests.areas.area(0)
        area.pointee.nucleus.spinGuest = guests.policy.guestSpin
        area.pointee.nucleus.yieldGuest = guests.policy.guestYield
        // Until it is registered it is no stranger.
        let started = guests.clones.begin()
        defer { guests.clones.end(started) }
        let result = Self.spawn(guests, descriptor, pair.1)
        closeDescriptor(descriptor)
        closeDescriptor(pair.1)
        guard result > 0 else {
            guests.site.report(0, "zygote: cannot start \(guests.zygotePath): errno \(-result)")
            return nil
        }
        process.pid.store(result, ordering: .releasing)
        keeper = Thread.current(guests.site) ?? guests.site.threads.create(guests.site.kernel, name: "zygote")
        first = GuestThread(keeper, guests, process, slot: 0)
        nonisolated(unsafe) let taken = self.taken  // only touched by atomic host calls; never freed
        taken.initialize(to: 0)
        Reaper.shared.register(result) { _, status in
            process.ended(status)
            guest_add(taken)
            _ = guest_futex_wake(taken, Int32.max)
            guard !process.expected.load(ordering: .acquiring) else { return }
            guests.site.report(0, "zygote: ended with wait status \(status)")
        }
        let post = withUnsafeMutablePointer(to: &area.pointee.guest.post) { $0 }
        while mb_load(post) != 1 {
            if process.dead.load(ordering: .acquiring) { return nil }
            _ = guest_futex_wait(post, 0, 2_000_000)
        }
        guests.areas.taken[0].store(1, ordering: .relaxed)
        // What it says of itself: it is ours, and nobody else has run in it yet.
        guests.gate = area.pointee.nucleus.gate
        vdso = (area.pointee.nucleus.vdsoStart, area.pointee.nucleus.vdsoEnd)
    }

    /// Its number, or -errno. The parent of a guest must be a host thread that never ends (PDEATHSIG): this one waits for
    /// ever.
    private static func spawn(_ guests: LinuxGuests, _ area: Int32, _ socket: Int32) -> Int32 {
        let pid = Atomic32()
        let code = guests.site.host.startThread(name: "zygote-parent", stackSize: 64 * 1024) { [guests] in
            let made = guest_spawn_zygote(
                guests.zygotePath, guests.controlDescriptor, area, socket, guests.event)
            if made > 0 { guests.sweeper.parents.withLock { $0.append(guest_tid()) } }
            pid.set(made)
            while made > 0 { pause() }
        }
        return code < 0 ? -EAGAIN : pid.wait()
    }

    var isDead: Bool { first.process.dead.load(ordering: .acquiring) }

    /// Takes a blank host process, a spare one if there is one.
    func take(_ guests: LinuxGuests) -> Blank? {
        var blank = spare.withLock { $0.popLast() }
        // Somebody may have killed a spare.
        while let dead = blank, dead.process.dead.load(ordering: .acquiring) {
            guests.discard(dead)
            blank = spare.withLock { $0.popLast() }
        }
        guest_add(taken)
        _ = guest_futex_wake(taken, 1)
        return blank ?? make(guests)
    }

    /// Keeps two spares ready, on a thread of its own: exec takes one without waiting for a clone.
    func keepSpares(_ guests: LinuxGuests) {
        _ = guests.site.host.startThread(name: "zygote-spares", stackSize: 256 * 1024) { [self] in
            while !isDead {
                let seen = mb_load(taken)
                while spare.withLock({ $0.count < 2 }), let blank = make(guests) { spare.withLock { $0.append(blank) } }
                if !isDead { _ = guest_futex_wait(taken, seen, -1) }
            }
            dropSpares(guests)
        }
    }

    /// Kills the zygote; its spares follow.
    func end(_ guests: LinuxGuests) {
        first.process.kill()
        dropSpares(guests)
    }

    /// The zygote is dead, and another one takes its slot: nobody commands it any more.
    func retire(_ guests: LinuxGuests) {
        first.dialogue.withLock { _ in
            first.status.store(GuestThread.Status.dead.rawValue, ordering: .sequentiallyConsistent)
        }
        dropSpares(guests)
    }

    private func dropSpares(_ guests: LinuxGuests) {
        let list = spare.withLock { list in
            defer { list = [] }
            return list
        }
        for blank in list { guests.discard(blank) }
    }

    private func make(_ guests: LinuxGuests) -> Blank? {
        let flags = UInt64(HOST_CLONE_PARENT) | UInt64(SIGCHLD)
        switch guests.cloneHost(from: first, flags: flags, frame: 0, newProcess: true) {
        case .success(let made):
            return made.process.map { Blank(process: $0, slot: made.slot, tid: made.tid) }
        case .failure: return nil
        }
    }
}

/// A number that one thread sets and another waits for.
final class Atomic32: @unchecked Sendable {
    // Sendable: the word is only touched atomically.
    private let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 2)
    init() { word.initialize(repeating: 0, count: 2) }
    deinit { word.deallocate() }
    func set(_ value: Int32) {
        word[1] = UInt32(bitPattern: value)
        mb_store(word, 1)
        _ = guest_futex_wake(word, 1)
    }
    func wait() -> Int32 {
        while mb_load(word) == 0 { _ = guest_futex_wait(word, 0, -1) }
        return Int32(bitPattern: word[1])
    }
}
