import CMachine
import Glibc
import NucleusCore
import Synchronization

/// The clones that are under way: from before the stub makes one until it is registered. What is older than all of them
/// and still unknown was made by nobody here.
struct ClonesUnderWay: ~Copyable {
    private let begun = Mutex<[UInt64]>([])

    func begin() -> UInt64 {
        let ticks = guest_boot_ticks()
        begun.withLock { $0.append(ticks) }
        return ticks
    }
    func end(_ ticks: UInt64) {
        begun.withLock { list in if let at = list.firstIndex(of: ticks) { list.remove(at: at) } }
    }
    var oldest: UInt64? { begun.withLock { $0.min() } }
}

/// Finds and kills host processes that a hostile guest made by jumping to its stub's clone: children of the zygote's parent
/// thread that nobody registered.
///
/// It looks at most once a second while guest threads run or are deleted, and sleeps while none runs. When it has found
/// something it looks again at once, since what it found may have made more.
final class Sweeper: @unchecked Sendable {
    // Sendable: the words are atomic or only touched by atomic host calls.
    private unowned let guests: LinuxGuests
    /// Counts wake-ups.
    private let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private let asleep = Atomic<Bool>(false)
    /// Threads whose children all guests are: one for each zygote there was.
    let parents = Mutex<[Int32]>([])
    let killed = Atomic<Int>(0)

    init(_ guests: LinuxGuests) {
        self.guests = guests
        word.initialize(to: 0)
    }

    func start() {
        _ = guests.site.host.startThread(name: "guest-sweep", stackSize: 256 * 1024) { [self, guests] in
            while !guests.stopped.load(ordering: .acquiring) {
                let seen = mb_load(word)
                let running = guests.areas.anyRuns
                var again = 0
                while sweep(), again < 1000 {
                    again += 1
                    usleep(1000)
                }
                if running {
                    usleep(1_000_000)
                    continue
                }
                asleep.store(true, ordering: .sequentiallyConsistent)
                mb_fence()
                // Who set a thread running before that did not see it.
                if !guests.areas.anyRuns, mb_load(word) == seen { _ = guest_futex_wait(word, seen, -1) }
                asleep.store(false, ordering: .sequentiallyConsistent)
            }
        }
    }

    /// A guest thread was set running. Behind a fence.
    @inline(__always) func guestRuns() { if asleep.load(ordering: .relaxed) { wake() } }

    func wake() {
        guard asleep.exchange(false, ordering: .sequentiallyConsistent) || guests.stopped.load(ordering: .relaxed)
        else {
            return
        }
        guest_add(word)
        _ = guest_futex_wake(word, 1)
    }

    /// One look; true if something was killed.
    @discardableResult func sweep() -> Bool {
        var found = false
        for parent in parents.withLock({ $0 }) {
            // Listed before the clones under way are asked for: what is made later is not in the list.
            let children = withUnsafeTemporaryAllocation(of: Int32.self, capacity: 16_384) { room -> [Int32] in
                let count = guest_children(parent, room.baseAddress, Int32(room.count))
                return count > 0 ? Array(room[0..<Int(count)]) : []
            }
            let unknown = Reaper.shared.unknown(children)
            guard !unknown.isEmpty else { continue }
            let oldest = guests.clones.oldest
            for pid in unknown {
                if let oldest, guest_start_ticks(pid) >= oldest { continue }
                guard Reaper.shared.killUnknown(pid) else { continue }
                found = true
                killed.wrappingAdd(1, ordering: .relaxed)
                guests.site.report(1, "host process \(pid) was made by a hostile guest: killed")
            }
        }
        return found
    }
}
