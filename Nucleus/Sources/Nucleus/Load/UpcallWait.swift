import CChorus
import CLane
import KnLane
import NucleusCore

/// A client's wait for the answer of a user actor's handler: what ends it early. One a lane.
///
/// An aborted client gives the handler the time to notice, at its next abortable wait, and to answer; then it leaves.
final class UpcallWait: LaneWaiting, OutsideBell, @unchecked Sendable {
    // Sendable: the fields belong to the thread that has the lane; `ring` touches none of them.
    /// What an aborted handler may take.
    private static let grace: UInt64 = 100_000_000
    private unowned let lane: Lane
    private var thread: Thread?
    private var bound: HandlerBound?
    private var aborts: UInt32 = 0
    /// When an aborted client leaves.
    private var leaving = UInt64.max

    init(_ lane: Lane) { self.lane = lane }

    func ring() { lane.ring() }

    /// `thread` is about to call the handler that it is in.
    func begin(_ thread: Thread) {
        self.thread = thread
        bound = thread.handlerBound
        aborts = thread.aborts
        leaving = .max
    }

    /// The client leaves with `code`. Whether the handler, if it is still at work, has to be told that it is aborted; one
    /// whose client's time is over is left alone.
    func end(_ thread: Thread, _ code: Int64) -> Bool {
        defer {
            self.thread = nil
            bound = nil
            leaving = .max
        }
        guard lane.isLeft else { return false }
        let pending = leaving != .max && thread.takeAborted()
        return pending || code == Int64(K_EDEADACTOR) || thread.isEvicted
    }

    var deadline: UInt64 { min(bound?.limit ?? .max, leaving) }

    func begin(_ lane: Lane) -> Int32? {
        guard let thread, let bound else { return nil }
        let now = kn_lane_now()
        if now >= deadline { return K_EABORT }
        let abortable = bound.isAbortable && leaving == .max
        // The abort was for a call of the handler's.
        if abortable, thread.aborts != aborts { leaving = now + UpcallWait.grace }
        guard let code = thread.beginOutside(self, bound, abortable: abortable && leaving == .max) else { return nil }
        guard isAbort(code, thread) else { return code }
        wait(thread, now)
        return thread.beginOutside(self, bound, abortable: false)
    }

    func end(arrived: Bool) -> Int32? {
        guard let thread else { return nil }
        guard let code = thread.endOutside() else { return !arrived && kn_lane_now() >= deadline ? K_EABORT : nil }
        if isAbort(code, thread) {
            wait(thread, kn_lane_now())
            return nil
        }
        return arrived ? nil : code
    }

    private func isAbort(_ code: Int32, _ thread: Thread) -> Bool {
        code == K_EABORT && leaving == .max && !thread.isEvicted
    }

    private func wait(_ thread: Thread, _ now: UInt64) {
        thread.putBackAbort()
        leaving = now + UpcallWait.grace
    }
}

/// A lane of a user actor.
struct UpcallLane {
    let lane: Lane
    let wait: UpcallWait
}

/// A handler whose client has left keeps its lane until it is back.
final class LeftUpcall: LeftHandler {
    private let host: UserActor
    private let lane: UpcallLane

    init(_ host: UserActor, _ lane: UpcallLane) { (self.host, self.lane) = (host, lane) }

    func finish() {
        lane.lane.finish(host)
        host.pool?.give(lane)
    }
}
