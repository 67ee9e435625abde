import CMiXFile

/// A path name of AF_UNIX: a node in the File Manager's name space, which tells the Socket Manager whose it is.
struct SocketPath {
    let path: [UInt8]

    struct Node {
        var device: UInt64
        var inode: UInt64
    }

    /// nil: a sockaddr_un without a path.
    init?(_ address: [UInt8]) {
        guard address.count > 2, address.count <= 110, address[0] == 1, address[1] == 0, address[2] != 0 else {
            return nil
        }
        path = [UInt8](address[2...].prefix { $0 != 0 })
    }

    /// bind(2) makes the node. EADDRINUSE where the name is taken.
    func make(_ call: Call) throws(Errno) -> Node {
        var named = try PathCall(call, FILE_MKNOD, at: PathCall.currentDirectory, path)
        named.request.arg.2 = UInt64(FileMode.socket | 0o777 & ~call.process.umask)
        do throws(Errno) {
            _ = try named.send(path)
        } catch {
            throw error == .EEXIST ? .EADDRINUSE : error
        }
        let stat = try status(call)
        return Node(device: stat.dev, inode: stat.ino)
    }

    func remove(_ call: Call) {
        let named = try? PathCall(call, FILE_UNLINK, at: PathCall.currentDirectory, path)
        _ = try? named?.send(path)
    }

    /// connect(2) and sendto(2) need write permission (unix(7)). ECONNREFUSED: no socket's.
    func find(_ call: Call) throws(Errno) -> Node {
        let stat = try status(call)
        guard stat.mode & FileMode.typeMask == FileMode.socket else { throw .ECONNREFUSED }
        var access = try PathCall(call, FILE_ACCESS, at: PathCall.currentDirectory, path)
        access.request.arg.2 = 2  // W_OK
        _ = try access.send(path)
        return Node(device: stat.dev, inode: stat.ino)
    }

    private func status(_ call: Call) throws(Errno) -> MixStat {
        try PathCall(call, FILE_STAT, at: PathCall.currentDirectory, path).send(path, MixStat.self, empty: MixStat())
    }
}
