/// Descriptors 0, 1 and 2 of processes that are started from outside (PROC_SPAWN).
extension DescriptorTable {
    /// The site's own standard descriptors, DEV_STDIO_KEY(0…2) of the Device Manager.
    static func console(_ manager: ProcessManager, for process: Process) throws(Errno) -> DescriptorTable {
        let table = DescriptorTable()
        let cred = process.mixCred()
        for number in 0...2 {
            let description = try OpenCalls.openStandard(manager, number, cred: cred)
            _ = try table.insert(description, closeOnExec: false, limit: 3)
        }
        return table
    }
}
