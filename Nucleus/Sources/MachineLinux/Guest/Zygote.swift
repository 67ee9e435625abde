import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// The first guest host process, from which all blank ones are cloned, and a few made in advance.
final class Zygote: @unchecked Sendable {
    // Sendable: `first` is commanded under its dialogue lock; the pool is locked.
    let first: GuestThread
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

    /// Starts the zygote program; nil (and a log line) if the host refuses.
    init?(_ guests: LinuxGuests) {
        var pair: (Int32, Int32) = (-1, -1)
        let made = withUnsafeMutablePointer(to: &pair) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) { guest_socketpair($0) }
        }
        guard made == 0, let (slot, descriptor) = guests.areas.allocate(), slot == 0 else {
            guests.site.report(0, "zygote: no mailbox or socket")
            return nil
        }
        let area = guests.areas.area(slot)
        area.pointee.nucleus.spinGuest = guests.policy.guestSpin
        area.pointee.nucleus.yieldGuest = guests.policy.guestYield
        let process = GuestProcess(socket: pair.0)
        // The parent of a guest must be a host thread that never ends (PDEATHSIG): this one waits for ever.
        let pid = Atomic32()
        let path = guests.zygotePath
        let (control, event, socket) = (guests.controlDescriptor, guests.event, pair.1)
        _ = guests.site.host.startThread(name: "zygote-parent", stackSize: 64 * 1024) {
            pid.set(guest_spawn_zygote(path, control, descriptor, socket, event))
            while true { pause() }
        }
        let result = pid.wait()
        closeDescriptor(descriptor)
        closeDescriptor(pair.1)
        guard result > 0 else {
            guests.site.report(0, "zygote: cannot start \(guests.zygotePath): errno \(-result)")
            return nil
        }
        process.pid.store(result, ordering: .releasing)
        let keeper = Thread.current(guests.site) ?? guests.site.threads.create(guests.site.kernel, name: "zygote")
        first = GuestThread(keeper, guests, process, slot: slot)
        taken.initialize(to: 0)
        Reaper.shared.register(result) { _, status in
            process.dead.store(true, ordering: .releasing)
            guard !process.expected.load(ordering: .acquiring) else { return }
            guests.site.report(0, "zygote: ended with wait status \(status)")
        }
        let post = withUnsafeMutablePointer(to: &area.pointee.guest.post) { $0 }
        while mb_load(post) != 1 {
            if process.dead.load(ordering: .acquiring) { return nil }
            _ = guest_futex_wait(post, 0, 2_000_000)
        }
        guests.areas.taken[0].store(1, ordering: .relaxed)
        vdso = (area.pointee.nucleus.vdsoStart, area.pointee.nucleus.vdsoEnd)
    }

    /// Takes a blank host process, a spare one if there is one.
    func take(_ guests: LinuxGuests) -> Blank? {
        let blank = spare.withLock { $0.popLast() }
        mb_store(taken, mb_load(taken) &+ 1)
        _ = guest_futex_wake(taken, 1)
        return blank ?? make(guests)
    }

    /// Keeps two spares ready, on a thread of its own: exec takes one without waiting for a clone.
    func keepSpares(_ guests: LinuxGuests) {
        _ = guests.site.host.startThread(name: "zygote-spares", stackSize: 256 * 1024) { [self] in
            while !first.process.dead.load(ordering: .acquiring) {
                let seen = mb_load(taken)
                while spare.withLock({ $0.count < 2 }), let blank = make(guests) { spare.withLock { $0.append(blank) } }
                _ = guest_futex_wait(taken, seen, -1)
            }
        }
    }

    /// Kills the zygote and the spares.
    func end() {
        first.process.kill()
        for blank in spare.withLock({ $0 }) { blank.process.kill() }
        mb_store(taken, mb_load(taken) &+ 1)
        _ = guest_futex_wake(taken, 1)
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
