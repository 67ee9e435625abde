/// System calls on files and descriptors.
enum FileSystemCalls {
    static func register(_ table: inout SystemCallTable) {
        table.register(DescriptorCalls.table)
        table.register(ReadWriteCalls.table)
        table.register(TransferCalls.table)
        table.register(SizeCalls.table)
        table.register(OpenCalls.table)
        table.register(StatCalls.table)
        table.register(NameCalls.table)
        table.register(AttributeCalls.table)
        table.register(DirectoryCalls.table)
        table.register(PlaceCalls.table)
        table.register(FileLock.table)
        table.register(Ioctl.table)
        table.register(MemoryFile.table)
        table.register(PipeCalls.table)
        table.register(PollCalls.table)
        table.register(SelectCalls.table)
        table.register(EpollCalls.table)
        table.register(EventFile.table)
        table.register(TimerFile.table)
        table.register(SignalFile.table)
        table.register(SocketCalls.table)
        table.register(SocketMessageCalls.table)
        table.register(InotifyCalls.table)
        table.register(ExtendedCalls.table)
    }
}
