import CMiXFile

/// The files of /proc that are not of a process, with who knows their truth: the host for what the site shares with it,
/// the Process Manager for processes and load.
enum ProcSystem {
    static let files: [(path: String, maker: ProcRoot.Maker)] = [
        ("meminfo", host("/proc/meminfo")),
        ("cpuinfo", host("/proc/cpuinfo")),
        ("uptime", host("/proc/uptime")),
        ("vmstat", host("/proc/vmstat")),
        ("version", { version($0, $1) }),
        ("stat", { statistics($0, $1) }),
        (
            "loadavg",
            { proc, caller in
                let text = (try? proc.client.text(caller, pid: 0, tid: 0, what: PROC_F_LOADAVG)) ?? []
                return text.isEmpty ? hostText("/proc/loadavg", limit: 256) : text
            }
        ),
        ("sysvipc/shm", ofProcesses(PROC_F_SYSVSHM)),
        ("sysvipc/sem", ofProcesses(PROC_F_SYSVSEM)),
        ("sysvipc/msg", ofProcesses(PROC_F_SYSVMSG)),
        (
            "filesystems",
            fixed("nodev\tsysfs\nnodev\tproc\nnodev\ttmpfs\nnodev\tdevtmpfs\nnodev\toverlay\nnodev\thostfs\n")
        ),
        ("cmdline", fixed("mix\n")),
        ("devices", { proc, _ in devices(proc) }),
        ("partitions", fixed("major minor  #blocks  name\n\n")),
        ("diskstats", fixed("")),
        ("swaps", fixed("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")),
        ("modules", fixed("")),
        ("misc", fixed("")),
        ("sys/kernel/ostype", name(0)),
        ("sys/kernel/osrelease", name(2)),
        ("sys/kernel/version", name(3)),
        ("sys/kernel/hostname", name(1)),
        ("sys/kernel/domainname", name(5)),
        ("sys/kernel/pid_max", fixed("4194304\n")),
        ("sys/kernel/threads-max", fixed("65536\n")),
        ("sys/kernel/ngroups_max", fixed("65536\n")),
        ("sys/kernel/cap_last_cap", fixed("40\n")),
        ("sys/kernel/overflowuid", fixed("65534\n")),
        ("sys/kernel/overflowgid", fixed("65534\n")),
        ("sys/kernel/core_pattern", fixed("core\n")),
        ("sys/kernel/tainted", fixed("0\n")),
        ("sys/kernel/shmmax", fixed("18446744073692774399\n")),
        ("sys/kernel/shmall", fixed("18446744073692774399\n")),
        ("sys/kernel/shmmni", fixed("4096\n")),
        ("sys/kernel/random/boot_id", host("/proc/sys/kernel/random/boot_id")),
        ("sys/kernel/random/uuid", host("/proc/sys/kernel/random/uuid")),
        ("sys/kernel/random/entropy_avail", host("/proc/sys/kernel/random/entropy_avail")),
        ("sys/kernel/random/poolsize", fixed("256\n")),
        ("sys/vm/overcommit_memory", host("/proc/sys/vm/overcommit_memory")),
        ("sys/vm/swappiness", fixed("60\n")),
        ("sys/vm/max_map_count", host("/proc/sys/vm/max_map_count")),
        ("sys/vm/mmap_min_addr", fixed("65536\n")),
        ("sys/fs/file-max", fixed("1048576\n")),
        ("sys/fs/file-nr", { proc, _ in Array("\(proc.opens.count)\t0\t1048576\n".utf8) }),
        ("sys/fs/nr_open", fixed("1048576\n")),
        ("sys/fs/pipe-max-size", fixed("1048576\n")),
        ("sys/fs/protected_symlinks", fixed("0\n")),
        ("sys/fs/protected_hardlinks", fixed("0\n")),
        ("sys/kernel/sem", fixed("32000\t1024000000\t500\t32000\n")),
        ("sys/kernel/msgmax", fixed("8192\n")),
        ("sys/kernel/msgmni", fixed("32000\n")),
        ("sys/kernel/msgmnb", fixed("16384\n")),
        ("sys/kernel/core_uses_pid", fixed("0\n")),
        ("sys/kernel/randomize_va_space", fixed("2\n")),
        ("sys/kernel/panic", fixed("0\n")),
        ("sys/kernel/sched_rr_timeslice_ms", fixed("100\n")),
        ("sys/kernel/sched_rt_runtime_us", fixed("950000\n")),
        ("sys/kernel/sched_rt_period_us", fixed("1000000\n")),
        ("sys/kernel/printk", fixed("4\t4\t1\t7\n")),
        ("sys/kernel/perf_event_paranoid", fixed("4\n")),
        ("sys/kernel/kptr_restrict", fixed("2\n")),
        ("sys/kernel/dmesg_restrict", fixed("1\n")),
        ("sys/kernel/io_uring_disabled", fixed("2\n")),
        ("sys/kernel/unprivileged_bpf_disabled", fixed("2\n")),
        ("sys/kernel/numa_balancing", fixed("0\n")),
        ("sys/kernel/arch", fixed("x86_64\n")),
        ("sys/kernel/shm_rmid_forced", fixed("0\n")),
        ("sys/kernel/auto_msgmni", fixed("0\n")),
        ("sys/vm/overcommit_ratio", fixed("50\n")),
        ("sys/vm/overcommit_kbytes", fixed("0\n")),
        ("sys/vm/nr_hugepages", fixed("0\n")),
        ("sys/vm/legacy_va_layout", fixed("0\n")),
        ("sys/vm/dirty_ratio", fixed("20\n")),
        ("sys/vm/dirty_background_ratio", fixed("10\n")),
        ("sys/fs/lease-break-time", fixed("45\n")),
        ("sys/fs/leases-enable", fixed("0\n")),
        ("sys/fs/suid_dumpable", fixed("0\n")),
        ("sys/fs/pipe-user-pages-soft", fixed("0\n")),
        ("sys/fs/pipe-user-pages-hard", fixed("0\n")),
        ("sys/fs/overflowuid", fixed("65534\n")),
        ("sys/fs/overflowgid", fixed("65534\n")),
        ("sys/fs/dir-notify-enable", fixed("0\n")),
        ("sys/user/max_user_namespaces", fixed("0\n")),
        ("sys/vm/min_free_kbytes", host("/proc/sys/vm/min_free_kbytes")),
        ("cgroups", fixed("#subsys_name\thierarchy\tnum_cgroups\tenabled\n")),
        ("execdomains", fixed("0-0\tLinux           \t[kernel]\n")),
        ("crypto", fixed("")),
        ("interrupts", fixed("")),
        ("softirqs", fixed("")),
        ("locks", { proc, caller in LocksText.text(proc, caller) }),
    ]
    /// Empty, but looked for.
    static let directories = ["bus", "driver", "fs", "tty"]

    private static func host(_ path: String) -> ProcRoot.Maker { { _, _ in hostText(path) } }
    private static func fixed(_ text: String) -> ProcRoot.Maker { { _, _ in Array(text.utf8) } }

    private static func ofProcesses(_ what: UInt32) -> ProcRoot.Maker {
        { proc, caller in (try? proc.client.text(caller, pid: 0, tid: 0, what: what)) ?? [] }
    }

    /// Field of uname(2): its truth is the Process Manager's.
    private static func name(_ field: Int) -> ProcRoot.Maker { { names($0, $1)[field] + [0x0a] } }

    private static func names(_ proc: Procfs, _ caller: Caller) -> [[UInt8]] {
        let text = (try? proc.client.text(caller, pid: 0, tid: 0, what: PROC_F_UNAME)) ?? []
        let fields = text.split(separator: 0, omittingEmptySubsequences: false).map(Array.init)
        if fields.count >= 6 { return fields }
        return ["Linux", "chorus", "0", "#0", "x86_64", "(none)"].map { Array($0.utf8) }
    }

    private static func version(_ proc: Procfs, _ caller: Caller) -> [UInt8] {
        let names = names(proc, caller).map { String(decoding: $0, as: UTF8.self) }
        return Array("\(names[0]) version \(names[2]) (mix@chorus) (swiftc, lld) \(names[3])\n".utf8)
    }

    /// CPU times are the host's: guests run on its processors. Processes are ours.
    private static func statistics(_ proc: Procfs, _ caller: Caller) -> [UInt8] {
        var out = Text()
        var rest = Text()
        for line in hostText("/proc/stat").split(separator: 0x0a) {
            if line.starts(with: "cpu".utf8) {
                out.add(Array(line))
                out.newline()
            } else if !line.starts(with: "intr".utf8), !line.starts(with: "softirq".utf8) {
                rest.add(Array(line))
                rest.newline()
            }
        }
        out.add("intr 0\n")
        let ours = (try? proc.client.text(caller, pid: 0, tid: 0, what: PROC_F_SYSSTAT)) ?? []
        out.add(ours.isEmpty ? rest.bytes : ours)
        if out.bytes.last != 0x0a { out.newline() }
        return out.bytes
    }

    private static func devices(_ proc: Procfs) -> [UInt8] {
        var characters: Set<UInt64> = []
        var blocks: Set<UInt64> = []
        for number in proc.devices.numbers {
            if number.type == Linux.S_IFBLK {
                blocks.insert(number.rdev >> 32)
            } else {
                characters.insert(number.rdev >> 32)
            }
        }
        let known: [UInt64: String] = [1: "mem", 4: "tty", 5: "/dev/tty", 10: "misc", 136: "pts", 229: "hvc"]
        func lines(_ majors: Set<UInt64>) -> String {
            majors.sorted().map { major in
                let number = String(major)
                return String(repeating: " ", count: max(0, 3 - number.count)) + number + " " + (known[major] ?? "mix")
                    + "\n"
            }.joined()
        }
        return Array(("Character devices:\n" + lines(characters) + "\nBlock devices:\n" + lines(blocks)).utf8)
    }
}
