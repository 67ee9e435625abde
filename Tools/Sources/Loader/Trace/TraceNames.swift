import CChorus
import CMiXProcess

/// Who is who among the names in events: what the site says now, and what the events tell of those that are gone.
struct TraceNames {
    struct Someone {
        var name = ""
        var isUnix = false
        var pid: Int32?
    }
    var actors: [UInt64: Someone] = [:]
    /// Actors of threads, ports and events.
    var threads: [KnThreadLid: UInt64] = [:]
    var ports: [UInt64: UInt64] = [:]
    var groups: [UInt64: String] = [:]

    mutating func learn(_ events: [KnTraceEvent]) {
        for event in events {
            let value = event.value
            switch event.kind {
            case K_TR_ACTOR, K_TR_ACTOR_END, K_TR_ACTOR_NAME:
                if actors[value.0]?.name.isEmpty ?? true { actors[value.0, default: Someone()].name = Self.text(event) }
                if event.kind == K_TR_ACTOR {
                    actors[value.0]?.isUnix = Int32(truncatingIfNeeded: value.1) == K_UNIXACTOR
                }
            case K_TR_TRAP, K_TR_TRAP_END, K_TR_FAULT, K_TR_THREAD:
                threads[event.thread] = value.3
                if event.kind != K_TR_THREAD { actors[value.3, default: Someone()].isUnix = true }
            case MIX_TR_PROCESS:
                if actors[value.1]?.pid == nil {
                    actors[value.1, default: Someone()].pid = Int32(truncatingIfNeeded: value.0)
                }
                actors[value.1]?.isUnix = true
            default: break
            }
        }
    }

    /// The name that an event of an actor's life carries.
    static func text(_ event: KnTraceEvent) -> String { fieldText((event.value.2, event.value.3)) }

    /// `pid 7 sh` or a server's name.
    func actor(_ ui: UInt64) -> String {
        guard let someone = actors[ui] else { return uiText(ui) }
        guard someone.isUnix else { return someone.name.isEmpty ? uiText(ui) : someone.name }
        return ("pid \(someone.pid.map(String.init) ?? "?") " + someone.name).trimmed
    }

    func thread(_ li: KnThreadLid) -> String { threads[li].map(actor) ?? "thread \(li)" }

    /// Who sends from a port, or what is addressed by a name.
    func place(_ ui: UInt64) -> String { groups[ui] ?? ports[ui].map(actor) ?? actor(ui) }
}

func traceName(_ ui: KnUniqueId) -> UInt64 { UInt64(ui.uiHead) << 32 | UInt64(ui.uiTail) }

func uiText(_ ui: UInt64) -> String {
    uiText(KnUniqueId(uiHead: UInt32(ui >> 32), uiTail: UInt32(truncatingIfNeeded: ui)))
}

extension String {
    fileprivate var trimmed: String { hasSuffix(" ") ? String(dropLast()) : self }
}
