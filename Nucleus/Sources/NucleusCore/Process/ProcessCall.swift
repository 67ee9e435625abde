import CChorus
import Synchronization

/// A nucleus call that a UNIX process makes by trap (`knUser.h`): it acts as the process's own actor.
struct ProcessCall: @unchecked Sendable {
    // Sendable: constants.
    let thread: Thread
    let machine: any UnixMachine
    let op: UInt32
    let args: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

    var actor: Actor { thread.actor }
    var memory: ProcessMemory { ProcessMemory(thread: thread, machine: machine) }

    /// With the process's thread as the current one: a message it receives is its own.
    func perform() -> Int32 {
        let before = thread.bind()
        defer { thread.unbind(before) }
        do throws(KnError) { return try run() } catch { return error.rawValue }
    }

    /// nil when it has to wait first.
    func performNow() -> Int32? {
        switch op {
        case K_USR_IPCCALL: return nil
        case K_USR_THREADDELAY: return int(0) == 0 ? perform() : nil
        case K_USR_IPCRECEIVE:
            if int(2) == 0 { return perform() }
            var poll = args
            poll.2 = 0
            let now = ProcessCall(thread: thread, machine: machine, op: op, args: poll).perform()
            return now == K_ENOMSG ? nil : now
        default: return perform()
        }
    }

    func int(_ index: Int) -> Int32 { Int32(truncatingIfNeeded: word(index)) }
    func uint(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: word(index)) }
    func word(_ index: Int) -> UInt64 {
        withUnsafeBytes(of: args) { $0.load(fromByteOffset: index * 8, as: UInt64.self) }
    }

    private func run() throws(KnError) -> Int32 {
        switch op {
        case K_USR_ACTORSELF:
            try memory.write(actor.cap, to: word(0))
            return K_OK
        case K_USR_PORTCREATE...K_USR_PORTUI: return try portCall()
        case K_USR_GRPALLOCATE...K_USR_GRPNAME: return try groupCall()
        case K_USR_IPCSEND...K_USR_IPCSYSINFO: return try messageCall()
        case K_USR_THREADDELAY: return actor.threadDelay(int(0))
        default: throw .notProvided
        }
    }
}

extension Site {
    /// Whether a trap's number is the nucleus' own, and the manifest lets processes make such calls.
    @inline(__always) public func ownsTrap(_ number: UInt64) -> Bool {
        number &- UInt64(K_USER_TRAP) <= UInt64(K_USER_TRAP_LAST - K_USER_TRAP) && processIpc.load(ordering: .relaxed)
    }

    /// A process's call, as far as it goes without waiting. `interrupted`: a signal is due, so that nothing is waited for.
    public func processCall(_ thread: Thread, _ frame: KnTrapFrame, interrupted: Bool) -> ProcessOutcome {
        guard let unix, thread.enterCall() else { return .gone }
        let call = ProcessCall(
            thread: thread, machine: unix, op: UInt32(truncatingIfNeeded: frame.number &- UInt64(K_USER_TRAP)),
            args: frame.args)
        if let result = call.performNow() ?? (interrupted ? K_EABORT : nil) {
            thread.leaveCall()
            return .done(result)
        }
        if let wait = ProcessWait(call) { return .wait(wait) }
        thread.leaveCall()
        return .done(K_ENOMEM)
    }
}

public enum ProcessOutcome {
    case done(Int32)
    /// The trap is to be parked, then the wait started: it ends with `UnixMachine.callComplete`.
    case wait(ProcessWait)
    /// The thread was deleted meanwhile.
    case gone
}
