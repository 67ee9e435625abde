import CMiXDriver
import CMiXFile

/// What happens on the bus of a running site.
extension Site {
    /// First line: the number of the event behind the last one, and how many were overwritten unread. Then one a line. nil: those
    /// from now on.
    func busTrace(json: Bool, from: UInt64?) throws(LoadError) -> String {
        var request = MixObjRequest()
        request.op = UInt32(DRV_BUS_TRACE)
        request.arg.0 = from ?? .max
        request.size = 192 << 10
        let answer = try driverCall(request, room: 192 << 10)
        if answer.reply.diag < 0 { throw LoadError("the drivers' home says -\(-answer.reply.diag)") }
        let events: [MixBusEvent] = answer.records()
        let clock = TraceClock.now
        let lines = json ? BusEvent.json(events) : events.map { clock.text($0.time) + " " + BusEvent($0).text }
        return (["\(answer.reply.value.0) \(answer.reply.value.1)"] + lines).joined(separator: "\n") + "\n"
    }

    func endBusTrace() throws(LoadError) {
        var request = MixObjRequest()
        request.op = UInt32(DRV_BUS_TRACE)
        request.flags = 1
        _ = try driverCall(request, room: 0)
    }
}

/// One event, for people and for Perfetto.
struct BusEvent {
    let event: MixBusEvent
    init(_ event: MixBusEvent) { self.event = event }

    private var device: String { fieldText(event.device) }

    /// `disk0 store32 0x050 0x0`
    var text: String { "\(device) \(what)" }

    private var what: String {
        let (place, value) = (event.place, event.value)
        switch event.kind {
        case MIX_BUS_LOAD: return "load\(event.width * 8) \(offset) = \(hex(value & mask))"
        case MIX_BUS_STORE: return "store\(event.width * 8) \(offset) \(hex(value & mask))"
        case MIX_BUS_RAISE: return "line \(place) raised"
        case MIX_BUS_LOWER: return "line \(place) lowered"
        case MIX_BUS_READ: return "DMA reads \(hex(place)) \(event.width) B"
        case MIX_BUS_WRITE: return "DMA writes \(hex(place)) \(event.width) B"
        case MIX_BUS_STRAY: return "DMA strays \(hex(place)) \(event.width) B"
        case MIX_BUS_RESET: return "reset"
        case MIX_BUS_REMOVAL: return "removed"
        case MIX_BUS_FAULT: return "fault \(fieldText(event.text))"
        default: return "event \(event.kind) \(hex(place)) \(hex(value))"
        }
    }

    private var mask: UInt64 { event.width >= 8 ? .max : 1 << (UInt64(event.width) * 8) - 1 }

    /// Three digits, as specifications write them.
    private var offset: String {
        let digits = String(event.place, radix: 16)
        return "0x" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
    }

    /// Instants, each on the track of its device.
    static func json(_ events: [MixBusEvent]) -> [String] {
        var known: Set<String> = []
        return events.flatMap { event -> [String] in
            let told = BusEvent(event)
            let place = "\"pid\":\(1 << 33),\"tid\":\(track(told.device))"
            var lines: [String] = []
            if known.insert(told.device).inserted {
                lines = [("process_name", "bus"), ("thread_name", told.device)].map {
                    "{\"name\":\"\($0)\",\"ph\":\"M\",\(place),\"args\":{\"name\":\(quoted($1))}}"
                }
            }
            let values =
                "\"place\":\(quoted(hex(event.place))),\"width\":\(event.width),\"value\":\(quoted(hex(event.value)))"
            return lines + [
                "{\"name\":\(quoted(told.what)),\"cat\":\"bus\",\"ph\":\"i\",\"s\":\"t\",\"ts\":\(microseconds(event.time)),\(place),"
                    + "\"args\":{\"sequence\":\(event.sequence),\(values)}}"
            ]
        }
    }

    /// A number that stays the device's, whoever asks: FNV-1a.
    private static func track(_ name: String) -> UInt32 {
        name.utf8.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 } & 0x7fff_ffff
    }
}
