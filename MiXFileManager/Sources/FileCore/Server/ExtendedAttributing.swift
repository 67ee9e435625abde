import CMiXFile

/// FILE_XATTR and OBJ_XATTR (xattr(7)): namespaces, and who may use them.
extension FileServer {
    func extendedAttributes(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let found = try find(
            request, try request.string(), key: request.key, root: request.rootKey,
            follow: request.offset & UInt64(Linux.AT_SYMLINK_NOFOLLOW) == 0)
        // What is another server's has none.
        guard case .found(let place) = found else {
            if request.flags & MIX_XATTR_OPERATION == MIX_XATTR_LIST { return }
            throw .EOPNOTSUPP
        }
        try extendedAttributes(place, request.rest(behind: 1), request, &reply)
    }

    func objectExtendedAttributes(_ request: Request, _ reply: inout Reply) throws(Errno) {
        try extendedAttributes(try opens.find(request.key).place, request.body, request, &reply)
    }

    private func extendedAttributes(
        _ place: Location, _ text: UnsafeRawBufferPointer, _ request: Request, _ reply: inout Reply
    ) throws(Errno) {
        let operation = request.flags & MIX_XATTR_OPERATION
        if operation == MIX_XATTR_LIST {
            var out: [UInt8] = []
            do throws(Errno) {
                for one in try place.inode.extendedAttributes().all {
                    if one.name.starts(with: Self.trusted), !request.caller.isAdministrator { continue }
                    out += one.name + [0]
                }
            } catch {
                if error != .EOPNOTSUPP { throw error }
            }
            return try put(out, request, &reply)
        }
        guard let end = text.firstIndex(of: 0) else { throw .EINVAL }
        let name = Array(text[..<end])
        guard 1...Linux.NAME_MAX ~= name.count else { throw .ERANGE }
        let writing = operation != MIX_XATTR_GET
        try check(name, writing, place, request.caller)
        guard let space = Self.spaces.first(where: { name.starts(with: $0) }) else { throw .EOPNOTSUPP }
        if name.count == space.count { throw .EINVAL }
        switch operation {
        case MIX_XATTR_GET:
            guard let value = try place.inode.extendedAttributes()[name] else { throw .ENODATA }
            try put(value, request, &reply)
        case MIX_XATTR_SET:
            let value = Array(text[(end + 1)...])
            if value.count > ExtendedAttributes.most { throw .E2BIG }
            try checkSecurity(name, value, request.caller)
            // Both: it would have to be there and not.
            let (create, replace) = (request.flags & MIX_XATTR_CREATE != 0, request.flags & MIX_XATTR_REPLACE != 0)
            if create, replace {
                throw try place.inode.extendedAttributes()[name] == nil ? .ENODATA : .EEXIST
            }
            try place.inode.setExtendedAttribute(name, value, create ? .absent : replace ? .present : .either)
        case MIX_XATTR_REMOVE:
            try checkSecurity(name, nil, request.caller)
            try place.inode.setExtendedAttribute(name, nil, .present)
        default: throw .EINVAL
        }
    }

    private static let user = Array("user.".utf8)
    private static let trusted = Array("trusted.".utf8)
    private static let security = Array("security.".utf8)
    private static let system = Array("system.".utf8)
    /// Those that are kept; system. would be access control lists.
    private static let spaces = [user, trusted, security]

    private func put(_ bytes: [UInt8], _ request: Request, _ reply: inout Reply) throws(Errno) {
        if request.size > 0 {
            if UInt64(bytes.count) > request.size { throw .ERANGE }
            try bytes.withUnsafeBytesTyped { bytes throws(Errno) in try reply.put(bytes, request) }
        }
        reply.annex.diag = Int64(bytes.count)
    }

    /// As xattr_permission of Linux.
    private func check(_ name: [UInt8], _ writing: Bool, _ place: Location, _ caller: Caller) throws(Errno) {
        if writing, place.mount.readOnly { throw .EROFS }
        if name.starts(with: Self.security) || name.starts(with: Self.system) { return }
        if name.starts(with: Self.trusted) {
            guard caller.isAdministrator else { throw writing ? .EPERM : .ENODATA }
            return
        }
        let inode = place.inode
        let p = try inode.permissions()
        if name.starts(with: Self.user) {
            // Others' modes mean access to a device, or nothing.
            guard inode.isRegular || inode.isDirectory else { throw writing ? .EPERM : .ENODATA }
            if writing, inode.isDirectory, p.mode & Linux.S_ISVTX != 0, !caller.owns(p) { throw .EPERM }
        }
        if !caller.may(writing ? 2 : 4, p) { throw .EACCES }
    }

    /// Capabilities of a file must have their form (capabilities(7)); the rest of security. is the administrator's.
    private func checkSecurity(_ name: [UInt8], _ value: [UInt8]?, _ caller: Caller) throws(Errno) {
        guard name.starts(with: Self.security) else { return }
        guard name.elementsEqual("security.capability".utf8) else {
            if !caller.isAdministrator { throw .EPERM }
            return
        }
        if let value {
            // struct vfs_cap_data and vfs_ns_cap_data: the revision is the first word's top byte.
            guard value.count == 20 && value[3] == 2 || value.count == 24 && value[3] == 3 else { throw .EINVAL }
        }
        if !caller.maySetCapabilities { throw .EPERM }
    }
}
