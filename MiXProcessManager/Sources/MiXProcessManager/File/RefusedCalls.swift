import CMiXFile

/// Calls on files that are answered without being carried out, as a Linux without those parts does.
enum RefusedCalls {
    static let table: [(Int, String, SystemCallHandler)] =
        attributes

    /// Extended attributes: the path or descriptor is checked, then there are none (xattr(7)).
    private static let attributes: [(Int, String, SystemCallHandler)] = [
        (188, "setxattr", { (call) throws(Errno) in try path(call, .EOPNOTSUPP) }),
        (189, "lsetxattr", { (call) throws(Errno) in try path(call, .EOPNOTSUPP) }),
        (190, "fsetxattr", { (call) throws(Errno) in try descriptor(call, .EOPNOTSUPP) }),
        (191, "getxattr", { (call) throws(Errno) in try path(call, .EOPNOTSUPP) }),
        (192, "lgetxattr", { (call) throws(Errno) in try path(call, .EOPNOTSUPP) }),
        (193, "fgetxattr", { (call) throws(Errno) in try descriptor(call, .EOPNOTSUPP) }),
        (194, "listxattr", { (call) throws(Errno) in try path(call, nil) }),
        (195, "llistxattr", { (call) throws(Errno) in try path(call, nil) }),
        (196, "flistxattr", { (call) throws(Errno) in try descriptor(call, nil) }),
        (197, "removexattr", { (call) throws(Errno) in try path(call, .EOPNOTSUPP) }),
        (198, "lremovexattr", { (call) throws(Errno) in try path(call, .EOPNOTSUPP) }),
        (199, "fremovexattr", { (call) throws(Errno) in try descriptor(call, .EOPNOTSUPP) }),
    ]

    private static func path(_ call: Call, _ answer: Errno?) throws(Errno) -> Outcome {
        let path = try call.path(0)
        let isLink = [189, 192, 195, 198].contains(call.number)
        var named = try PathCall(call, FILE_STAT, at: PathCall.currentDirectory, path)
        named.request.flags = isLink ? PathCall.noFollow : 0
        _ = try named.send(path, MixStat.self, empty: MixStat())
        if let answer { throw answer }
        return .zero
    }

    private static func descriptor(_ call: Call, _ answer: Errno?) throws(Errno) -> Outcome {
        _ = try call.openDescription(0)
        if let answer { throw answer }
        return .zero
    }
}
