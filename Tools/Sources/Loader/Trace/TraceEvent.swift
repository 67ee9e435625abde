import CChorus
import CMiXProcess
import CToolHost
import Glibc

/// What an event says, apart from how it is written.
struct TraceEvent {
    enum Kind: String { case trap, message, handler, fault, life, mark }
    var kind: Kind
    /// Whose doing it is: an actor's UI, 0 unknown.
    var actor: UInt64
    var title: String
    /// Behind the title, with what led to it: ` = 12`, ` 4096 B`.
    var outcome = ""

    init(_ event: KnTraceEvent, _ names: TraceNames) {
        let value = event.value
        switch event.kind {
        case K_TR_TRAP, K_TR_TRAP_END:
            let name = SystemCallNames.name(value.0)
            (kind, actor) = (.trap, value.3)
            let argument = argumentText(value.2)
            title =
                switch SystemCallNames.arguments(name) {
                case 0: "\(name)()"
                case 1: "\(name)(\(argument))"
                default: "\(name)(\(argument), …)"
                }
            outcome = event.kind == K_TR_TRAP ? " = " + resultText(Int64(bitPattern: value.1)) : " = ?"
        case K_TR_CALL, K_TR_SEND:
            (kind, actor) = (.message, names.ports[value.0] ?? 0)
            let arrow = event.kind == K_TR_CALL ? "→" : "⇢"
            title =
                "\(names.place(value.0)) \(arrow) \(names.place(value.1)) "
                + OperationNames.name(UInt32(truncatingIfNeeded: value.2))
            outcome = bytesText(value.2 >> 32, value.3 >> 32) + codeText(value.3)
        case K_TR_DROPPED:
            (kind, actor) = (.message, 0)
            title = "no receiver: \(names.place(value.0))"
            outcome = codeText(value.1)
        case K_TR_HANDLER:
            (kind, actor) = (.handler, names.actors[value.1] == nil ? names.ports[value.1] ?? 0 : value.1)
            switch UInt32(truncatingIfNeeded: value.0) {
            case K_HDL_MESSAGE:
                title = "\(names.place(value.1)) takes " + OperationNames.name(UInt32(truncatingIfNeeded: value.2))
                outcome = bytesText(value.2 >> 32, 0)
            case K_HDL_EVENT: title = "event \(uiText(value.1)) bits \(hex(value.2))"
            case K_HDL_ABORT: title = "abort of \(names.actor(value.1))"
            case K_HDL_TRAP:
                title = "trap \(value.2 >> 32) number \(value.2 & 0xffff_ffff) of \(names.actor(value.1))"
            case K_HDL_INTERRUPT:
                title = "interrupt line \(value.1)"
                outcome = Int32(truncatingIfNeeded: value.3) == K_INTR_CLAIMED ? "claimed" : "unclaimed"
            default: title = "handler \(value.0)"
            }
            if UInt32(truncatingIfNeeded: value.0) != K_HDL_INTERRUPT { outcome += codeText(value.3) }
        case K_TR_FAULT:
            (kind, actor) = (.fault, value.3)
            title = "fault \(signalText(Int32(truncatingIfNeeded: value.1))) at \(hex(value.0)), rip \(hex(value.2))"
        case K_TR_DEATH:
            (kind, actor) = (.fault, value.3)
            title = "host process ended, wait status \(hex(value.0))"
        case K_TR_ACTOR, K_TR_ACTOR_END, K_TR_ACTOR_NAME:
            (kind, actor) = (.life, value.0)
            let name = TraceNames.text(event)
            title =
                switch event.kind {
                case K_TR_ACTOR: "actor created: \(name)"
                case K_TR_ACTOR_END: "actor deleted: \(name)"
                default: "actor named: \(name)"
                }
        case K_TR_THREAD, K_TR_THREAD_END:
            (kind, actor) = (.life, value.3)
            title = "thread \(event.thread) " + (event.kind == K_TR_THREAD ? "created" : "deleted")
        case MIX_TR_PROCESS:
            (kind, actor) = (.life, value.1)
            title = "is process \(value.0)"
        default:
            (kind, actor) = (.mark, names.threads[event.thread] ?? 0)
            title = "mark \(hex(UInt64(event.kind))) \(hex(value.0)) \(hex(value.1))"
        }
    }
}

/// Small numbers as they are, AT_FDCWD and its like too, addresses in hexadecimal.
private func argumentText(_ value: UInt64) -> String {
    let signed = Int64(bitPattern: value)
    if signed >= -4096 && signed < 1 << 16 { return "\(signed)" }
    if value >> 32 == 0, Int32(truncatingIfNeeded: value) < 0, Int32(truncatingIfNeeded: value) >= -4096 {
        return "\(Int32(truncatingIfNeeded: value))"
    }
    return hex(value)
}

private func resultText(_ value: Int64) -> String {
    if value < 0 && value >= -4095 {
        let name = strerrorname_np(Int32(-value)).map { String(cString: $0) }
        return "-\(-value)" + (name.map { " \($0)" } ?? "")
    }
    return value >= 1 << 32 || value < 0 ? hex(UInt64(bitPattern: value)) : "\(value)"
}

private func bytesText(_ request: UInt64, _ reply: UInt64) -> String {
    switch (request, reply) {
    case (_, 0): " \(request) B"
    case (0, _): " \(reply) B"
    default: " \(request)+\(reply) B"
    }
}

/// A transport error; results of servers travel inside the answer.
private func codeText(_ value: UInt64) -> String {
    let code = Int32(truncatingIfNeeded: value)
    if code >= 0 { return "" }
    return " = " + (nucleusCode(code).split(separator: " ").first.map(String.init) ?? "\(code)")
}

private func signalText(_ number: Int32) -> String {
    sigabbrev_np(number).map { "SIG" + String(cString: $0) } ?? "signal \(number)"
}

func durationText(_ nanoseconds: UInt64) -> String {
    switch nanoseconds {
    case ..<10_000: "\(tenths(nanoseconds, 1000)) us"
    case ..<10_000_000: "\(nanoseconds / 1000) us"
    case ..<10_000_000_000: "\(nanoseconds / 1_000_000) ms"
    default: "\(nanoseconds / 1_000_000_000) s"
    }
}

private func tenths(_ number: UInt64, _ unit: UInt64) -> String {
    let tenths = (number * 10 + unit / 2) / unit
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
}
