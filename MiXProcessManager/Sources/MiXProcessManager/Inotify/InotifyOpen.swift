import CMiXFile
import Synchronization

/// Where an open file is, as its events say it: found out when the first one comes.
struct InotifyPlace {
    var node: NodeKey
    var parent: NodeKey?
    var name: [UInt8]
    var generation: UInt64
}

extension RemoteObject {
    /// Something was done with the open file. Called without locks.
    final func tell(_ event: UInt32) {
        guard manager.inotify.isActive, server == manager.fileServer, !isPathOnly, let place = inotifyPlace() else {
            return
        }
        let type = mode & FileMode.typeMask
        let event = event | (type == FileMode.directory ? InotifyBits.isDirectory : 0)
        if let parent = place.parent { manager.inotify.tell(parent, event, name: place.name) }
        manager.inotify.tell(place.node, event)
    }

    /// What only the directory hears of.
    final func tell(toParent event: UInt32) {
        guard let place = inotifyPlace(), let parent = place.parent else { return }
        manager.inotify.tell(parent, event, name: place.name)
    }

    private func inotifyPlace() -> InotifyPlace? {
        let generation = manager.inotify.nameGeneration
        if let known = place.withLock({ $0 }), known.generation == generation { return known }
        var cred = MixCred()
        cred.capabilities = MIX_CAP_ROOT
        guard let stat = try? stat(cred) else { return nil }
        let path = linkText(MixKey())
        var found = InotifyPlace(node: NodeKey(stat), parent: nil, name: [], generation: generation)
        if path.first == UInt8(ascii: "/"), let slash = path.lastIndex(of: UInt8(ascii: "/")), path.count > 1 {
            var request = MixObjRequest()
            request.op = FILE_STAT
            request.cred = cred
            let directory = slash == 0 ? [UInt8(ascii: "/")] : Array(path[..<slash])
            let answer = try? manager.objectCall(
                manager.fileServer, request, body: directory + [0], room: MemoryLayout<MixStat>.size)
            if let bytes = answer?.1, bytes.count >= MemoryLayout<MixStat>.size {
                found.parent = NodeKey(bytes.withUnsafeBytes { $0.loadUnaligned(as: MixStat.self) })
                found.name = Array(path[(slash + 1)...])
            }
        }
        place.withLock { $0 = found }
        return found
    }
}
