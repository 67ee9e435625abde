import CChorus
import Synchronization

/// A process's call that waits: its trap is parked, and a nucleus thread of its own waits in its place, so that waiting
/// processes never take a thread from those that serve traps.
public final class ProcessWait: WorkItem {
    private let call: ProcessCall

    /// nil if the process, or the site, has as many as it may have.
    init?(_ call: ProcessCall) {
        let (actor, site) = (call.actor, call.thread.site)
        guard actor.processWaits.take(most: Int(K_USR_WAITMAX)) else { return nil }
        guard site.processWaits.take(most: Site.mostProcessWaits) else {
            actor.processWaits.give()
            return nil
        }
        self.call = call
    }

    public func start() { call.thread.site.processWorkers.submit(self, call.thread.site.kernel) }

    func run(_ worker: Thread) {
        let result = call.perform()
        let thread = call.thread
        thread.site.processWaits.give()
        call.actor.processWaits.give()
        thread.leaveCall()
        call.machine.callComplete(thread, result)
    }
}

/// How many of something there are, up to a limit.
final class Quota: Sendable {
    private let count = Atomic<Int>(0)

    func take(_ amount: Int = 1, most: Int) -> Bool {
        if count.wrappingAdd(amount, ordering: .relaxed).newValue <= most { return true }
        give(amount)
        return false
    }

    func give(_ amount: Int = 1) { count.wrappingSubtract(amount, ordering: .relaxed) }
    var now: Int { count.load(ordering: .relaxed) }
}

extension Site {
    static var mostProcessWaits: Int { 512 }
}

/// Who a UNIX thread's message fields belong to: itself, unless a call of its is under way.
enum CallState {
    static var idle: UInt32 { 0 }
    static var inside: UInt32 { 1 }
    static var over: UInt32 { 2 }
}

extension Thread {
    /// False if the thread has been deleted.
    func enterCall() -> Bool {
        callState.compareExchange(
            expected: CallState.idle, desired: CallState.inside, ordering: .acquiringAndReleasing
        ).exchanged
    }

    /// Deleted meanwhile: what it received last goes unanswered.
    func leaveCall() {
        let idle = callState.compareExchange(
            expected: CallState.inside, desired: CallState.idle, ordering: .acquiringAndReleasing)
        if !idle.exchanged { dropMessage() }
    }

    /// No call is entered any more; false if one is under way, which cleans up when it leaves.
    func endCalls() -> Bool {
        callState.exchange(CallState.over, ordering: .acquiringAndReleasing) != CallState.inside
    }

    /// A UNIX thread is wanted by its subsystem: the call it waits in, or is about to wait in, ends with K_EABORT.
    public func abortCall() { abort() }
    /// Before a new call: an abort that came too late for the one before.
    public func forgetAbort() { _ = takeAborted() }
}
