import CChorus
import CMiXFile

/// An open file as memory areas hold it: one more holder of the description, until the last area is gone.
final class FileMapping: MappedFile {
    let mappedSegment: KnCap
    private let description: OpenDescription

    fileprivate init(_ description: OpenDescription, _ segment: KnCap) {
        self.description = description
        mappedSegment = segment
        description.hold()
    }

    deinit { description.drop() }

    var isWritable: Bool { description.flags & 3 == FileFlags.readWrite }
    var isReadable: Bool { description.isReadable }
    var mappedIdentity: (device: UInt64, inode: UInt64) {
        guard let stat = try? description.stat(MixCred()) else { return (0, 0) }
        return (stat.dev, stat.ino)
    }
    func mappedPath() -> [UInt8] { description.linkText(MixKey()) }

    func synchronize() throws(Errno) {
        guard let remote = description.remote else { return }
        _ = try remote.manager.objectCall(remote.server, remote.request(OBJ_SYNC, MixCred()))
    }
}

extension ProcessManager {
    /// What mmap keeps of an open file.
    func mappedFile(_ call: Call, _ description: OpenDescription) throws(Errno) -> any MappedFile {
        // One object for all areas of a description, so that neighbouring areas can join.
        if let known = description.mapping { return known }
        let protection: UInt32 = description.isWritable ? 3 : 1
        let segment = try description.segment(protection: protection, call.process.mixCred())
        guard !segment.isNull else { throw .ENODEV }
        let mapping = FileMapping(description, segment)
        description.mapping = mapping
        return mapping
    }
}
