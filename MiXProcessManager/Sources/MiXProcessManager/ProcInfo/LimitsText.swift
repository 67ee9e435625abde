/// /proc/PID/limits (fs/proc/base.c).
enum LimitsText {
    private static let lines: [(Limits.Resource, String, String)] = [
        (.cpu, "Max cpu time", "seconds"), (.fileSize, "Max file size", "bytes"), (.data, "Max data size", "bytes"),
        (.stack, "Max stack size", "bytes"), (.core, "Max core file size", "bytes"),
        (.resident, "Max resident set", "bytes"), (.processes, "Max processes", "processes"),
        (.files, "Max open files", "files"), (.lockedMemory, "Max locked memory", "bytes"),
        (.addressSpace, "Max address space", "bytes"), (.locks, "Max file locks", "locks"),
        (.signals, "Max pending signals", "signals"), (.messageQueue, "Max msgqueue size", "bytes"),
        (.nice, "Max nice priority", ""), (.realTimePriority, "Max realtime priority", ""),
        (.realTimeTime, "Max realtime timeout", "us"),
    ]

    static func limits(_ limits: Limits) -> String {
        var text = row("Limit", "Soft Limit", "Hard Limit", "Units")
        for (resource, name, unit) in lines {
            text += row(name, value(limits[resource].soft), value(limits[resource].hard), unit)
        }
        return text
    }

    private static func row(_ name: String, _ soft: String, _ hard: String, _ unit: String) -> String {
        "\(Text.left(name, 25)) \(Text.left(soft, 20)) \(Text.left(hard, 20)) "
            + (unit.isEmpty ? "" : Text.left(unit, 10))
            + "\n"
    }

    private static func value(_ limit: UInt64) -> String { limit == Limits.infinity ? "unlimited" : String(limit) }
}
