/// Registers the system calls of processes, signals, memory and time.
enum CoreCalls {
    static func register(_ table: inout SystemCallTable) {
        table.register(CloneCalls.table)
        table.register(ExecCalls.table)
        table.register(WaitCalls.table)
        table.register(IdentityCalls.table)
        table.register(CapabilityCalls.table)
        table.register(ResourceCalls.table)
        table.register(SchedulingCalls.table)
        table.register(PriorityCalls.table)
        table.register(MiscCalls.table)
        table.register(PrctlCalls.table)
        table.register(CompareCalls.table)
        table.register(MemoryCalls.table)
        table.register(RemoteMemory.table)
        table.register(SignalCalls.table)
        table.register(TimeCalls.table)
        table.register(SetClockCalls.table)
        table.register(FutexCalls.table)
        table.register(SharedMemoryCalls.table)
        table.register(SemaphoreCalls.table)
        table.register(MessageCalls.table)
        table.register(PosixQueueCalls.table)
    }
}
