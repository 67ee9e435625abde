import ActorKit
import CChorus
import CMiXDevice
import CMiXFile
import Glibc

/// A table of nucleus calls with just enough behind it to run the server: it keeps what was posted and sent.
final class FakeNucleus: @unchecked Sendable {
    // Sendable: everything below is reached with `lock` held, or before threads start.
    let table = UnsafeMutablePointer<KnNucleus>.allocate(capacity: 1)
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var semaphores: [Int32: UnsafeMutablePointer<sem_t>] = [:]
    private var state = State()

    struct State {
        var handler: KnMsgHdl?
        var cookie: UnsafeMutableRawPointer?
        var posts: [(event: UInt32, bits: UInt32)] = []
        var signals: [(signal: Int32, group: Int32)] = []
        var nodes: [String: UInt64] = [:]
        var unreachable = 0  // calls to the File Manager that still fail
        var orphans: Set<Int32> = []
        var ignoring: Set<Int32> = []
        var sessions: [Int32: Int32] = [:]
        var missing: Set<Int32> = []
    }

    func with<R>(_ body: (inout State) -> R) -> R {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return body(&state)
    }

    var nucleus: Nucleus { Nucleus(table) }

    private static func of(_ pointer: UnsafeMutableRawPointer?) -> FakeNucleus {
        Unmanaged<FakeNucleus>.fromOpaque(pointer!).takeUnretainedValue()
    }

    init() {
        pthread_mutex_init(lock, nil)
        table.initialize(to: KnNucleus())
        table.pointee.size = UInt32(MemoryLayout<KnNucleus>.size)
        table.pointee.`self` = Unmanaged.passUnretained(self).toOpaque()
        connectPorts()
        connectMessages()
        connectThreads()
    }

    private func connectPorts() {
        table.pointee.portCreate = { _, _, ui in
            ui?.pointee = KnUniqueId(uiHead: 7, uiTail: 7)
            return 1
        }
        table.pointee.portDelete = { _, _, _ in K_OK }
        table.pointee.grpAllocate = { _, _, _, _ in K_OK }
        table.pointee.grpPortInsert = { _, _, _ in K_OK }
        table.pointee.grpPortRemove = { _, _, _ in K_OK }
        table.pointee.grpName = { _, stamp, ui in
            ui?.pointee = KnUniqueId(uiHead: stamp, uiTail: 1)
            return K_OK
        }
        table.pointee.svMsgHandler = { me, _, handler, cookie in
            FakeNucleus.of(me).with { ($0.handler, $0.cookie) = (handler, cookie) }
            return K_OK
        }
    }

    private func connectMessages() {
        table.pointee.eventPost = { me, event, bits in
            FakeNucleus.of(me).with { $0.posts.append((event!.pointee.uiTail, bits)) }
            return K_OK
        }
        table.pointee.ipcSend = { me, _, _, _, annex, _, _ in
            let request = annex!.load(as: MixObjRequest.self)
            FakeNucleus.of(me).with {
                $0.signals.append((Int32(request.arg.0), Int32(truncatingIfNeeded: request.arg.1)))
            }
            return K_OK
        }
        table.pointee.ipcCall = { me, _, dest, _, annex, body, _, replyAnnex, _, _, _, _ in
            let request = annex!.load(as: MixObjRequest.self)
            var reply = MixObjReply()
            let result = FakeNucleus.of(me).with { state in
                if dest!.pointee.target.uiHead == K_STAMP_FILE {
                    if state.unreachable > 0 {
                        state.unreachable -= 1
                        return K_EUNREACHABLE
                    }
                    let name = String(cString: body!.assumingMemoryBound(to: CChar.self))
                    state.nodes[name] = request.op == FILE_DEV_REGISTER ? request.key.object : nil
                    return K_OK
                }
                let group = Int32(truncatingIfNeeded: request.arg.1)
                if request.op == PROC_SIGNAL_GROUP {
                    state.signals.append((Int32(request.arg.0), group))
                    return K_OK
                }
                if state.missing.contains(group) { reply.diag = -Int64(ESRCH) }
                reply.value.0 = state.orphans.contains(group) ? 1 : 0
                reply.value.1 = state.ignoring.contains(request.cred.pid) ? 1 : 0
                reply.value.2 = UInt64(state.sessions[group] ?? 0)
                return K_OK
            }
            replyAnnex!.storeBytes(of: reply, as: MixObjReply.self)
            return result
        }
        table.pointee.sysRandom = { _, bytes, size in
            arc4(bytes!, Int(size))
            return K_OK
        }
        table.pointee.sysLog = { _, _, _ in K_OK }
    }

    private func connectThreads() {
        table.pointee.threadCreate = { _, entry, argument, _, _, _ in
            final class Start {
                let entry: KnThreadHdl
                let argument: UnsafeMutableRawPointer?
                init(_ entry: @escaping KnThreadHdl, _ argument: UnsafeMutableRawPointer?) {
                    self.entry = entry
                    self.argument = argument
                }
            }
            var thread = pthread_t()
            let start = Unmanaged.passRetained(Start(entry!, argument))
            let result = pthread_create(
                &thread, nil,
                { start in
                    let start = Unmanaged<Start>.fromOpaque(start!).takeRetainedValue()
                    start.entry(start.argument)
                    return nil
                }, start.toOpaque())
            pthread_detach(thread)
            return result == 0 ? K_OK : K_EHOST
        }
        table.pointee.threadDelay = { _, milliseconds in
            usleep(UInt32(milliseconds) * 1000)
            return K_OK
        }
        table.pointee.semInit = { me, semaphore, count in
            let made = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
            sem_init(made, 0, count)
            let me = FakeNucleus.of(me)
            pthread_mutex_lock(me.lock)
            semaphore!.pointee.li = Int32(me.semaphores.count + 1)
            me.semaphores[semaphore!.pointee.li] = made
            pthread_mutex_unlock(me.lock)
            return K_OK
        }
        table.pointee.semV = { me, semaphore in
            sem_post(FakeNucleus.of(me).semaphore(semaphore!.pointee.li))
            return K_OK
        }
        table.pointee.semP = { me, semaphore, delay in
            let semaphore = FakeNucleus.of(me).semaphore(semaphore!.pointee.li)
            if delay < 0 {
                while sem_wait(semaphore) != 0 && errno == EINTR {}
                return K_OK
            }
            var until = timespec()
            clock_gettime(CLOCK_REALTIME, &until)
            let nanoseconds = until.tv_nsec + Int(delay) * 1_000_000
            until.tv_sec += nanoseconds / 1_000_000_000
            until.tv_nsec = nanoseconds % 1_000_000_000
            return sem_timedwait(semaphore, &until) == 0 ? K_OK : K_ETIMEOUT
        }
        table.pointee.semDelete = { _, _ in K_OK }
    }

    private func semaphore(_ li: Int32) -> UnsafeMutablePointer<sem_t> {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return semaphores[li]!
    }
}

private func arc4(_ bytes: UnsafeMutableRawPointer, _ size: Int) {
    var random = SystemRandomNumberGenerator()
    for i in 0..<size { bytes.storeBytes(of: random.next(), toByteOffset: i, as: UInt8.self) }
}
