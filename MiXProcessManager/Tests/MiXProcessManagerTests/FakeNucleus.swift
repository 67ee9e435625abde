import ActorKit
import CChorus
import CMiXFile
import Glibc
import Synchronization

@testable import MiXProcessManager

/// A nucleus table with 64 KiB of guest memory at `base`, one set of registers, and a record of what was called.
final class FakeNucleus: @unchecked Sendable {
    // Sendable: guarded by `lock`.
    static let base: UInt64 = 0x10000
    let lock = Lock()
    var memory = [UInt8](repeating: 0, count: 0x10000)
    var context = KnThreadCtx()
    var completions: [(thread: Int32, result: Int64, context: UInt32)] = []
    var aborts: [Int32] = []
    var deletions = 0
    var shutdowns: [Int32] = []
    /// What other servers answer, and what they were asked; without it none can be reached.
    var answer: ((MixObjRequest) -> MixObjReply)?
    var asked: [MixObjRequest] = []
    private let table = UnsafeMutablePointer<KnNucleus>.allocate(capacity: 1)

    private static func me(_ pointer: UnsafeMutableRawPointer?) -> FakeNucleus {
        Unmanaged<FakeNucleus>.fromOpaque(pointer!).takeUnretainedValue()
    }
    private func range(_ address: UInt64, _ size: UInt32) -> Range<Int>? {
        guard address >= Self.base, address - Self.base + UInt64(size) <= UInt64(memory.count) else { return nil }
        let start = Int(address - Self.base)
        return start..<start + Int(size)
    }

    init() {
        table.initialize(to: KnNucleus())
        table.pointee.size = UInt32(MemoryLayout<KnNucleus>.size)
        table.pointee.`self` = Unmanaged.passUnretained(self).toOpaque()
        table.pointee.sysLog = { _, _, _ in K_OK }
        table.pointee.grpName = { _, _, _ in K_OK }
        table.pointee.ipcCall = { me, _, _, _, annex, _, _, back, _, size, _, _ in
            let fake = FakeNucleus.me(me)
            guard let answer = fake.lock.withLock({ fake.answer }), let annex, let back else { return K_EUNREACHABLE }
            let request = annex.load(as: MixObjRequest.self)
            fake.lock.withLock { fake.asked.append(request) }
            let reply = answer(request)
            back.storeBytes(of: reply, as: MixObjReply.self)
            if let size { size.pointee = request.op == OBJ_READ ? UInt32(max(0, reply.diag)) : 0 }
            return K_OK
        }
        table.pointee.eventCreate = { _, _, _, event in
            event?.pointee.ui = KnUniqueId(uiHead: 7, uiTail: 7)
            return K_OK
        }
        table.pointee.actorStat = { _, count, _ in
            count?.pointee = 0
            return K_OK
        }
        table.pointee.sysRandom = { _, bytes, size in
            if let bytes { memset(bytes, 7, Int(size)) }
            return K_OK
        }
        table.pointee.sysShutdown = { me, status in
            let fake = FakeNucleus.me(me)
            fake.lock.withLock { fake.shutdowns.append(status) }
            return K_OK
        }
        table.pointee.actorDelete = { me, _ in
            let fake = FakeNucleus.me(me)
            fake.lock.withLock { fake.deletions += 1 }
            return K_OK
        }
        table.pointee.threadAbort = { me, thread in
            let fake = FakeNucleus.me(me)
            fake.lock.withLock { fake.aborts.append(thread) }
            return K_OK
        }
        table.pointee.trapComplete = { me, thread, result, context in
            let fake = FakeNucleus.me(me)
            fake.lock.withLock { fake.completions.append((thread, result, context)) }
            return K_OK
        }
        table.pointee.threadContext = { me, _, old, now in
            let fake = FakeNucleus.me(me)
            fake.lock.withLock {
                old?.pointee = fake.context
                if let now { fake.context = now.pointee }
            }
            return K_OK
        }
        table.pointee.threadFpuGet = { _, _, _, size in
            size?.pointee = 0
            return K_OK
        }
        table.pointee.threadFpuSet = { _, _, _, _ in K_OK }
        table.pointee.svCopyIn = { me, _, address, to, size in
            let fake = FakeNucleus.me(me)
            return fake.lock.withLock {
                guard let range = fake.range(address, size), let to else { return K_EFAULT }
                fake.memory[range].withUnsafeBytes { to.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
                return K_OK
            }
        }
        table.pointee.svCopyOut = { me, _, from, address, size, _ in
            let fake = FakeNucleus.me(me)
            return fake.lock.withLock {
                guard let range = fake.range(address, size), let from else { return K_EFAULT }
                fake.memory.replaceSubrange(range, with: UnsafeRawBufferPointer(start: from, count: Int(size)))
                return K_OK
            }
        }
        table.pointee.threadCreate = { _, entry, argument, _, _, thread in
            thread?.pointee = 999
            let start = Unmanaged.passRetained(ThreadStart(entry, argument)).toOpaque()
            var host = pthread_t()
            let code = pthread_create(
                &host, nil,
                { raw in
                    Unmanaged<ThreadStart>.fromOpaque(raw!).takeRetainedValue().run()
                    return nil
                }, start)
            return code == 0 ? K_OK : K_EHOST
        }
    }
    deinit { table.deallocate() }

    var nucleus: Nucleus { Nucleus(UnsafePointer(table)) }

    func store<T: BitwiseCopyable>(_ value: T, at address: UInt64) {
        lock.withLock {
            withUnsafeBytes(of: value) {
                memory.replaceSubrange(Int(address - Self.base)..<Int(address - Self.base) + $0.count, with: $0)
            }
        }
    }
    func load<T: BitwiseCopyable>(_ type: T.Type, at address: UInt64) -> T {
        lock.withLock {
            memory.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: Int(address - Self.base), as: T.self) }
        }
    }
    var completed: [Int64] { lock.withLock { completions.map(\.result) } }
}

private final class ThreadStart {
    let entry: KnThreadHdl?
    let argument: UnsafeMutableRawPointer?
    init(_ entry: KnThreadHdl?, _ argument: UnsafeMutableRawPointer?) {
        self.entry = entry
        self.argument = argument
    }
    func run() { entry?(argument) }
}

/// A manager on a fake nucleus, with processes made by hand.
final class FakeSite {
    let fake = FakeNucleus()
    let manager: ProcessManager

    init() {
        manager = ProcessManager(fake.nucleus)
        let manager = self.manager
        manager.timers.afterBatch = { [unowned manager] in manager.drain() }
        _ = manager.timers.start(fake.nucleus)
    }
    deinit { manager.timers.stop() }

    func process(_ pid: Int32, parent: Process? = nil) -> Task {
        let process = Process(
            manager: manager, pid: pid, parent: parent, actor: KnCap(), files: DescriptorTable(),
            cwd: DirectoryRef.nameSpaceRoot(manager), root: DirectoryRef.nameSpaceRoot(manager),
            memory: AddressSpace())
        return task(pid, of: process, leader: true)
    }
    func task(_ tid: Int32, of process: Process, leader: Bool = false) -> Task {
        let task = Task(manager: manager, process: process, tid: tid, name: "test")
        task.thread = tid
        task.cookie = manager.taskTable.insert(task)
        manager.withTree {
            process.tasks.append(task)
            manager.tasks[tid] = task
            if leader {
                manager.processes[tid] = process
                process.parent?.children.append(process)
            }
        }
        task.inside.store(false, ordering: .sequentiallyConsistent)
        return task
    }

    /// A system call as the nucleus delivers it: what the handler returned, and the result.
    @discardableResult
    func trap(_ task: Task, _ number: UInt64, _ args: UInt64...) -> (code: Int32, result: Int64) {
        var frame = KnTrapFrame()
        frame.thread = task.thread
        frame.threadCookie = task.cookie
        frame.number = number
        let padded = args + [UInt64](repeating: 0, count: 6 - args.count)
        frame.args = (padded[0], padded[1], padded[2], padded[3], padded[4], padded[5])
        frame.rip = 0x40_0002
        fake.lock.withLock {
            fake.context.rip = 0x40_0002
            fake.context.rsp = FakeNucleus.base + 0xf000
        }
        let code = manager.trap(&frame)
        manager.drain()
        return (code, frame.result)
    }

    /// Waits for something another thread does; false after twenty seconds.
    func eventually(_ condition: () -> Bool) -> Bool {
        for _ in 0..<20_000 {
            if condition() { return true }
            usleep(1000)
        }
        return false
    }
}
