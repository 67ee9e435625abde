import ActorKit
import CChorus
import CMiXFile
import Glibc

/// A nucleus table in this process: segments are arrays or host descriptors, calls to the process group go to a closure.
final class FakeNucleus: @unchecked Sendable {
    // Sendable: tests that use several threads guard it with `gate`.
    final class Store {
        var bytes: [UInt8] = []
        var descriptor: Int32 = -1
        var readOnly = false
        var writes: UInt64 = 0
        var modified: (Int64, Int64) = (0, 0)
        deinit { if descriptor >= 0 { close(descriptor) } }
    }

    let table: UnsafeMutablePointer<KnNucleus>
    private var gate = pthread_mutex_t()
    private var stores: [UInt32: Store] = [:]
    private var nextUi: UInt32 = 100
    var posted: [(KnUniqueId, UInt32)] = []
    var created = 0
    var adopted = 0
    var provider: ((MixObjRequest, [UInt8]) -> (MixObjReply, [UInt8]))?

    var nucleus: Nucleus { Nucleus(UnsafePointer(table)) }
    var live: Int { withGate { stores.count } }

    func withGate<R>(_ body: () -> R) -> R {
        pthread_mutex_lock(&gate)
        defer { pthread_mutex_unlock(&gate) }
        return body()
    }

    func add(_ store: Store) -> KnCap {
        withGate {
            nextUi += 1
            stores[nextUi] = store
            return KnCap(ui: KnUniqueId(uiHead: 7, uiTail: nextUi), key: KnKey(keyHead: 1, keyTail: nextUi))
        }
    }

    func store(_ cap: KnCap) -> Store? { withGate { stores[cap.ui.uiTail] } }
    func release(_ cap: KnCap) { withGate { stores[cap.ui.uiTail] = nil } }

    func size(_ store: Store) -> UInt64 {
        if store.descriptor < 0 { return UInt64(store.bytes.count) }
        var s = stat()
        fstat(store.descriptor, &s)
        return UInt64(s.st_size)
    }

    static func of(_ pointer: UnsafeMutableRawPointer?) -> FakeNucleus {
        Unmanaged<FakeNucleus>.fromOpaque(pointer.unsafelyUnwrapped).takeUnretainedValue()
    }

    init() {
        table = .allocate(capacity: 1)
        table.initialize(to: KnNucleus())
        pthread_mutex_init(&gate, nil)
        table.pointee.size = UInt32(MemoryLayout<KnNucleus>.size)
        // Never freed: segments may be let go after the test's last reference to this.
        table.pointee.`self` = Unmanaged.passRetained(self).toOpaque()
        connectSegments()
        table.pointee.sysRandom = { _, bytes, size in
            guard let bytes else { return K_EINVAL }
            return getentropy(bytes, Int(size)) == 0 ? K_OK : K_EHOST
        }
        table.pointee.sysLog = { _, _, _ in K_OK }
        table.pointee.portCreate = { _, _, ui in
            ui?.pointee = KnUniqueId(uiHead: 9, uiTail: 9)
            return 5
        }
        table.pointee.portDelete = { _, _, _ in K_OK }
        table.pointee.svMsgHandler = { _, _, _, _ in K_OK }
        table.pointee.grpAllocate = { _, _, _, _ in K_OK }
        table.pointee.grpPortInsert = { _, _, _ in K_OK }
        table.pointee.grpPortRemove = { _, _, _ in K_OK }
        table.pointee.grpName = { _, stamp, ui in
            ui?.pointee = KnUniqueId(uiHead: stamp, uiTail: 1)
            return K_OK
        }
        table.pointee.eventPost = { me, event, bits in
            guard let event else { return K_EINVAL }
            let fake = FakeNucleus.of(me)
            fake.withGate { fake.posted.append((event.pointee, bits)) }
            return K_OK
        }
        table.pointee.ipcCall = { me, _, _, _, annex, body, bodySize, replyAnnex, replyBody, replySize, _, _ in
            guard let annex, let replyAnnex else { return K_EINVAL }
            guard let provider = FakeNucleus.of(me).provider else { return K_EUNREACHABLE }
            let data = Array(UnsafeRawBufferPointer(start: body, count: body == nil ? 0 : Int(bodySize)))
            let (reply, out) = provider(annex.load(as: MixObjRequest.self), data)
            replyAnnex.storeBytes(of: reply, as: MixObjReply.self)
            let count = min(out.count, Int(replySize?.pointee ?? 0))
            out.withUnsafeBytes {
                if let replyBody, let from = $0.baseAddress { replyBody.copyMemory(from: from, byteCount: count) }
            }
            replySize?.pointee = UInt32(count)
            return K_OK
        }
    }

    private func connectSegments() {
        table.pointee.sgCreate = { me, _, size, cap in
            let fake = FakeNucleus.of(me)
            let store = Store()
            store.bytes = [UInt8](repeating: 0, count: Int(size))
            fake.created += 1
            cap?.pointee = fake.add(store)
            return K_OK
        }
        table.pointee.sgAdopt = { me, fd, flags, cap in
            let fake = FakeNucleus.of(me)
            let store = Store()
            store.descriptor = fcntl(fd, F_DUPFD_CLOEXEC, 0)
            if store.descriptor < 0 { return K_EHOST }
            store.readOnly = flags & K_SG_READONLY != 0
            fake.adopted += 1
            cap?.pointee = fake.add(store)
            return K_OK
        }
        table.pointee.sgRelease = { me, cap in
            guard let cap else { return K_EINVAL }
            FakeNucleus.of(me).release(cap.pointee)
            return K_OK
        }
        table.pointee.sgStat = { me, cap, out in
            let fake = FakeNucleus.of(me)
            guard let cap, let out, let store = fake.store(cap.pointee) else { return K_EUNKNOWN }
            out.pointee = KnSgStat()
            out.pointee.size = fake.size(store)
            out.pointee.writes = store.writes
            out.pointee.modifiedSec = store.modified.0
            out.pointee.modifiedNsec = store.modified.1
            return K_OK
        }
        table.pointee.sgTrunc = { me, cap, size in
            guard let cap, let store = FakeNucleus.of(me).store(cap.pointee) else { return K_EUNKNOWN }
            if store.readOnly { return K_EPRIV }
            if store.descriptor >= 0 { return ftruncate(store.descriptor, Int(size)) == 0 ? K_OK : K_EHOST }
            if size > 1 << 30 { return K_ENOMEM }
            if store.bytes.count > Int(size) {
                store.bytes.removeLast(store.bytes.count - Int(size))
            } else {
                store.bytes += [UInt8](repeating: 0, count: Int(size) - store.bytes.count)
            }
            return K_OK
        }
        table.pointee.sgRead = { me, from, to, size in
            guard let from, let to, let size, let store = FakeNucleus.of(me).store(from.pointee.dataObject) else {
                return K_EUNKNOWN
            }
            let offset = Int(clamping: from.pointee.startOffset)
            if store.descriptor >= 0 {
                size.pointee = UInt32(max(0, pread(store.descriptor, to, Int(size.pointee), offset)))
                return K_OK
            }
            let count = max(0, min(Int(size.pointee), store.bytes.count - offset))
            if count > 0 {
                store.bytes.withUnsafeBytes {
                    to.copyMemory(from: $0.baseAddress.unsafelyUnwrapped + offset, byteCount: count)
                }
            }
            size.pointee = UInt32(count)
            return K_OK
        }
        table.pointee.sgWrite = { me, to, from, size in
            guard let to, let from, let store = FakeNucleus.of(me).store(to.pointee.dataObject) else {
                return K_EUNKNOWN
            }
            if store.readOnly { return K_EPRIV }
            let offset = Int(clamping: to.pointee.startOffset)
            store.writes += 1
            store.modified = (Int64(time(nil)), 1)
            if store.descriptor >= 0 { return pwrite(store.descriptor, from, Int(size), offset) >= 0 ? K_OK : K_EHOST }
            if store.bytes.count < offset + Int(size) {
                store.bytes += [UInt8](repeating: 0, count: offset + Int(size) - store.bytes.count)
            }
            store.bytes.withUnsafeMutableBytes {
                ($0.baseAddress.unsafelyUnwrapped + offset).copyMemory(from: from, byteCount: Int(size))
            }
            return K_OK
        }
        table.pointee.sgPunch = { me, range in
            guard let range, let store = FakeNucleus.of(me).store(range.pointee.dataObject) else { return K_EUNKNOWN }
            let from = Int(range.pointee.startOffset)
            for i in from..<min(store.bytes.count, from + Int(range.pointee.size)) { store.bytes[i] = 0 }
            return K_OK
        }
        table.pointee.sgFlush = { _, _ in K_OK }
    }
}
