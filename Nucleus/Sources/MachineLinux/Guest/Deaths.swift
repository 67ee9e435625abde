import CMachine
import NucleusCore
import Synchronization

/// Tells the subsystem of host processes that died without order, on a thread of its own: the handler may wait for other
/// deaths, so it must not hold up the reaper. The thread is made before the first guest: a death is never lost for want
/// of one.
final class Deaths: @unchecked Sendable {
    // Sendable: the list is locked, the word only touched by atomic host calls.
    private let waiting = Mutex<[GuestProcess]>([])
    private let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private unowned let guests: LinuxGuests

    init(_ guests: LinuxGuests) {
        self.guests = guests
        word.initialize(to: 0)
    }

    /// False if the host gives no thread.
    func start() -> Bool {
        // The machine layer is never freed before its site ends.
        guests.site.host.startThread(name: "guest-death", stackSize: 512 * 1024) { [self, guests] in
            while !guests.stopped.load(ordering: .acquiring) {
                let seen = mb_load(word)
                while let process = next() { guests.report(death: process) }
                if mb_load(word) == seen { _ = guest_futex_wait(word, seen, -1) }
            }
        } >= 0
    }

    func tell(_ process: GuestProcess) {
        waiting.withLock { list in if !list.contains(where: { $0 === process }) { list.append(process) } }
        wake()
    }

    func wake() {
        guest_add(word)
        _ = guest_futex_wake(word, 1)
    }

    private func next() -> GuestProcess? { waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
}
