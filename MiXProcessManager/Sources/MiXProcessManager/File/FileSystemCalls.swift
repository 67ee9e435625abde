/// System calls on files and descriptors.
enum FileSystemCalls {
    static func register(_ table: inout SystemCallTable) {
        table.register([])
    }
}
