import CChorus
import Glibc

/// Every thread of a site: what it waits in, since when, and on whose behalf.
extension SiteReport {
    func threads() throws(LoadError) -> String {
        let names = try self.names()
        let nucleus = site.table.pointee
        let stats = try list(KnThreadStat2()) { count, stats in
            nucleus.threadStat2?(nucleus.`self`, count, stats) ?? K_ENOSYS
        }
        var known: [KnThreadLid: KnThreadStat2] = [:]
        for stat in stats { known[stat.li] = stat }
        let now = TraceClock.nanoseconds(CLOCK_MONOTONIC)
        let words = [K_TH_RUNNING: "running", K_TH_BLOCKED: "blocked", K_TH_PARKED: "parked", K_TH_STOPPED: "stopped"]
        var table = TextTable(["THREAD", "ACTOR", "NAME", "STATE", "BLOCKED ON", "SINCE", "FOR", "SCHEDULE"])
        for stat in stats.sorted(by: { $0.li < $1.li }) {
            let since = stat.blockedSince == 0 ? "" : durationText(UInt64(max(0, now - Int64(stat.blockedSince))))
            table.add([
                "\(stat.li)", names.actor(traceName(stat.actor)), fieldText(stat.name), words[stat.status] ?? "?",
                Self.waitText(stat, names), since, Self.behalf(stat, known, names), Self.scheduleText(stat.sched),
            ])
        }
        return table.text
    }

    /// The call, where it is made in another actor's handler in which one, and who has what it waits for.
    static func waitText(_ stat: KnThreadStat2, _ names: TraceNames) -> String {
        var text = fieldText(stat.blockedOn)
        // `trap 7`, as the nucleus has it, by the name of the system call.
        if text.hasPrefix("trap "), let number = UInt64(text.dropFirst(5)) { text = SystemCallNames.name(number) }
        let caller = traceName(stat.caller)
        if caller != 0, caller != traceName(stat.actor) { text += " in " + names.actor(caller) }
        if stat.mutexOwner != 0 { text += " (thread \(stat.mutexOwner) has it)" }
        return text
    }

    /// Whose request it works on, and whose request that one works on, as far as that goes: up to a UNIX process.
    static func behalf(_ stat: KnThreadStat2, _ known: [KnThreadLid: KnThreadStat2], _ names: TraceNames) -> String {
        var chain: [String] = []
        var seen: Set<KnThreadLid> = [stat.li]
        var next = stat.client
        // Clients change while the list is made: a chain may seem to be a circle.
        while next != 0, seen.insert(next).inserted {
            guard let client = known[next] else { break }
            chain.append("\(names.actor(traceName(client.actor))) [\(next)]")
            next = client.client
        }
        return chain.joined(separator: " for ")
    }

    /// Nothing for what all threads begin with.
    static func scheduleText(_ sched: KnThreadSched) -> String {
        let words = [K_SCHED_FIFO: "fifo", K_SCHED_RR: "rr"]
        let host = words[sched.hostPolicy].map { "\($0) \(sched.hostPriority)" } ?? "nice \(sched.hostPriority)"
        if let wish = words[sched.policy], sched.policy != sched.hostPolicy { return "\(host), \(wish) refused" }
        return sched.hostPolicy == K_SCHED_OTHER && sched.hostPriority == 0 ? "" : host
    }
}
