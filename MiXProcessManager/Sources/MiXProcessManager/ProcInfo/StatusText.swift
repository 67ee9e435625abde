/// /proc/PID/status.
enum StatusText {
    static func status(_ now: ProcessSnapshot) -> String {
        let credentials = now.credentials
        let names: [Character: String] = ["R": "running", "S": "sleeping", "T": "stopped", "Z": "zombie"]
        var text = ""
        func line(_ name: String, _ value: some CustomStringConvertible) { text += "\(name):\t\(value)\n" }
        func size(_ name: String, _ bytes: UInt64) { text += "\(name):\t\(Text.right(bytes / 1024, 8)) kB\n" }
        func bits(_ name: String, _ value: UInt64) { line(name, Text.hex(value, 16)) }
        line("Name", escaped(now.command))
        line("Umask", Text.right(String(now.umask, radix: 8), 4, with: "0"))
        line("State", "\(now.state) (\(names[now.state] ?? "sleeping"))")
        line("Tgid", now.processId)
        line("Ngid", 0)
        line("Pid", now.pid)
        line("PPid", now.parent)
        line("TracerPid", 0)
        line("Uid", "\(credentials.uid)\t\(credentials.euid)\t\(credentials.suid)\t\(credentials.fsuid)")
        line("Gid", "\(credentials.gid)\t\(credentials.egid)\t\(credentials.sgid)\t\(credentials.fsgid)")
        line("FDSize", now.descriptorSlots)
        line("Groups", credentials.groups.map { "\($0)" }.joined(separator: " ") + " ")
        line("NStgid", now.processId)
        line("NSpid", now.pid)
        line("NSpgid", now.group)
        line("NSsid", now.session)
        line("Kthread", 0)
        if now.state != "Z" {
            size("VmPeak", now.virtualSize)
            size("VmSize", now.virtualSize)
            size("VmLck", now.lockedSize)
            size("VmPin", 0)
            size("VmHWM", max(now.peakResident, now.resident))
            size("VmRSS", now.resident)
            size("RssAnon", now.resident)
            size("RssFile", 0)
            size("RssShmem", 0)
            size("VmData", now.dataSize)
            size("VmStk", now.stackSize)
            size("VmExe", now.codeSize)
            size("VmLib", 0)
            size("VmPTE", now.virtualSize / 512)
            size("VmSwap", 0)
            line("CoreDumping", 0)
            line("THP_enabled", 1)
        }
        line("Threads", now.threads)
        line("SigQ", "\(now.signalsQueued)/\(now.signalLimit)")
        bits("SigPnd", now.pending)
        bits("ShdPnd", now.sharedPending)
        bits("SigBlk", now.blocked)
        bits("SigIgn", now.ignored)
        bits("SigCgt", now.caught)
        bits("CapInh", credentials.inheritable)
        bits("CapPrm", credentials.permitted)
        bits("CapEff", credentials.effective)
        bits("CapBnd", credentials.bounding)
        bits("CapAmb", credentials.ambient)
        line("NoNewPrivs", now.noNewPrivileges ? 1 : 0)
        line("Seccomp", now.seccomp.number)
        line("Seccomp_filters", now.seccomp.filters)
        line("Cpus_allowed", "1")
        line("Cpus_allowed_list", "0")
        line("Mems_allowed", "1")
        line("Mems_allowed_list", "0")
        line("voluntary_ctxt_switches", 0)
        line("nonvoluntary_ctxt_switches", 0)
        return text
    }

    /// Newlines and backslashes of a name are escaped here, and only here.
    static func escaped(_ name: String) -> String {
        name.reduce(into: "") { text, character in
            switch character {
            case "\n": text += "\\n"
            case "\\": text += "\\\\"
            default: text.append(character)
            }
        }
    }
}
