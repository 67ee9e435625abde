import CChorus

/// /proc/PID/cmdline and environ: what the process has there now, for programs rewrite it (setproctitle(3)).
enum StringsText {
    /// Longer ones are cut: execve(2) takes no more.
    private static let limit: UInt64 = 6 << 20

    static func commandLine(_ manager: ProcessManager, _ process: Process) -> [UInt8] {
        let space = process.memory
        let (start, end) = (space.argumentsStart, space.argumentsEnd)
        let line = bytes(manager, process, start, end)
        guard line.last ?? 0 != 0, space.environmentStart == end else { return line }
        // A title that has run over its last NUL: one string, which may go on in the environment (proc(5)).
        let title = bytes(manager, process, start, min(space.environmentEnd, start + AddressSpace.page))
        return Array(title.prefix { $0 != 0 }) + [0]
    }

    static func environment(_ manager: ProcessManager, _ process: Process) -> [UInt8] {
        bytes(manager, process, process.memory.environmentStart, process.memory.environmentEnd)
    }

    private static func bytes(
        _ manager: ProcessManager, _ process: Process, _ start: UInt64, _ end: UInt64
    ) -> [UInt8] {
        guard !process.isZombie, end > start else { return [] }
        let size = Int(min(end - start, limit))
        var actor = process.actor
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
            let read = manager.nucleus.actorRead(&actor, start, buffer.baseAddress, UInt32(size))
            initialized = max(0, min(Int(read), size))
        }
    }
}
