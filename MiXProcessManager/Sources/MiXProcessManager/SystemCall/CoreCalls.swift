/// Registers the system calls of processes, signals, memory and time.
enum CoreCalls {
    static func register(_ table: inout SystemCallTable) {
        table.register([])
    }
}
