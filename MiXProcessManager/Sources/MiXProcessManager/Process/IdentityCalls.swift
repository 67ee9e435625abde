import CChorus

/// Who a process is: numbers, users, groups, sessions.
enum IdentityCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (39, "getpid", { call in .done(value: call.process.pid) }),
        (186, "gettid", { call in .done(value: call.task.tid) }),
        (110, "getppid", { call in .done(value: parentPid(call)) }),
        (102, "getuid", { call in .done(value: call.process.credentials.uid) }),
        (104, "getgid", { call in .done(value: call.process.credentials.gid) }),
        (107, "geteuid", { call in .done(value: call.process.credentials.euid) }),
        (108, "getegid", { call in .done(value: call.process.credentials.egid) }),
        (111, "getpgrp", { call in .done(value: call.process.pgrp) }),
        (105, "setuid", setUid), (106, "setgid", setGid), (113, "setreuid", setReUid), (114, "setregid", setReGid),
        (115, "getgroups", getGroups), (116, "setgroups", setGroups), (117, "setresuid", setResUid),
        (118, "getresuid", getResUid), (119, "setresgid", setResGid), (120, "getresgid", getResGid),
        (122, "setfsuid", setFsUid), (123, "setfsgid", setFsGid),
        (109, "setpgid", setPgid), (112, "setsid", setSid), (121, "getpgid", getPgid), (124, "getsid", getSid),
    ]

    private static func parentPid(_ call: Call) -> Int32 {
        call.manager.tree.withLock { call.process.parent?.pid ?? 1 }
    }
    private static func change(
        _ call: Call, _ body: (inout Credentials) throws(Errno) -> Void
    ) throws(Errno) -> Outcome {
        try call.manager.tree.withLock { () throws(Errno) in
            var new = call.process.credentials
            let old = new
            try body(&new)
            new.fixCapabilities(from: old)
            call.process.credentials = new
        }
        call.manager.stamp(call.process)
        return .zero
    }
    private static let keep = UInt32.max

    @Sendable static func setUid(_ call: Call) throws(Errno) -> Outcome {
        let id = call.uint(0)
        guard id != keep else { throw .EINVAL }
        return try change(call) { (c) throws(Errno) in
            if c.has(Credentials.capSetUid) {
                c.uid = id
                c.suid = id
            } else if id != c.uid && id != c.suid {
                throw .EPERM
            }
            c.euid = id
            c.fsuid = id
        }
    }
    @Sendable static func setGid(_ call: Call) throws(Errno) -> Outcome {
        let id = call.uint(0)
        guard id != keep else { throw .EINVAL }
        return try change(call) { (c) throws(Errno) in
            if c.has(Credentials.capSetGid) {
                c.gid = id
                c.sgid = id
            } else if id != c.gid && id != c.sgid {
                throw .EPERM
            }
            c.egid = id
            c.fsgid = id
        }
    }
    @Sendable static func setReUid(_ call: Call) throws(Errno) -> Outcome {
        let (real, effective) = (call.uint(0), call.uint(1))
        return try change(call) { (c) throws(Errno) in
            let old = c
            let privileged = c.has(Credentials.capSetUid)
            if real != keep {
                guard privileged || real == old.uid || real == old.euid else { throw .EPERM }
                c.uid = real
            }
            if effective != keep {
                guard privileged || [old.uid, old.euid, old.suid].contains(effective) else { throw .EPERM }
                c.euid = effective
            }
            if real != keep || effective != keep && effective != old.uid { c.suid = c.euid }
            c.fsuid = c.euid
        }
    }
    @Sendable static func setReGid(_ call: Call) throws(Errno) -> Outcome {
        let (real, effective) = (call.uint(0), call.uint(1))
        return try change(call) { (c) throws(Errno) in
            let old = c
            let privileged = c.has(Credentials.capSetGid)
            if real != keep {
                guard privileged || real == old.gid || real == old.egid else { throw .EPERM }
                c.gid = real
            }
            if effective != keep {
                guard privileged || [old.gid, old.egid, old.sgid].contains(effective) else { throw .EPERM }
                c.egid = effective
            }
            if real != keep || effective != keep && effective != old.gid { c.sgid = c.egid }
            c.fsgid = c.egid
        }
    }
    @Sendable static func setResUid(_ call: Call) throws(Errno) -> Outcome {
        let ids = [call.uint(0), call.uint(1), call.uint(2)]
        return try change(call) { (c) throws(Errno) in
            let known = [c.uid, c.euid, c.suid]
            guard c.has(Credentials.capSetUid) || ids.allSatisfy({ $0 == keep || known.contains($0) }) else {
                throw .EPERM
            }
            if ids[0] != keep { c.uid = ids[0] }
            if ids[1] != keep { c.euid = ids[1] }
            if ids[2] != keep { c.suid = ids[2] }
            c.fsuid = c.euid
        }
    }
    @Sendable static func setResGid(_ call: Call) throws(Errno) -> Outcome {
        let ids = [call.uint(0), call.uint(1), call.uint(2)]
        return try change(call) { (c) throws(Errno) in
            let known = [c.gid, c.egid, c.sgid]
            guard c.has(Credentials.capSetGid) || ids.allSatisfy({ $0 == keep || known.contains($0) }) else {
                throw .EPERM
            }
            if ids[0] != keep { c.gid = ids[0] }
            if ids[1] != keep { c.egid = ids[1] }
            if ids[2] != keep { c.sgid = ids[2] }
            c.fsgid = c.egid
        }
    }
    @Sendable static func getResUid(_ call: Call) throws(Errno) -> Outcome {
        let c = call.process.credentials
        try call.writeStruct(c.uid, at: call[0])
        try call.writeStruct(c.euid, at: call[1])
        try call.writeStruct(c.suid, at: call[2])
        return .zero
    }
    @Sendable static func getResGid(_ call: Call) throws(Errno) -> Outcome {
        let c = call.process.credentials
        try call.writeStruct(c.gid, at: call[0])
        try call.writeStruct(c.egid, at: call[1])
        try call.writeStruct(c.sgid, at: call[2])
        return .zero
    }
    /// Always the old id, set or not (setfsuid(2)).
    @Sendable static func setFsUid(_ call: Call) throws(Errno) -> Outcome {
        let id = call.uint(0)
        return .done(
            value: call.manager.tree.withLock { () -> UInt32 in
                let c = call.process.credentials
                if c.has(Credentials.capSetUid) || [c.uid, c.euid, c.suid].contains(id) {
                    if id != keep { call.process.credentials.setFileSystemUser(id) }
                }
                return c.fsuid
            })
    }
    @Sendable static func setFsGid(_ call: Call) throws(Errno) -> Outcome {
        let id = call.uint(0)
        return .done(
            value: call.manager.tree.withLock { () -> UInt32 in
                let c = call.process.credentials
                if c.has(Credentials.capSetGid) || [c.gid, c.egid, c.sgid].contains(id) {
                    if id != keep { call.process.credentials.fsgid = id }
                }
                return c.fsgid
            })
    }
    @Sendable static func getGroups(_ call: Call) throws(Errno) -> Outcome {
        let groups = call.process.credentials.groups
        let room = call.int(0)
        guard room >= 0 else { throw .EINVAL }
        if room == 0 { return .done(value: groups.count) }
        guard Int(room) >= groups.count else { throw .EINVAL }
        try call.copyOut(groups.withUnsafeBytes { Array($0) }, to: call[1])
        return .done(value: groups.count)
    }
    @Sendable static func setGroups(_ call: Call) throws(Errno) -> Outcome {
        let count = call.int(0)
        guard call.process.credentials.has(Credentials.capSetGid) else { throw .EPERM }
        guard count >= 0, count <= 65536 else { throw .EINVAL }
        let bytes = try call.copyIn(call[1], count: Int(count) * 4)
        let groups = bytes.withUnsafeBytes { raw in
            (0..<Int(count)).map { raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
        }
        return try change(call) { (c) throws(Errno) in c.groups = groups.sorted() }
    }

    // MARK: groups and sessions

    @Sendable static func setPgid(_ call: Call) throws(Errno) -> Outcome {
        let caller = call.process
        let pid = call.int(0) == 0 ? caller.pid : call.int(0)
        let pgid = call.int(1) == 0 ? pid : call.int(1)
        guard pgid >= 0, pid > 0 else { throw .EINVAL }
        try call.manager.withTree { () throws(Errno) in
            guard let process = call.manager.processes[pid], process === caller || process.parent === caller else {
                throw .ESRCH
            }
            if process !== caller {
                guard process.sid == caller.sid else { throw .EPERM }
                guard !process.hasExecuted || process.spawned != nil else { throw .EACCES }
            }
            guard process.sid != process.pid else { throw .EPERM }
            if pgid != pid {
                guard call.manager.processes.values.contains(where: { $0.pgrp == pgid && $0.sid == caller.sid }) else {
                    throw .EPERM
                }
            }
            process.pgrp = pgid
        }
        return .zero
    }
    @Sendable static func setSid(_ call: Call) throws(Errno) -> Outcome {
        let process = call.process
        try call.manager.withTree { () throws(Errno) in
            guard !call.manager.processes.values.contains(where: { $0.pgrp == process.pid }) else { throw .EPERM }
            process.sid = process.pid
            process.isWithoutTerminal = false
            process.pgrp = process.pid
        }
        return .done(value: process.pid)
    }
    private static func find(_ call: Call) throws(Errno) -> Process {
        let pid = call.int(0)
        if pid == 0 { return call.process }
        guard pid > 0, let process = call.manager.process(pid) else { throw .ESRCH }
        return process
    }
    @Sendable static func getPgid(_ call: Call) throws(Errno) -> Outcome { .done(value: try find(call).pgrp) }
    @Sendable static func getSid(_ call: Call) throws(Errno) -> Outcome { .done(value: try find(call).sid) }
}
