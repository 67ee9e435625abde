import CChorus
import CMiXDevice
import CMiXFile

/// The numbers of a process (or one of its threads) at one moment, for the texts of proc(5).
struct ProcessSnapshot {
    var pid: Int32 = 1
    var processId: Int32 = 1
    var command = ""
    var state: Character = "S"
    var parent: Int32 = 0
    var group: Int32 = 0
    var session: Int32 = 0
    var terminal: UInt64 = 0
    var foreground: Int32 = -1
    /// Nanoseconds.
    var user: UInt64 = 0, system: UInt64 = 0, childUser: UInt64 = 0, childSystem: UInt64 = 0
    var nice: Int32 = 0
    var threads = 1
    var start: UInt64 = 0
    var virtualSize: UInt64 = 0, resident: UInt64 = 0, peakResident: UInt64 = 0, residentLimit = UInt64.max
    var lockedSize: UInt64 = 0
    var dataSize: UInt64 = 0, stackSize: UInt64 = 0, codeSize: UInt64 = 0
    var codeStart: UInt64 = 0, codeEnd: UInt64 = 0, stackStart: UInt64 = 0
    var breakStart: UInt64 = 0
    var argumentsStart: UInt64 = 0, argumentsEnd: UInt64 = 0, environmentStart: UInt64 = 0, environmentEnd: UInt64 = 0
    var pending: UInt64 = 0, sharedPending: UInt64 = 0, blocked: UInt64 = 0, ignored: UInt64 = 0, caught: UInt64 = 0
    var exitSignal: Int32 = 17
    var exitStatus: Int32 = 0
    var credentials = Credentials()
    var umask: UInt32 = 0o022
    var descriptorSlots = 64
    var signalsQueued = 0
    var signalLimit: UInt64 = 0
    var noNewPrivileges = false
    var seccomp = SeccompMode.none

    init() {}

    init(_ manager: ProcessManager, _ process: Process, thread: Int32) {
        processId = process.pid
        pid = thread == 0 ? process.pid : thread
        manager.tree.withLock { takeIdentity(process) }
        takeMemory(process.memory)
        if !process.isZombie { descriptorSlots = max(64, process.files.slotCount) }
        if let actor = manager.files.actorNumbers(manager, process.actor.ui) {
            user = max(user, actor.user)
            system = max(system, actor.system)
            resident = actor.resident
            peakResident = max(peakResident, resident)
        }
        if state == "Z" {
            (virtualSize, resident, dataSize, stackSize, codeSize) = (0, 0, 0, 0, 0)
        } else {
            takeTerminal(manager, process)
        }
    }

    private mutating func takeIdentity(_ process: Process) {
        let task = process.tasks.first { $0.tid == pid } ?? process.leader
        command = pid == process.pid ? process.command : task?.name ?? process.command
        parent = process.parent?.pid ?? (process.pid == 1 ? 0 : 1)
        group = process.pgrp
        session = process.sid
        switch process.state {
        case .zombie, .reaped: state = "Z"
        case .stopped: state = "T"
        case .running:
            let sleeping = task.map { task in task.park.withLock { task.parkState == .parked } } ?? true
            state = sleeping ? "S" : "R"
        }
        user = process.accounting.user
        system = process.accounting.system
        childUser = process.accounting.childUser
        childSystem = process.accounting.childSystem
        peakResident = process.accounting.maxResident
        nice = process.nice
        threads = max(1, process.tasks.count)
        start = process.startTime
        residentLimit = process.limits[.resident].soft
        pending = task?.pending.set.bits ?? 0
        sharedPending = process.pending.set.bits
        blocked = task?.mask.bits ?? 0
        for signal in 1...64 {
            switch process.actions[signal].handler {
            case SignalAction.byDefault: break
            case SignalAction.ignore: ignored |= 1 << UInt64(signal - 1)
            default: caught |= 1 << UInt64(signal - 1)
            }
        }
        exitSignal = pid == process.pid ? process.exitSignal : -1
        exitStatus = process.isZombie ? process.exitStatus : 0
        credentials = process.credentials
        umask = process.umask
        signalsQueued = process.pending.queued
        signalLimit = process.limits[.signals].soft
        noNewPrivileges = process.noNewPrivileges
        seccomp = task?.seccomp ?? .none
    }

    private mutating func takeMemory(_ space: AddressSpace) {
        space.lock.withLock {
            for area in space.map.areas {
                let size = area.end - area.start
                virtualSize += size
                if area.label == .stack {
                    stackSize += size
                } else if area.protection & 4 != 0 {
                    codeSize += size
                } else if area.protection & 2 != 0 && !area.isShared {
                    dataSize += size
                }
            }
            lockedSize = space.map.locked
            codeStart = space.codeStart
            codeEnd = space.codeEnd
            stackStart = space.stackTop
            breakStart = space.breakStart
            argumentsStart = space.argumentsStart
            argumentsEnd = space.argumentsEnd
            environmentStart = space.environmentStart
            environmentEnd = space.environmentEnd
        }
    }

    /// The session's terminal, from the Device Manager: its key is its device number.
    private mutating func takeTerminal(_ manager: ProcessManager, _ process: Process) {
        guard let found = manager.files.controllingTerminal(manager, session: session) else { return }
        terminal = found.device
        foreground = found.foreground
    }
}
