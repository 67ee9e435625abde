import ActorKit
import CChorus
import CMiXDevice
import CMiXFile
import Glibc

/// The nodes this server wants to see under /dev.
struct DeviceNode {
    var name: String
    var mode: UInt32
    var major: UInt32
    var minor: UInt32
    var uid: UInt32 = 0
    var gid: UInt32 = 0

    static var fixed: [DeviceNode] {
        MemoryDevice.allCases.map { DeviceNode(name: $0.name, mode: $0.mode, major: 1, minor: $0.rawValue) } + [
            DeviceNode(name: "tty", mode: S_IFCHR | 0o666, major: 5, minor: 0),
            DeviceNode(name: "console", mode: S_IFCHR | 0o600, major: 5, minor: 1),
            DeviceNode(name: "ptmx", mode: S_IFCHR | 0o666, major: 5, minor: 2),
        ]
    }
}

extension DeviceManager {
    private static let attempts = 500
    private static let pause: Int32 = 20  // milliseconds

    /// Registers the fixed nodes. While the File Manager is not there yet, a thread keeps trying.
    func registerNodes() {
        let left = register(DeviceNode.fixed)
        guard !left.isEmpty else { return }
        let manager = self
        _ = ServerThreads(nucleus: nucleus).start("register") {
            var left = left
            for _ in 0..<Self.attempts {
                manager.nucleus.threadDelay(Self.pause)
                guard manager.connection.withLock({ $0.port > 0 }) else { return }
                left = manager.register(left)
                if left.isEmpty { return }
            }
            manager.nucleus.sysLog(0, "no File Manager takes \(left.count) device nodes, the first is \(left[0].name)")
        }
    }

    /// Returns the nodes that could not be registered yet.
    private func register(_ nodes: [DeviceNode]) -> [DeviceNode] {
        nodes.filter { node in
            switch call(FILE_DEV_REGISTER, node) {
            case .some(0...): return false
            case .some(failure(EEXIST)): return false
            case .some(let diag) where diag != failure(ENOENT) && diag != failure(EAGAIN) && diag != failure(ENODEV):
                nucleus.sysLog(1, "the File Manager refuses /dev/\(node.name): errno \(-diag)")
                return false
            default: return true
            }
        }
    }

    /// One FILE_DEV_* request; nil where no File Manager answers.
    func call(_ op: UInt32, _ node: DeviceNode) -> Int64? {
        let (port, group) = connection.withLock { ($0.port, $0.groupName) }
        var files = KnUniqueId()
        guard port > 0, nucleus.grpName(K_STAMP_FILE, &files) >= 0 else { return nil }
        var destination = KnIpcDest(target: files, coTarget: KnUniqueId())
        var annex = Annex<MixObjRequest>(MixObjRequest())
        annex.value.op = op
        annex.value.key = MixKey(object: deviceKey(node.major, node.minor), tag: 0)
        annex.value.arg = (
            UInt64(node.mode), deviceKey(node.major, node.minor), UInt64(group.uiHead), UInt64(group.uiTail)
        )
        annex.value.cred.uid = node.uid
        annex.value.cred.gid = node.gid
        annex.value.cred.capabilities = MIX_CAP_ROOT
        var reply = Annex<MixObjReply>(MixObjReply())
        var size: UInt32 = 0
        let result = node.name.withCString { name in
            annex.withBytes { bytes in
                reply.withMutableBytes { replyBytes in
                    nucleus.ipcCall(
                        port, &destination, K_FUNCMODE, bytes, name, UInt32(strlen(name) + 1), replyBytes, nil, &size,
                        0, 2000)
                }
            }
        }
        return result >= 0 ? reply.value.diag : nil
    }
}
