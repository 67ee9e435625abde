import CChorus
import CMiXProcess

/// Events in the trace-event format that Perfetto and chrome://tracing read: one object a line, microseconds.
struct TraceJson {
    let names: TraceNames

    /// The names of those who occur in `events`, then the events.
    func lines(_ events: [KnTraceEvent]) -> [String] {
        var lines: [String] = []
        var known: Set<Int64> = []
        for event in events {
            let told = TraceEvent(event, names)
            let place = number(told.actor)
            if known.insert(place).inserted {
                let name = told.actor == 0 ? "nucleus" : names.actor(told.actor)
                lines.append(
                    "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":\(place),\"tid\":0,"
                        + "\"args\":{\"name\":\(quoted(name))}}")
            }
            lines.append(line(event, told, place))
        }
        return lines
    }

    private func line(_ event: KnTraceEvent, _ told: TraceEvent, _ place: Int64) -> String {
        let value = event.value
        let span =
            event.duration > 0 ? "\"ph\":\"X\",\"dur\":\(microseconds(event.duration))" : "\"ph\":\"i\",\"s\":\"t\""
        return "{\"name\":\(quoted(told.title)),\"cat\":\"\(told.kind.rawValue)\",\(span),"
            + "\"ts\":\(microseconds(event.time)),\"pid\":\(place),\"tid\":\(event.thread),"
            + "\"args\":{\"sequence\":\(event.sequence),\"kind\":\(event.kind),\"what\":\(quoted(told.title + told.outcome)),"
            + "\"values\":[\(quoted(hex(value.0))),\(quoted(hex(value.1))),\(quoted(hex(value.2))),"
            + "\(quoted(hex(value.3)))]}}"
    }

    /// A process by its number, a server by one that no process has.
    private func number(_ actor: UInt64) -> Int64 {
        if let pid = names.actors[actor]?.pid { return Int64(pid) }
        return actor == 0 ? 0 : 1 << 32 | Int64(actor & 0xffff_ffff)
    }
}

func microseconds(_ nanoseconds: UInt64) -> String {
    let digits = String(nanoseconds % 1000)
    return "\(nanoseconds / 1000)." + String(repeating: "0", count: 3 - digits.count) + digits
}

func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": quoted += "\\\(scalar)"
        case _ where scalar.value < 0x20 || scalar.value == 0x7f:
            let digits = String(scalar.value, radix: 16)
            quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: quoted.unicodeScalars.append(scalar)
        }
    }
    return quoted + "\""
}
