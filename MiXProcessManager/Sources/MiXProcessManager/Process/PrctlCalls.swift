import CChorus

/// prctl(2), as far as programs depend on it.
enum PrctlCalls {
    static let table: [(Int, String, SystemCallHandler)] = [(157, "prctl", prctl)]

    private enum Option: Int32 {
        case setDeathSignal = 1, getDeathSignal = 2, getDumpable = 3, setDumpable = 4, getKeepCaps = 7, setKeepCaps = 8
        case getTiming = 13, setName = 15, getName = 16, boundRead = 23, boundDrop = 24, getSecureBits = 27
        case setTimerSlack = 29, getTimerSlack = 30, machineCheckKill = 33, setSubreaper = 36, getSubreaper = 37
        case setNoNewPrivileges = 38, getNoNewPrivileges = 39, getTidAddress = 40, setHugePages = 41, getHugePages = 42
        case setVma = 0x5356_4d41, setTracer = 0x5961_6d61
    }

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
        case .getKeepCaps, .getTiming, .getSecureBits, .getHugePages: return .zero
        case .setKeepCaps:
            guard call[1] <= 1 else { throw .EINVAL }
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
        case .getNoNewPrivileges: return .done(process.noNewPrivileges ? 1 : 0)
        case .getTimerSlack: return .done(50_000)
        case .boundRead:
            guard call[1] <= 40 else { throw .EINVAL }
            return .done(1)
        case .boundDrop:
            guard call[1] <= 40 else { throw .EINVAL }
        case .getTidAddress: try call.writeStruct(call.task.clearChildTid, at: call[1])
        case .setTimerSlack, .setHugePages, .setTracer, .machineCheckKill, .setVma: break
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
