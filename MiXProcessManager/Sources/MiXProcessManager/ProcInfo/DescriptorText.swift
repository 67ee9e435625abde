import CMiXFile

/// /proc/PID/fdinfo/N.
enum DescriptorText {
    static func info(_ description: OpenDescription, closeOnExec: Bool) -> String {
        let flags = description.flags | (closeOnExec ? FileFlags.closeOnExec : 0)
        let stat = try? description.stat(MixCred())
        return "pos:\t\(description.position)\nflags:\t0\(String(flags, radix: 8))\nmnt_id:\t\(stat?.mountId ?? 0)\n"
            + "ino:\t\(stat?.ino ?? 0)\n" + description.infoLines
    }
}
