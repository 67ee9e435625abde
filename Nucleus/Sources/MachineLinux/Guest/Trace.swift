import CChorus
import CMachine
import Glibc
import NucleusCore

/// A trap that is over, kept for the black box: once its guest goes on, its words are those of the next one.
struct PastTrap {
    let number: UInt64
    let result: Int64
    let argument: UInt64
    let thread: KnThreadLid
    let actor: KnUniqueId
    let began: UInt64

    /// nil for what is no trap: a fault, a kick, a new thread's first step.
    @inline(__always) init?(_ guest: GuestThread, _ result: Int64, whole: Bool) {
        began = guest.thread.trapBegan.load(ordering: .relaxed)
        guard Int(guest.request.kind) == KIND_TRAP, began != 0 else { return nil }
        number = guest.request.number
        argument = guest.request.args.0
        if whole {
            self.result = guest.replaced.map { Int64(bitPattern: $0.rax) } ?? 0
        } else {
            self.result = guest.deferredFault ? Int64(-EFAULT) : result
        }
        thread = guest.thread.li
        actor = guest.thread.actor.cap.ui
    }

    /// `end`: its thread will never return from it.
    @inline(__always) func trace(_ ring: TraceRing, end: Bool = false) {
        ring.add(
            end ? K_TR_TRAP_END : K_TR_TRAP, number, UInt64(bitPattern: result), argument, traceName(actor),
            thread: thread, since: began)
    }
}

extension LinuxGuests {
    func traceFault(_ thread: Thread, _ request: mb_guest, since began: UInt64) {
        site.trace.add(
            K_TR_FAULT, request.address,
            UInt64(UInt32(bitPattern: request.code)) << 32 | UInt64(UInt32(bitPattern: request.signo)), request.rip,
            traceName(thread.actor.cap.ui), thread: thread.li, since: began)
    }

    func traceAbort(_ thread: Thread, _ outcome: Int32, since began: UInt64) {
        site.trace.add(
            K_TR_HANDLER, UInt64(K_HDL_ABORT), traceName(thread.actor.cap.ui), 0,
            UInt64(UInt32(bitPattern: outcome)), thread: thread.li, since: began)
    }

    func traceDeath(_ actor: Actor, _ thread: KnThreadLid, _ status: Int32) {
        site.trace.add(
            K_TR_DEATH, UInt64(UInt32(bitPattern: status)), 0, 0, traceName(actor.cap.ui), thread: thread)
    }

    public func threadStanding(_ thread: Thread) -> Int32 {
        let guest = guest(thread)
        return switch guest?.standing {
        case .parked: guest?.holding.load(ordering: .relaxed) == true ? K_TH_STOPPED : K_TH_PARKED
        case .trapped, .leaving: K_TH_BLOCKED
        default: K_TH_RUNNING
        }
    }

    public func threadPeer(_ thread: Thread) -> (any HostPeer)? { guest(thread) }
    public func trapServed() -> Thread? { TrapPool.serving()?.thread }
    public func trapServers() -> [(server: KnThreadLid, client: KnThreadLid)] { pool.serving() }
}

@inline(__always) func traceName(_ ui: KnUniqueId) -> UInt64 { UInt64(ui.uiHead) << 32 | UInt64(ui.uiTail) }
