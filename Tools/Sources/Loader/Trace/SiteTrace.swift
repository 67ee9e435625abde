import CChorus
import CMiXProcess
import Glibc

/// The black box of a running site.
extension SiteReport {
    /// First line: the number of the event behind the last one, and how many were overwritten unread. Then, one a
    /// line, the last `last` events from number `from` on, by their beginning.
    func trace(json: Bool, from: UInt64, last: Int) throws(LoadError) -> String {
        let nucleus = site.table.pointee
        let me = nucleus.threadSelf?(nucleus.`self`) ?? 0
        let all = try list(KnTraceEvent()) { count, events in
            nucleus.sysTraceRead?(nucleus.`self`, from, count, events) ?? K_ENOSYS
        }
        let next = all.last.map { $0.sequence + 1 } ?? from
        let lost = from == 0 ? 0 : (all.first?.sequence ?? from) - from
        // Not what this very question makes the servers do.
        var events = Array(all.filter { $0.thread != me }.suffix(max(0, last)))
        events.sort { ($0.time, $0.sequence) < ($1.time, $1.sequence) }
        var names = try self.names()
        names.learn(all)
        var lines = ["\(next) \(lost)"]
        if json {
            lines += TraceJson(names: names).lines(events)
        } else {
            let text = TraceText(names: names, clock: TraceClock.now)
            lines += events.map(text.line)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Who is there now.
    func names() throws(LoadError) -> TraceNames {
        let nucleus = site.table.pointee
        var names = TraceNames()
        var pids: [Int32: MixProcEntry] = [:]
        // A site may be without a Process Manager.
        for entry in (try? entries()) ?? [] where entry.hostPid > 0 { pids[entry.hostPid] = entry }
        let actors = try list(KnActorStat()) { count, stats in
            nucleus.actorStat?(nucleus.`self`, count, stats) ?? K_ENOSYS
        }
        for stat in actors {
            let process = stat.privilege == K_UNIXACTOR ? pids[stat.hostPid] : nil
            names.actors[traceName(stat.cap.ui)] = TraceNames.Someone(
                name: process.map { fieldText($0.command) } ?? fieldText(stat.name),
                isUnix: stat.privilege == K_UNIXACTOR,
                pid: process?.pid)
        }
        let threads = try list(KnThreadStat()) { count, stats in
            nucleus.threadStat?(nucleus.`self`, count, stats) ?? K_ENOSYS
        }
        for stat in threads { names.threads[stat.li] = traceName(stat.actor) }
        let ports = try list(KnPortStat()) { count, stats in
            nucleus.portStat?(nucleus.`self`, count, stats) ?? K_ENOSYS
        }
        for stat in ports { names.ports[traceName(stat.ui)] = traceName(stat.actor) }
        for (stamp, name) in [
            (K_STAMP_PROCESS, "PROCESS"), (K_STAMP_FILE, "FILE"), (K_STAMP_DEVICE, "DEVICE"),
            (K_STAMP_SOCKET, "SOCKET"), (K_STAMP_DRIVER, "DRIVER"),
        ] {
            var ui = KnUniqueId()
            if nucleus.grpName?(nucleus.`self`, stamp, &ui) ?? K_ENOSYS >= 0 { names.groups[traceName(ui)] = name }
        }
        return names
    }
}
