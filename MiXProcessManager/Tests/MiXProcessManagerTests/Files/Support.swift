import ActorKit
import CChorus
import CMiXFile

@testable import MiXProcessManager

/// A manager on a nucleus table whose calls do nothing, but for the messages that `answers` serves.
final class TestSite {
    let manager: ProcessManager
    private let table: UnsafeMutablePointer<KnNucleus>
    private let server: UnsafeMutablePointer<TestServer>

    init(_ answer: @escaping (MixObjRequest) -> MixObjReply = { _ in MixObjReply() }) {
        table = .allocate(capacity: 1)
        server = .allocate(capacity: 1)
        server.initialize(to: TestServer(answer: answer))
        var calls = KnNucleus()
        calls.size = UInt32(MemoryLayout<KnNucleus>.size)
        calls.`self` = UnsafeMutableRawPointer(server)
        calls.sysLog = { _, _, _ in K_OK }
        calls.grpName = { _, stamp, ui in
            ui?.pointee = KnUniqueId(uiHead: 1, uiTail: stamp)
            return K_OK
        }
        calls.eventCreate = { _, _, _, cap in
            cap?.pointee.ui = KnUniqueId(uiHead: 7, uiTail: 7)
            return K_OK
        }
        calls.ipcCall = { this, _, _, _, annex, _, _, back, _, size, _, _ in
            guard let server = this?.assumingMemoryBound(to: TestServer.self), let annex, let back else {
                return K_EINVAL
            }
            let request = annex.load(as: MixObjRequest.self)
            server.pointee.seen.append(request)
            back.storeBytes(of: server.pointee.answer(request), as: MixObjReply.self)
            size?.pointee = 0
            return K_OK
        }
        calls.sgCreate = { _, _, _, cap in
            cap?.pointee.ui = KnUniqueId(uiHead: 9, uiTail: 9)
            return K_OK
        }
        calls.sgRelease = { _, _ in K_OK }
        table.initialize(to: calls)
        manager = ProcessManager(Nucleus(UnsafePointer(table)))
    }

    var seen: [MixObjRequest] { server.pointee.seen }
    func ops() -> [UInt32] { seen.map(\.op) }

    func process(_ pid: Int32) -> Process {
        let root = DirectoryRef.nameSpaceRoot(manager)
        return Process(
            manager: manager, pid: pid, parent: nil, actor: KnCap(), files: DescriptorTable(), cwd: root,
            root: root.dup(manager), memory: AddressSpace())
    }
}

struct TestServer {
    let answer: (MixObjRequest) -> MixObjReply
    var seen: [MixObjRequest] = []
}

/// A description that only remembers whether it was closed.
final class Probe: OpenDescription, @unchecked Sendable {
    // Sendable: tests use one thread.
    var closes = 0
    var lockReleases: [Int32] = []
    override func closed() { closes += 1 }
    override func releaseLocks(of cred: MixCred) { lockReleases.append(cred.pid) }
    convenience init(_ site: TestSite) { self.init(site.manager, flags: FileFlags.readWrite) }
}

/// A program's memory: addresses are indices.
final class FakeMemory: UserCopy {
    var bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
    init(count: Int) { bytes = Array(repeating: 0, count: count) }

    func copyIn(_ address: UInt64, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        guard Int(address) + buffer.count <= bytes.count else { throw .EFAULT }
        for index in buffer.indices { buffer[index] = bytes[Int(address) + index] }
    }
    func copyOut(_ buffer: UnsafeRawBufferPointer, to address: UInt64) throws(Errno) {
        guard Int(address) + buffer.count <= bytes.count else { throw .EFAULT }
        for index in buffer.indices { bytes[Int(address) + index] = buffer[index] }
    }
}
