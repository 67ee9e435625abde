import CMiXFile
import CMiXSocket

/// What goes with the data of one message out: an address, descriptors, credentials.
struct SocketMessage {
    var address: [UInt8] = []
    var node: (device: UInt64, inode: UInt64) = (0, 0)
    var rights: [MixSocketRight] = []
    var control: [UInt8] = []
    var credentials: (pid: Int32, uid: UInt32, gid: UInt32)?

    static let mostInFront = 8192

    var frontSize: Int { address.count + rights.count * MemoryLayout<MixSocketRight>.size + control.count }

    func putFront(_ target: UnsafeMutableRawBufferPointer) {
        target.copyBytes(from: address)
        for (index, right) in rights.enumerated() {
            target.storeBytes(
                of: right, toByteOffset: address.count + index * MemoryLayout<MixSocketRight>.size,
                as: MixSocketRight.self)
        }
        UnsafeMutableRawBufferPointer(rebasing: target[(frontSize - control.count)...]).copyBytes(from: control)
    }

    func prepare(_ request: inout MixObjRequest) {
        request.arg = (
            UInt64(address.count) | UInt64(rights.count) << 16 | UInt64(control.count) << 32, node.device, node.inode, 0
        )
        guard let credentials else { return }
        request.arg.3 = UInt64(SOCK_CREDENTIALS)
        (request.cred.pid, request.cred.uid, request.cred.gid) = (credentials.pid, credentials.uid, credentials.gid)
    }

    /// What came in.
    struct Parts {
        var address: [UInt8]
        var rights: [MixSocketRight]
        var control: [UInt8]
        var dataAt: Int
    }

    /// nil where the server's answer does not hold what it says.
    static func split(_ reply: MixObjReply, _ bytes: [UInt8]) -> Parts? {
        let raw = reply.value.0
        let (address, rights, control) = (Int(raw & 0xffff), Int(raw >> 16 & 0xffff), Int(raw >> 32 & 0xffff))
        let size = MemoryLayout<MixSocketRight>.size
        let front = address + rights * size + control
        guard front <= bytes.count, rights <= Int(SOCK_RIGHTS_MAX) else { return nil }
        let tokens = bytes.withUnsafeBytes { raw in
            (0..<rights).map { raw.loadUnaligned(fromByteOffset: address + $0 * size, as: MixSocketRight.self) }
        }
        return Parts(
            address: [UInt8](bytes[..<address]), rights: tokens,
            control: [UInt8](bytes[address + rights * size..<front]), dataAt: front)
    }
}
