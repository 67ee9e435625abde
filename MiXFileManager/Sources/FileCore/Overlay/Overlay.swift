import ActorKit
import CMiXFile

/// A host directory, never changed, under an upper layer in memory. The upper layer is a Tmpfs whose nodes may stand for a
/// lower file: attributes and data are copied up separately, each when it is first changed. A node keeps its inode number
/// and identity over copy-up, and a lower directory can be renamed: it takes its lower along.
final class Overlay: Tmpfs, @unchecked Sendable {
    // Sendable: `lock` guards the tables and every node; the lower tree's lock is taken inside it, never the reverse.
    struct DentryKey: Hashable {
        let directory: ObjectIdentifier
        let name: Name
    }
    struct Dentry {
        let directory: OverlayNode  // keeps the identity in the key valid
        let node: OverlayNode?
        let generation: UInt32
    }

    let lower: HostDirectory
    /// The node of every lower file seen. Changed ones stay; others may be forgotten.
    private var nodes: [HostId: OverlayNode] = [:]
    private var dentries: [DentryKey: Dentry] = [:]
    private let limit = 65_536

    init(id: UInt16, nucleus: Nucleus, lower: HostDirectory) throws(Errno) {
        self.lower = lower
        // Numbers of new files lie beyond those of the lower tree's first device.
        super.init(id: id, nucleus: nucleus, firstIno: 1 << 40)
        guard let root = lower.rootHost else { throw .EINVAL }
        let node = OverlayNode(overlay: self, lower: root)
        nodes[root.hostId] = node
        plant(node)
    }

    override var typeName: String { "overlay" }

    override func newNode(_ new: NewNode) -> TmpNode { OverlayNode(overlay: self, new) }

    override func statistics() throws(Errno) -> MixStatfs {
        var out = try super.statistics()
        out.type = 0x794c_7630  // OVERLAYFS_SUPER_MAGIC
        return out
    }

    /// The node of a lower file found in `directory`.
    func lockedNode(_ host: HostInode, in directory: OverlayNode, _ name: Name) -> OverlayNode {
        if let known = nodes[host.hostId] {
            if !known.isRemoved, known.parent == nil || !known.ownsMeta {
                known.parent = directory
                known.name = name
            }
            return known
        }
        if nodes.count >= limit { lockedSweep() }
        let node = OverlayNode(overlay: self, lower: host)
        node.parent = directory
        node.name = name
        nodes[host.hostId] = node
        return node
    }

    func lockedCached(_ directory: OverlayNode, _ name: Name, generation: UInt32) -> Dentry? {
        guard let dentry = dentries[DentryKey(directory: ObjectIdentifier(directory), name: name)],
            dentry.generation == generation
        else { return nil }
        return dentry
    }

    func lockedCache(_ directory: OverlayNode, _ name: Name, _ node: OverlayNode?, generation: UInt32) {
        if dentries.count > 2 * limit { dentries.removeAll() }
        let key = DentryKey(directory: ObjectIdentifier(directory), name: name)
        dentries[key] = Dentry(directory: directory, node: node, generation: generation)
    }

    private func lockedSweep() {
        dentries.removeAll()
        var all = nodes.map { $0 }
        nodes = [:]
        for i in 0..<all.count where all[i].value.isChanged || !isKnownUniquelyReferenced(&all[i].value) {
            nodes[all[i].key] = all[i].value
        }
    }

    /// A name is gone, and with it what was remembered of it.
    func lockedUncache(_ directory: OverlayNode, _ name: Name) {
        dentries[DentryKey(directory: ObjectIdentifier(directory), name: name)] = nil
    }

    /// The last name of a lower file is gone: only who has it open still holds its node.
    func lockedForget(_ host: HostInode) { nodes[host.hostId] = nil }

    /// Nodes that stand for a lower file and carry something of their own.
    var lockedChanged: [OverlayNode] { nodes.values.filter { $0.isChanged } }
    func lockedAdopt(_ node: OverlayNode, _ host: HostInode) { nodes[host.hostId] = node }

    override func discard() {
        super.discard()
        lock.lock()
        dentries.removeAll()
        nodes.removeAll()
        lock.unlock()
        lower.discard()
    }
}
