import ActorKit
import CChorus
import CMiXFile

/// /proc: text made on the fly. Processes are asked of the Process Manager; nothing of them is kept here.
final class Procfs: FileSystem, @unchecked Sendable {
    // Sendable: everything is set in init or by `plant`, before use.
    let id: UInt16
    let client: ProcessClient
    let names: NameSpace
    let opens: OpenTable
    let devices: DeviceTable
    let nucleus: Nucleus
    private var top: ProcRoot?
    private lazy var nowhere = Inode(fs: self, ino: 0, type: Linux.S_IFDIR)

    init(id: UInt16, nucleus: Nucleus, names: NameSpace, opens: OpenTable, devices: DeviceTable) {
        self.id = id
        self.nucleus = nucleus
        client = ProcessClient(nucleus: nucleus)
        self.names = names
        self.opens = opens
        self.devices = devices
        top = ProcRoot(self)
    }

    var typeName: String { "proc" }
    var isShared: Bool { true }
    var root: Inode { top ?? nowhere }

    func statistics() throws(Errno) -> MixStatfs {
        var out = MixStatfs()
        out.type = 0x9fa0  // PROC_SUPER_MAGIC
        out.bsize = 4096
        out.frsize = 4096
        out.namelen = 255
        out.fsid = UInt64(id)
        return out
    }

    func discard() { top = nil }

    /// The object behind a magic link.
    func target(_ reply: MixObjReply) throws(Errno) -> MagicTarget {
        var own = KnUniqueId()
        _ = nucleus.grpName(K_STAMP_FILE, &own)
        if reply.serverHead == own.uiHead, reply.serverTail == own.uiTail, own.uiHead | own.uiTail != 0 {
            // The root of the name space is never opened: zeros stand for it.
            if reply.key.object | reply.key.tag == 0 { return .object(try names.root()) }
            return .object(try opens.find(reply.key).place)
        }
        var reply = reply
        if reply.serverHead | reply.serverTail == 0 {
            let group = client.group
            reply.serverHead = group.uiHead
            reply.serverTail = group.uiTail
        }
        return .foreign(reply)
    }
}
