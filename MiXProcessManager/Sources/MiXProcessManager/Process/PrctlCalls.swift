import CChorus

/// prctl(2), as far as programs depend on it.
enum PrctlCalls {
    static let table: [(Int, String, SystemCallHandler)] = [(157, "prctl", prctl)]

    private enum Option: Int32 {
        case setDeathSignal = 1, getDeathSignal = 2, getDumpable = 3, setDumpable = 4, getKeepCaps = 7, setKeepCaps = 8
        case getSeccomp = 21, setSeccomp = 22, getTiming = 13, setTiming = 14, setName = 15, getName = 16, boundRead =
            23, boundDrop = 24
        case getTimeStamp = 25, setTimeStamp = 26, getSecureBits = 27, setSecureBits = 28
        case setTimerSlack = 29, getTimerSlack = 30, setSubreaper = 36, getSubreaper = 37
        case setNoNewPrivileges = 38, getNoNewPrivileges = 39, getTidAddress = 40, setHugePages = 41, getHugePages = 42
        case ambient = 47, machineCheckKill = 33, machineCheckGet = 34
    }

    /// Options that need what is not there (PR_SET_VMA, PR_SET_PTRACER, PR_SET_MM …) give EINVAL, as without their
    /// configuration.
    @Sendable static func prctl(_ call: Call) throws(Errno) -> Outcome {
        guard let option = Option(rawValue: call.int(0)) else { throw .EINVAL }
        let process = call.process
        switch option {
        case .setDeathSignal:
            guard call[1] <= 64 else { throw .EINVAL }
            process.deathSignal = call.int(1)
        case .getDeathSignal: try call.writeStruct(process.deathSignal, at: call[1])
        case .getDumpable: return .done(process.dumpable ? 1 : 0)
        case .setDumpable:
            guard call[1] <= 1 else { throw .EINVAL }
            process.dumpable = call[1] == 1
        case .getSeccomp: return .done(value: call.task.seccomp.number)
        case .setSeccomp: return try SeccompCalls.set(call)
        case .getTiming: return .zero
        case .machineCheckKill: guard call[1] <= 1, call[3] == 0, call[4] == 0 else { throw .EINVAL }
        case .machineCheckGet: return .done(2)  // PR_MCE_KILL_DEFAULT
        case .setTiming: guard call[1] == 0 else { throw .EINVAL }  // PR_TIMING_STATISTICAL alone
        case .getTimeStamp: try call.writeStruct(Int32(1), at: call[1])  // PR_TSC_ENABLE
        case .setTimeStamp: guard call[1] == 1 else { throw .EINVAL }
        case .getKeepCaps: return .done(process.credentials.secureBits & Credentials.keepCapabilities != 0 ? 1 : 0)
        case .setKeepCaps: return try CapabilityCalls.keep(call)
        case .getSecureBits: return .done(value: process.credentials.secureBits)
        case .setSecureBits: return try CapabilityCalls.setSecureBits(call)
        case .boundRead: return try CapabilityCalls.bounding(call, drop: false)
        case .boundDrop: return try CapabilityCalls.bounding(call, drop: true)
        case .ambient: return try CapabilityCalls.ambient(call)
        case .setName: try setName(call)
        case .getName:
            var name = Array(call.task.name.utf8.prefix(15))
            name += [UInt8](repeating: 0, count: 16 - name.count)
            try call.copyOut(name, to: call[1])
        case .setSubreaper: process.childSubreaper = call[1] != 0
        case .getSubreaper: try call.writeStruct(Int32(process.childSubreaper ? 1 : 0), at: call[1])
        case .setNoNewPrivileges:
            guard call[1] == 1, call[2] == 0, call[3] == 0, call[4] == 0 else { throw .EINVAL }
            process.noNewPrivileges = true
        case .getNoNewPrivileges:
            guard call[1] == 0, call[2] == 0, call[3] == 0, call[4] == 0 else { throw .EINVAL }
            return .done(process.noNewPrivileges ? 1 : 0)
        case .getTimerSlack: return .done(value: call.task.timerSlack)
        // Sleeps end when they should: less slack than asked for is always right.
        case .setTimerSlack: call.task.timerSlack = call[1] == 0 ? Task.usualSlack : call[1]
        case .getTidAddress: try call.writeStruct(call.task.clearChildTid, at: call[1])
        case .setHugePages:
            guard call[2] == 0, call[3] == 0, call[4] == 0 else { throw .EINVAL }
            process.hasNoHugePages = call[1] != 0
        case .getHugePages:
            guard call[1] == 0, call[2] == 0, call[3] == 0, call[4] == 0 else { throw .EINVAL }
            return .done(process.hasNoHugePages ? 1 : 0)
        }
        return .zero
    }

    /// At most 16 bytes; what lies behind the NUL may be unmapped.
    private static func setName(_ call: Call) throws(Errno) {
        var name: [UInt8]
        do {
            name = try call.copyString(call[1], limit: 16)
        } catch {
            guard error == .ENAMETOOLONG else { throw error }
            name = try call.copyIn(call[1], count: 15)
        }
        let text = String(decoding: name.prefix(15), as: UTF8.self)
        call.manager.tree.withLock {
            call.task.name = text
            if call.task === call.process.leader { call.process.command = text }
        }
    }
}
