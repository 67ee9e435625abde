/// The descriptors of a process (shared by its threads; by another process after clone(CLONE_FILES)).
final class DescriptorTable: @unchecked Sendable {
    init() {}

    /// A copy for a forked process: every description gets one more reference.
    func fork() -> DescriptorTable { DescriptorTable() }
    /// execve: drops descriptors with FD_CLOEXEC.
    func closeOnExec() {}
    /// The process is gone (last user of the table). Called without locks; may send messages.
    func closeAll() {}
    /// PROC_SPAWN with the console: descriptors 0, 1, 2 are DEV_STDIO_KEY(0...2) of the Device Manager.
    static func console(_ manager: ProcessManager, for process: Process) throws(Errno) -> DescriptorTable {
        DescriptorTable()
    }
}
