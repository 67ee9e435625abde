import ActorKit
import CChorus

/// The process table as a versioned message stream: one message a process, numbers little-endian.
///
/// Exported is what other servers cannot tell: identities, relations, credentials, signals. Guests are bound to the
/// nucleus connection that made them, so an importing manager takes over their numbers and wait statuses: processes
/// that ended can still be collected, running ones are reported killed.
extension ProcessManager {
    static let stateVersion: UInt32 = 1
    static let stateMagic: UInt32 = 0x4d69_5850  // "MiXP"

    func exportState(_ sequence: UInt32, _ message: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<UInt32>)
        -> Int32
    {
        let record = tree.withLock { () -> [UInt8]? in
            let all = processes.values.filter { $0.state != .reaped }.sorted { $0.pid < $1.pid }
            if sequence == 0 { return headerRecordLocked(count: all.count) }
            let index = Int(sequence) - 1
            return index < all.count ? ProcessRecord(all[index]).encode() : nil
        }
        guard let record else {
            size.pointee = 0
            return K_OK
        }
        guard let message, Int(size.pointee) >= record.count else { return K_ETOOBIG }
        message.copyMemory(from: record, byteCount: record.count)
        size.pointee = UInt32(record.count)
        return K_OK
    }

    private func headerRecordLocked(count: Int) -> [UInt8] {
        var writer = StateWriter()
        writer.put(Self.stateMagic)
        writer.put(Self.stateVersion)
        writer.put(UInt32(count))
        writer.put(UInt32(bitPattern: lastPid))
        writer.put(hostName)
        return writer.bytes
    }

    func importState(_ sequence: UInt32, _ message: UnsafeRawBufferPointer) -> Int32 {
        var reader = StateReader(message)
        if message.isEmpty { return K_OK }
        if sequence == 0 {
            guard let magic: UInt32 = reader.get(), magic == Self.stateMagic, let version: UInt32 = reader.get(),
                version == Self.stateVersion, let _: UInt32 = reader.get(), let last: UInt32 = reader.get(),
                let name = reader.bytes(), name.count <= 64
            else { return K_EINVAL }
            tree.withLock {
                lastPid = Int32(bitPattern: last)
                hostName = name
            }
            return K_OK
        }
        guard let record = ProcessRecord(&reader) else { return K_EINVAL }
        adopt(record)
        return K_OK
    }

    private func adopt(_ record: ProcessRecord) {
        let start = DirectoryRef.nameSpaceRoot(self)
        let process = Process(
            manager: self, pid: record.pid, parent: nil, actor: KnCap(), files: DescriptorTable(), cwd: start,
            root: start.dup(self), memory: AddressSpace())
        tree.withLock {
            process.pgrp = record.pgrp
            process.sid = record.sid
            process.command = record.command
            process.credentials = record.credentials
            process.state = .zombie
            process.groupExiting = true
            process.exitStatus = record.isZombie ? record.status : WaitStatus.killed(Signal.kill)
            if let parent = processes[record.parent] {
                process.parent = parent
                parent.children.append(process)
            }
            if record.isSpawned { process.spawned = SpawnState(isSiteProgram: record.isSiteProgram) }
            // Nobody could ever ask for the end of an orphan.
            if process.parent != nil || process.spawned != nil { processes[record.pid] = process }
        }
    }
}

/// One process in the state stream.
struct ProcessRecord: Equatable {
    var pid: Int32
    var parent: Int32
    var pgrp: Int32
    var sid: Int32
    var status: Int32
    var isZombie: Bool
    var isSpawned: Bool
    var isSiteProgram: Bool
    var credentials: Credentials
    var command: String

    init(_ process: Process) {
        pid = process.pid
        parent = process.parent?.pid ?? 0
        pgrp = process.pgrp
        sid = process.sid
        status = process.exitStatus
        isZombie = process.isZombie
        isSpawned = process.spawned != nil
        isSiteProgram = process.spawned?.isSiteProgram ?? false
        credentials = process.credentials
        command = process.command
    }

    func encode() -> [UInt8] {
        var writer = StateWriter()
        for value in [pid, parent, pgrp, sid, status] { writer.put(UInt32(bitPattern: value)) }
        writer.put(UInt32((isZombie ? 1 : 0) | (isSpawned ? 2 : 0) | (isSiteProgram ? 4 : 0)))
        let c = credentials
        for value in [c.uid, c.euid, c.suid, c.fsuid, c.gid, c.egid, c.sgid, c.fsgid] { writer.put(value) }
        for value in [c.effective, c.permitted, c.inheritable] { writer.put(value) }
        writer.put(UInt32(c.groups.count))
        for group in c.groups { writer.put(group) }
        writer.put(Array(command.utf8))
        return writer.bytes
    }

    init?(_ reader: inout StateReader) {
        var words: [UInt32] = []
        for _ in 0..<14 {
            guard let word: UInt32 = reader.get() else { return nil }
            words.append(word)
        }
        guard let effective: UInt64 = reader.get(), let permitted: UInt64 = reader.get(),
            let inheritable: UInt64 = reader.get(), let count: UInt32 = reader.get(), count <= 65536
        else { return nil }
        var groups: [UInt32] = []
        for _ in 0..<count {
            guard let group: UInt32 = reader.get() else { return nil }
            groups.append(group)
        }
        guard let name = reader.bytes() else { return nil }
        let signed = { (index: Int) in Int32(bitPattern: words[index]) }
        pid = signed(0)
        parent = signed(1)
        pgrp = signed(2)
        sid = signed(3)
        status = signed(4)
        guard pid > 0 else { return nil }
        isZombie = words[5] & 1 != 0
        isSpawned = words[5] & 2 != 0
        isSiteProgram = words[5] & 4 != 0
        credentials = Credentials(
            uid: words[6], euid: words[7], suid: words[8], fsuid: words[9], gid: words[10], egid: words[11],
            sgid: words[12], fsgid: words[13], groups: groups, effective: effective, permitted: permitted,
            inheritable: inheritable)
        command = String(decoding: name, as: UTF8.self)
    }
}
