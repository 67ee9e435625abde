import CChorus

/// Events as lines for people, as strace(1) writes them.
struct TraceText {
    let names: TraceNames
    let clock: TraceClock

    func line(_ event: KnTraceEvent) -> String {
        let told = TraceEvent(event, names)
        var line = clock.text(event.time) + " "
        switch told.kind {
        // A message says itself who sends it.
        case .message, .handler: break
        case .mark where told.actor == 0: line += "[\(names.thread(event.thread))] "
        default: line += "[\(names.actor(told.actor))] "
        }
        line += told.title + told.outcome
        let took = durationText(event.duration)
        switch told.kind {
        case .trap, .fault: line += event.duration > 0 ? " <\(took)>" : ""
        default: line += event.duration > 0 ? " \(took)" : ""
        }
        return line
    }
}
