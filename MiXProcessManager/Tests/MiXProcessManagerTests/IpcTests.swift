import Testing

@testable import MiXProcessManager

private func credentials(_ uid: UInt32, groups: [UInt32] = [], capabilities: UInt64 = 0) -> Credentials {
    var who = Credentials()
    (who.uid, who.euid, who.gid, who.egid) = (uid, uid, uid, uid)
    (who.groups, who.effective) = (groups, capabilities)
    return who
}

@Test func permissionsGoByOwnerThenGroupThenOthers() {
    let permission = IpcPermission(key: 1, mode: 0o640, creator: credentials(5))
    #expect(throws: Never.self) { try permission.check(credentials(5), Ipc.read | Ipc.write) }
    #expect(throws: Never.self) { try permission.check(credentials(6, groups: [5]), Ipc.read) }
    #expect(throws: Errno.EACCES) { try permission.check(credentials(6, groups: [5]), Ipc.write) }
    #expect(throws: Errno.EACCES) { try permission.check(credentials(7), Ipc.read) }
    #expect(throws: Never.self) { try permission.check(credentials(7, capabilities: 1 << 15), Ipc.write) }
    #expect(throws: Errno.EPERM) { try permission.checkOwner(credentials(7)) }
}

@Test func numbersOfRemovedObjectsAreNotUsedAgain() throws {
    let table = IpcTable<MessageQueue>(most: 2)
    let root = credentials(0)
    func make(_ key: Int32, _ flags: UInt32 = Ipc.create) throws(Errno) -> Int32 {
        try table.get(key: key, flags: flags | 0o600, root) { (_) throws(Errno) in
        } make: { (id, permission) throws(Errno) in
            MessageQueue(id: id, permission: permission)
        }
    }
    let first = try make(7)
    #expect(try make(7, 0) == first)
    #expect(throws: Errno.EEXIST) { try make(7, Ipc.create | Ipc.exclusive) }
    let second = try make(0)
    #expect(throws: Errno.ENOSPC) { try make(0) }
    table.remove(try table.find(first))
    #expect(throws: Errno.EINVAL) { try table.find(first) }
    #expect(throws: Errno.ENOENT) { try make(7, 0) }
    let third = try make(7)
    #expect(third != first && third & 0x7fff == first & 0x7fff)
    #expect(try table.find(second).id == second && table.highest == 1)
}

@Test func semaphoreOperationsAreAllOrNothing() throws {
    let set = SemaphoreSet(id: 0, permission: IpcPermission(key: 0, mode: 0o600, creator: credentials(0)), count: 2)
    typealias Operation = SemaphoreSet.Operation
    #expect(try set.perform([Operation(number: 0, change: 2, flags: Operation.undo)], by: 9) == nil)
    let blocked = try set.perform(
        [Operation(number: 0, change: -1, flags: 0), Operation(number: 1, change: -1, flags: 0)], by: 9)
    #expect(blocked == SemaphoreSet.Blocked(number: 1, untilZero: false))
    #expect(set.semaphores.map(\.value) == [2, 0])
    #expect(throws: Errno.ERANGE) { try set.perform([Operation(number: 0, change: 32767, flags: 0)], by: 9) }
    set.undo(of: 9)
    #expect(set.semaphores.map(\.value) == [0, 0])
    #expect(try set.perform([Operation(number: 0, change: 2, flags: Operation.undo)], by: 9) == nil)
    set.set(0, to: 5, by: 8)
    set.undo(of: 9)
    #expect(set.semaphores[0].value == 5 && set.semaphores[0].pid == 8)
}

@Test func messagesAreChosenByType() {
    let queue = MessageQueue(id: 0, permission: IpcPermission(key: 0, mode: 0o600, creator: credentials(0)))
    for type: Int64 in [5, 2, 9, 2] { #expect(queue.append(MessageQueue.Message(type: type, text: [1]), by: 1)) }
    #expect(queue.index(of: 0, except: false) == 0)
    #expect(queue.index(of: 2, except: false) == 1)
    #expect(queue.index(of: 5, except: true) == 1)
    #expect(queue.index(of: -4, except: false) == 1)
    #expect(queue.index(of: .min, except: false) == 1)
    #expect(queue.index(of: -1, except: false) == nil)
    #expect(!queue.append(MessageQueue.Message(type: 1, text: [UInt8](repeating: 0, count: 16381)), by: 1))
}

@Test func posixMessagesComeByPriorityThenAge() {
    let queues = PosixQueues()
    let weight = PosixQueue.Weight(uid: 0, most: 10, size: 8)
    #expect(weight.bytes == 10 * 56 + 10 * 48)
    let queue = PosixQueue(name: [1], most: 10, size: 8, mode: 0o600, owner: .init(), weight, queues)
    for (priority, text) in [(1, 1), (5, 2), (3, 3), (5, 4)] as [(UInt32, UInt8)] {
        queue.insert(PosixQueue.Message(priority: priority, text: [text]))
    }
    var order: [UInt8] = []
    while let message = queue.take() { order += message.text }
    #expect(order == [2, 4, 3, 1] && queue.bytes == 0)
}
