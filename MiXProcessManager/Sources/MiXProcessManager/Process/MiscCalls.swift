import CChorus
import CProcessHost

/// What is left: the system's name and state, prctl, arch_prctl and small things.
enum MiscCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (63, "uname", uname), (95, "umask", umask), (99, "sysinfo", sysinfo), (103, "syslog", syslog),
        (158, "arch_prctl", archPrctl),
        (169, "reboot", reboot), (170, "sethostname", setHostName), (171, "setdomainname", setDomainName),
        (218, "set_tid_address", setTidAddress), (318, "getrandom", getRandom), (324, "membarrier", membarrier),
        (219, "restart_syscall", { (_) throws(Errno) in throw .EINTR }),
    ]

    @Sendable static func uname(_ call: Call) throws(Errno) -> Outcome {
        var bytes = [UInt8](repeating: 0, count: 6 * 65)
        var names = call.manager.systemNames
        let personality = call.process.personality
        if personality & Personality.uname26 != 0 { names[2] = Array("2.6.61-chorus".utf8) }
        if personality & 0xff == 8 { names[4] = Array("i686".utf8) }  // PER_LINUX32
        for (index, field) in names.enumerated() {
            bytes.replaceSubrange(index * 65..<index * 65 + min(field.count, 64), with: field.prefix(64))
        }
        try call.copyOut(bytes, to: call[0])
        return .zero
    }
    private static func name(_ call: Call) throws(Errno) -> [UInt8] {
        guard call.process.credentials.has(Credentials.capSysAdmin) else { throw .EPERM }
        guard call.int(1) >= 0, call.int(1) <= 64 else { throw .EINVAL }
        return try call.copyIn(call[0], count: Int(call.int(1)))
    }
    @Sendable static func setHostName(_ call: Call) throws(Errno) -> Outcome {
        let name = try name(call)
        call.manager.tree.withLock { call.manager.hostName = name }
        return .zero
    }
    @Sendable static func setDomainName(_ call: Call) throws(Errno) -> Outcome {
        let name = try name(call)
        call.manager.tree.withLock { call.manager.domainName = name }
        return .zero
    }
    @Sendable static func umask(_ call: Call) throws(Errno) -> Outcome {
        let old = call.process.umask
        call.process.umask = call.uint(0) & 0o777
        return .done(value: old)
    }
    @Sendable static func sysinfo(_ call: Call) throws(Errno) -> Outcome {
        var memory: (total: UInt64, unused: UInt64, buffers: UInt64) = (0, 0, 0)
        pm_memory(&memory.total, &memory.unused, &memory.buffers)
        let manager = call.manager
        var words = [UInt64](repeating: 0, count: 14)
        words[0] = manager.clock.monotonic() / 1_000_000_000  // as /proc/uptime: the host's
        let load = manager.loadAverage().averages
        (words[1], words[2], words[3]) = (UInt64(load.0 * 65536), UInt64(load.1 * 65536), UInt64(load.2 * 65536))
        words[4] = memory.total
        words[5] = memory.unused
        words[7] = memory.buffers
        words[10] = UInt64(manager.tree.withLock { manager.tasks.count })  // procs: a 16-bit field
        words[13] = 1  // mem_unit
        try call.copyOut(words.withUnsafeBytes { Array($0) }, to: call[0])
        return .zero
    }
    /// There is no kernel log to read: size 0, nothing in it.
    @Sendable static func syslog(_ call: Call) throws(Errno) -> Outcome {
        guard (0...10).contains(call.int(0)) else { throw .EINVAL }
        return .zero
    }
    @Sendable static func setTidAddress(_ call: Call) throws(Errno) -> Outcome {
        call.task.clearChildTid = call[0]
        return .done(value: call.task.tid)
    }
    @Sendable static func getRandom(_ call: Call) throws(Errno) -> Outcome {
        guard call.uint(2) & ~7 == 0, call.uint(2) & 6 != 6 else { throw .EINVAL }
        let count = Int(min(call[1], 1 << 20))
        guard count > 0 else { return .zero }
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            _ = call.nucleus.sysRandom(buffer.baseAddress, UInt32(count))
            initialized = count
        }
        try call.copyOut(bytes, to: call[0])
        return .done(value: count)
    }
    /// Programs' threads are threads of the host, so one barrier on all its processors serves every command but those
    /// for code that changes (SYNC_CORE) and for restartable sequences, which are as without their configuration.
    @Sendable static func membarrier(_ call: Call) throws(Errno) -> Outcome {
        let (global, globalExpedited, registerGlobal, own, registerPrivate): (Int32, Int32, Int32, Int32, Int32) = (
            1, 2, 4, 8, 16
        )
        guard call.uint(1) == 0 else { throw .EINVAL }
        guard pm_has_membarrier() != 0 else { throw .ENOSYS }
        switch call.int(0) {
        case 0: return .done(value: global | globalExpedited | registerGlobal | own | registerPrivate)
        case global, globalExpedited: break
        case own: guard call.process.usesBarriers else { throw .EPERM }
        case registerGlobal, registerPrivate:
            if call.int(0) == registerPrivate { call.process.usesBarriers = true }
            return .zero
        default: throw .EINVAL
        }
        pm_membarrier()
        return .zero
    }
    @Sendable static func reboot(_ call: Call) throws(Errno) -> Outcome {
        guard call.process.credentials.has(Credentials.capSysBoot) else { throw .EPERM }
        guard call.uint(0) == 0xfee1_dead else { throw .EINVAL }
        switch call.uint(2) {
        case 0, 0x89ab_cdef: return .zero
        case 0x0123_4567, 0xcdef_0123, 0x4321_fedc:
            call.manager.shutdownWhenDrained(status: 0, attempt: 0)
            return .zero
        default: throw .EINVAL
        }
    }

    @Sendable static func archPrctl(_ call: Call) throws(Errno) -> Outcome {
        var context = KnThreadCtx()
        switch call.int(0) {
        case 0x1002:  // ARCH_SET_FS
            guard call[1] < 1 << 47 else { throw .EPERM }
            try call.manager.check(call.nucleus.threadContext(call.thread, &context, nil))
            // The registers must stay those of the trap: the result is written to rax afterwards as ever.
            context.fsBase = call[1]
            try call.manager.check(call.nucleus.threadContext(call.thread, nil, &context))
            return .zero
        case 0x1001:  // ARCH_SET_GS
            guard call[1] < 1 << 47 else { throw .EPERM }
            try call.manager.check(call.nucleus.threadContext(call.thread, &context, nil))
            context.gsBase = call[1]
            try call.manager.check(call.nucleus.threadContext(call.thread, nil, &context))
            return .zero
        case 0x1004:  // ARCH_GET_GS
            try call.manager.check(call.nucleus.threadContext(call.thread, &context, nil))
            try call.writeStruct(context.gsBase, at: call[1])
            return .zero
        case 0x1003:  // ARCH_GET_FS
            try call.manager.check(call.nucleus.threadContext(call.thread, &context, nil))
            try call.writeStruct(context.fsBase, at: call[1])
            return .zero
        case 0x1011: return .done(1)  // ARCH_GET_CPUID: the instruction works
        case 0x1012: throw .ENODEV  // ARCH_SET_CPUID, as on a processor that cannot make it fault
        default: throw .EINVAL
        }
    }
}

extension ProcessManager {
    /// The fields of uname(2); procfs shows the same.
    var systemNames: [[UInt8]] {
        [
            Array("Linux".utf8), hostName, Array("6.1.0-chorus".utf8), Array("#1 SMP CHORUS/MiX".utf8),
            Array("x86_64".utf8), domainName,
        ]
    }
}
