import CToolHost
import Glibc
import Loader

/// Which limits hold on this host, for `chorus check`.
enum HostLimits {
    static var text: String {
        var table = TextTable(["HOST", "", "MEANS"])
        var system = utsname()
        uname(&system)
        let release = withUnsafeBytes(of: system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        table.add(["kernel", release, "5.6 or later is needed (openat2)"])
        table.add(["processors", "\(sysconf(Int32(_SC_NPROCESSORS_ONLN)))", "one works"])
        table.add(["processes", limit(tool_limit_processes()), "RLIMIT_NPROC: each UNIX process is a host process"])
        table.add(["descriptors", limit(tool_limit_descriptors()), "RLIMIT_NOFILE: open host files, memory segments"])
        let actions = contents("/proc/sys/kernel/seccomp/actions_avail")
        table.add(["seccomp", actions.contains("trap") ? "yes" : "no", "RET_TRAP carries the system calls"])
        let group = controlGroup()
        table.add([
            "control group", group ?? "not delegated",
            group == nil ? "rlimits and sampling limit the guests" : "pids and memory limit the guests",
        ])
        return table.text
    }

    private static func limit(_ number: UInt64) -> String { number == .max ? "no limit" : "\(number)" }

    /// The own control group where pids and memory can be delegated to children.
    private static func controlGroup() -> String? {
        guard let line = contents("/proc/self/cgroup").split(separator: "\n").first(where: { $0.hasPrefix("0::") })
        else {
            return nil
        }
        let path = "/sys/fs/cgroup" + line.dropFirst(3)
        let known = contents(path + "/cgroup.controllers").split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard known.contains("pids"), known.contains("memory"), access(path + "/cgroup.subtree_control", W_OK) == 0
        else {
            return nil
        }
        return path
    }

    private static func contents(_ path: String) -> String {
        guard let file = fopen(path, "re") else { return "" }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 8192)
        let count = fread(&buffer, 1, buffer.count, file)
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
