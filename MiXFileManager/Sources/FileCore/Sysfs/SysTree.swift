/// What /sys holds. Programs run on the host's processors, so what the host says of them is true here.
enum SysTree {
    private static let processors = "devices/system/cpu"
    private static let nodes = "devices/system/node"

    private static let ofSystem = [
        "devices/system/cpu/online", "devices/system/cpu/offline", "devices/system/cpu/possible",
        "devices/system/cpu/present", "devices/system/cpu/isolated", "devices/system/cpu/kernel_max",
        "devices/system/cpu/smt/active", "devices/system/cpu/smt/control",
        "devices/system/node/online", "devices/system/node/possible", "devices/system/node/has_cpu",
        "devices/system/node/has_memory", "devices/system/node/has_normal_memory",
        "devices/system/clocksource/clocksource0/current_clocksource",
        "devices/system/clocksource/clocksource0/available_clocksource",
        "kernel/mm/transparent_hugepage/enabled", "kernel/mm/transparent_hugepage/defrag",
        "kernel/mm/transparent_hugepage/hpage_pmd_size", "kernel/mm/transparent_hugepage/use_zero_page",
        "kernel/mm/transparent_hugepage/shmem_enabled",
    ]
    private static let ofTopology = [
        "core_cpus", "core_cpus_list", "core_id", "core_siblings", "core_siblings_list", "die_cpus", "die_cpus_list",
        "die_id", "package_cpus", "package_cpus_list", "physical_package_id", "thread_siblings",
        "thread_siblings_list",
    ]
    private static let ofCache = [
        "coherency_line_size", "id", "level", "number_of_sets", "physical_line_partition", "shared_cpu_list",
        "shared_cpu_map", "size", "type", "ways_of_associativity",
    ]
    private static let ofNode = ["cpulist", "cpumap", "distance", "meminfo", "numastat"]
    private static let empty = [
        "block", "bus", "class/block", "class/net", "class/tty", "dev/block", "dev/char", "devices/virtual", "firmware",
        "fs/cgroup", "kernel/mm/hugepages", "kernel/security", "module", "power",
    ]

    static func grow(_ fs: Sysfs) -> FixedNode {
        var ino: UInt64 = 1
        let root = FixedNode(fs, ino: ino)
        /// A file that this host has; a processor without a topology has none here either.
        func host(_ path: String) {
            if hostText("/sys/" + path, limit: 4096).isEmpty { return }  // some give nothing to a smaller read
            root.plant(path, .text { _ in hostText("/sys/" + path, limit: 1 << 16) }, ino: &ino)
        }
        for path in ofSystem { host(path) }
        for number in numbers("/sys/\(processors)/present") {
            let base = "\(processors)/cpu\(number)"
            root.plant(base, .directory, ino: &ino)
            for name in ofTopology { host("\(base)/topology/\(name)") }
            for index in 0..<5 { for name in ofCache { host("\(base)/cache/index\(index)/\(name)") } }
        }
        for number in numbers("/sys/\(nodes)/online") {
            let base = "\(nodes)/node\(number)"
            for name in ofNode { host("\(base)/\(name)") }
            let list = String(decoding: hostText("/sys/\(base)/cpulist", limit: 4096), as: UTF8.self)
            for processor in Self.list(list) {
                let target = "../../cpu/cpu\(processor)"
                root.plant("\(base)/cpu\(processor)", .link(Array(target.utf8)), ino: &ino)
                let back = "../../node/node\(number)"
                root.plant("\(processors)/cpu\(processor)/node\(number)", .link(Array(back.utf8)), ino: &ino)
            }
        }
        for path in empty { root.plant(path, .directory, ino: &ino) }
        return root
    }

    private static func numbers(_ path: String) -> [Int] {
        list(String(decoding: hostText(path, limit: 4096), as: UTF8.self))
    }

    /// The numbers of a list such as "0-3,8,10-11" (cpuset(7), "List format").
    static func list(_ text: String) -> [Int] {
        var numbers: [Int] = []
        for part in text.split(whereSeparator: { $0 == "," || $0 == "\n" }) {
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first >= 0, last >= first, last < 8192 else { continue }
            numbers += Array(first...last)
        }
        return numbers
    }
}
