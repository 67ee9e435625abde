import CChorus
import CMiXFile
import CMiXProcess

/// What a running site answers on its control socket: what it tells about itself, as tables for people, and what it does.
struct SiteReport {
    let site: Site

    func answer(_ words: [String]) throws(LoadError) -> String {
        switch words.first {
        case "ps":
            if words.count > 1, words[1] == "threads" { return try threads() }
            return try processes() + "\n" + (try actors())
        case "trace":
            guard words.count == 4, let from = UInt64(words[2]), let count = Int(words[3]) else {
                throw LoadError("trace wants text or json, a first event and a count")
            }
            return try trace(json: words[1] == "json", from: from, last: count)
        case "move":
            guard words.count == 3 else { throw LoadError("move wants a server and a privilege") }
            return try site.move(words[1], to: words[2])
        case "ports": return try ports()
        case "interrupts":
            if words.count == 3, words[1] == "unmask" { return try unmask(words[2]) }
            return try interrupts()
        case "regions":
            guard words.count == 2, let pid = Int32(words[1]) else { throw LoadError("regions wants a process number") }
            return try regions(pid)
        default:
            if let answer = try site.answerDrivers(words) { return answer }
            throw LoadError(
                "unknown question; known are ps, ps threads, ports, interrupts, regions PID, trace, move, drivers, devices, load, unload"
            )
        }
    }

    func entries() throws(LoadError) -> [MixProcEntry] {
        var found: [MixProcEntry] = []
        let stride = MemoryLayout<MixProcEntry>.stride
        while true {
            var request = MixObjRequest()
            request.op = UInt32(PROC_TABLE)
            request.arg.0 = UInt64(found.last?.pid ?? 0)
            request.cred.capabilities = UInt32(MIX_CAP_ROOT)
            request.size = 65_536
            let answer = try site.call(K_STAMP_PROCESS, request, room: 65_536, delay: 2000)
            if answer.reply.diag < 0 { throw LoadError("the process manager says -\(-answer.reply.diag)") }
            let count = answer.body.count / stride
            answer.body.withUnsafeBytes { bytes in
                for index in 0..<count {
                    found.append(bytes.loadUnaligned(fromByteOffset: index * stride, as: MixProcEntry.self))
                }
            }
            if count == 0 { return found }
        }
    }

    private func processes() throws(LoadError) -> String {
        var table = TextTable(["PID", "PPID", "PGRP", "SID", "UID", "S", "THR", "HOST", "RSS", "TIME", "COMMAND"])
        for entry in try entries() {
            let ticks = entry.userTicks + entry.systemTicks
            table.add([
                "\(entry.pid)", "\(entry.ppid)", "\(entry.pgrp)", "\(entry.sid)", "\(entry.uid)",
                String(Character(Unicode.Scalar(UInt8(bitPattern: entry.state)))), "\(entry.threads)",
                "\(entry.hostPid)",
                sizeText(entry.residentBytes), "\(ticks / 100).\(String(100 + ticks % 100).dropFirst())",
                fieldText(entry.command),
            ])
        }
        return table.text
    }

    func actors() throws(LoadError) -> String {
        let nucleus = site.table.pointee
        let stats = try list(KnActorStat()) { count, stats in
            nucleus.actorStat?(nucleus.`self`, count, stats) ?? K_ENOSYS
        }
        let words = [K_USERACTOR: "user", K_SYSACTOR: "system", K_SUPACTOR: "supervisor", K_UNIXACTOR: "unix"]
        var table = TextTable(["ACTOR", "PRIVILEGE", "THR", "PORTS", "RGNS", "HOST", "MSGS", "TRAPS", "RSS", "UI"])
        for stat in stats {
            table.add([
                fieldText(stat.name), words[stat.privilege] ?? "?", "\(stat.threads)", "\(stat.ports)",
                "\(stat.regions)",
                "\(stat.hostPid)", "\(stat.messages)", "\(stat.traps)", sizeText(stat.residentBytes),
                uiText(stat.cap.ui),
            ])
        }
        return table.text
    }

    private func ports() throws(LoadError) -> String {
        let names = try self.names()
        let nucleus = site.table.pointee
        let stats = try list(KnPortStat()) { count, stats in nucleus.portStat?(nucleus.`self`, count, stats) ?? K_ENOSYS
        }
        var table = TextTable(["PORT", "ACTOR", "LI", "ENABLED", "QUEUED", "RECEIVED", "GROUPS", "HANDLER"])
        for stat in stats {
            table.add([
                uiText(stat.ui), names.actor(traceName(stat.actor)), "\(stat.li)", stat.enabled != 0 ? "yes" : "no",
                "\(stat.queued)",
                "\(stat.received)", "\(stat.groups)", stat.hasHandler != 0 ? "yes" : "no",
            ])
        }
        return table.text
    }

    private func interrupts() throws(LoadError) -> String {
        let nucleus = site.table.pointee
        let stats = try list(KnIntrStat()) { count, stats in
            nucleus.svIntrStat?(nucleus.`self`, count, stats) ?? K_ENOSYS
        }
        var table = TextTable(["LINE", "HANDLERS", "STATE", "TRIGGERED", "CLAIMED", "UNCLAIMED", "IN A ROW", "STUCK"])
        for stat in stats {
            let state = [stat.masked != 0 ? "masked" : "", stat.pending != 0 ? "pending" : ""].filter { $0 != "" }
            table.add([
                "\(stat.line)", "\(stat.handlers)", state.isEmpty ? "quiet" : state.joined(separator: ", "),
                "\(stat.triggered)", "\(stat.claimed)", "\(stat.unclaimed)",
                "\(stat.unclaimedInRow) of \(stat.watermark)", "\(stat.stuck)",
            ])
        }
        return table.text
    }

    private func unmask(_ word: String) throws(LoadError) -> String {
        guard let line = UInt32(word), line < K_INTRLINES else {
            throw LoadError("\(word) is no interrupt line; they are 0 to \(K_INTRLINES - 1)")
        }
        let nucleus = site.table.pointee
        let result = nucleus.svIntrUnMask?(nucleus.`self`, line) ?? K_ENOSYS
        if result < 0 { throw LoadError("the nucleus says \(nucleusCode(result))") }
        return "unmasked\n"
    }

    /// The regions of a process: its actor is the one with the process's host process.
    private func regions(_ pid: Int32) throws(LoadError) -> String {
        guard let entry = try entries().first(where: { $0.pid == pid }) else { throw LoadError("no process \(pid)") }
        let nucleus = site.table.pointee
        let actors = try list(KnActorStat()) { count, stats in
            nucleus.actorStat?(nucleus.`self`, count, stats) ?? K_ENOSYS
        }
        guard var cap = actors.first(where: { $0.hostPid == entry.hostPid && $0.privilege == K_UNIXACTOR })?.cap else {
            throw LoadError("process \(pid) has no actor any more")
        }
        let stats = try list(KnRgnStat2()) { count, stats in
            nucleus.rgnStat2?(nucleus.`self`, &cap, 0, count, stats) ?? K_ENOSYS
        }
        var table = TextTable([
            "START", "END", "PROT", "KIND", "INHERIT", "OPAQUE", "RESIDENT", "DIRTY", "OFFSET", "SEGMENT", "MAPPER",
        ])
        for stat in stats {
            let options = stat.rgn.options
            let prot =
                "\(options & K_READABLE != 0 ? "r" : "-")\(options & K_WRITABLE != 0 ? "w" : "-")"
                + "\(options & K_EXECUTABLE != 0 ? "x" : "-")"
            let ui = stat.object.dataObject.ui
            let isMapped = stat.mapper.uiHead != 0 || stat.mapper.uiTail != 0
            table.add([
                hex(stat.rgn.startAddr), hex(stat.rgn.startAddr &+ stat.rgn.size), prot,
                stat.isPrivate != 0 ? "private" : "shared",
                options & K_INHERITSHARE != 0 ? "share" : options & K_INHERITCOPY != 0 ? "copy" : "-",
                stat.rgn.opaque == 0 ? "-" : hex(UInt64(stat.rgn.opaque)),
                sizeText(stat.resident), isMapped ? sizeText(stat.dirty) : "-", hex(stat.object.startOffset),
                ui.uiHead == 0 && ui.uiTail == 0 ? "anonymous" : isMapped ? "mapper's" : uiText(ui),
                isMapped ? uiText(stat.mapper) : "-",
            ])
        }
        return table.text
    }

    /// Lists of the nucleus: in, room for so many; out, how many there are or were written.
    func list<Item>(
        _ blank: Item, _ ask: (UnsafeMutablePointer<UInt32>, UnsafeMutablePointer<Item>) -> Int32
    ) throws(LoadError) -> [Item] {
        var items = [Item](repeating: blank, count: 4096)
        var count = UInt32(items.count)
        let result = ask(&count, &items)
        if result < 0 { throw LoadError("the nucleus says \(nucleusCode(result))") }
        return Array(items.prefix(Int(count)))
    }
}
