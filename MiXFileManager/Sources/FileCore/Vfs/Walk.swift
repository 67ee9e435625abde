import CMiXFile

/// How a path is to be followed.
struct WalkOptions {
    var followLast = true
    /// Stop in front of the last component: for calls that make or remove a name.
    var wantParent = false
    var resolve: UInt64 = 0
}

/// Where a walk ended.
enum WalkResult {
    case found(Location)
    /// wantParent: the directory, the last name, whether a slash followed it. `name` nil: the path ends in "/", "." or
    /// ".." and `directory` is that object itself.
    case parent(directory: Location, name: Name?, slash: Bool, dots: Int)
    /// A magic link to an object of another server.
    case foreign(MixObjReply)
}

/// Path resolution as in path_resolution(7) and openat2(2): from `start` below `root`, one component at a time.
struct Walk {
    let names: NameSpace
    let caller: Caller
    private(set) var root: Location
    private var place: Location
    private let options: WalkOptions
    private var links = 0
    private var isScoped: Bool

    init(_ names: NameSpace, _ caller: Caller, start: Location, root: Location, _ options: WalkOptions) {
        self.names = names
        self.caller = caller
        self.options = options
        self.place = start
        // BENEATH and IN_ROOT both make the start the root; they differ in what leaving it means.
        isScoped = options.resolve & (Linux.RESOLVE_BENEATH | Linux.RESOLVE_IN_ROOT) != 0
        self.root = isScoped ? start : root
    }

    private func has(_ bit: UInt64) -> Bool { options.resolve & bit != 0 }

    mutating func run(_ path: UnsafeRawBufferPointer) throws(Errno) -> WalkResult {
        if path.isEmpty { throw .ENOENT }
        if path.count >= Linux.PATH_MAX { throw .ENAMETOOLONG }
        return try follow(path)
    }

    /// Goes on with the text of a link that lies in `directory`: for calls that saw the link as their last component.
    mutating func resume(in directory: Location, link: Inode) throws(Errno) -> WalkResult {
        links += 1
        if links > Linux.maxLinks || has(Linux.RESOLVE_NO_SYMLINKS) { throw .ELOOP }
        place = directory
        let text = try link.readLink(caller)
        var result: Result<WalkResult, Errno> = .failure(.EIO)
        text.withUnsafeBytes { bytes in
            do throws(Errno) { result = .success(try run(bytes)) } catch { result = .failure(error) }
        }
        return try result.get()
    }

    /// Walks one text: the path itself or, recursively, a link's target. The last component of a target inherits what is
    /// asked of the last component of the path.
    private mutating func follow(_ path: UnsafeRawBufferPointer) throws(Errno) -> WalkResult {
        // What remains after a link is spliced behind the link's target, so one loop serves everything.
        var spliced: [UInt8]? = nil
        while true {
            let outcome: Step
            if let text = spliced {
                var result: Result<Step, Errno> = .failure(.EIO)
                text.withUnsafeBytes { bytes in
                    do throws(Errno) { result = .success(try scan(bytes)) } catch { result = .failure(error) }
                }
                outcome = try result.get()
            } else {
                outcome = try scan(path)
            }
            switch outcome {
            case .done(let result): return result
            case .link(let text): spliced = text
            }
        }
    }

    private enum Step {
        case done(WalkResult)
        case link([UInt8])
    }

    private mutating func scan(_ path: UnsafeRawBufferPointer) throws(Errno) -> Step {
        var i = 0
        let end = path.count
        if i < end, path[i] == 0x2f {
            if has(Linux.RESOLVE_BENEATH) { throw .EXDEV }
            try jump(to: root)
            if !place.inode.isDirectory { throw .ENOTDIR }
            while i < end, path[i] == 0x2f { i += 1 }
        }
        if i == end {
            if options.wantParent { return .done(.parent(directory: place, name: nil, slash: true, dots: 0)) }
            return .done(.found(place))
        }
        while true {
            let from = i
            while i < end, path[i] != 0x2f { i += 1 }
            let part = UnsafeRawBufferPointer(rebasing: path[from..<i])
            let slash = i < end
            while i < end, path[i] == 0x2f { i += 1 }
            let isLast = i == end
            guard place.inode.isDirectory else { throw .ENOTDIR }
            if !caller.isRoot, !caller.may(1, try place.inode.permissions()) { throw .EACCES }
            if part.count > Linux.NAME_MAX { throw .ENAMETOOLONG }

            let dots =
                part.count == 1 && part[0] == 0x2e ? 1 : part.count == 2 && part[0] == 0x2e && part[1] == 0x2e ? 2 : 0
            if dots > 0 {
                if dots == 2 { try up() }
                if isLast {
                    if options.wantParent {
                        return .done(.parent(directory: place, name: nil, slash: slash, dots: dots))
                    }
                    return .done(.found(place))
                }
                continue
            }
            let name = Name(part)
            if isLast, options.wantParent {
                return .done(.parent(directory: place, name: name, slash: slash, dots: 0))
            }
            let inode = try place.inode.lookup(name, caller)
            var next = Location(place.mount, inode, directory: inode.isDirectory ? nil : place.inode, name: nil)
            if !inode.isDirectory { next.name = name }
            if inode.mountsHere.load(ordering: .relaxed) > 0 {
                let over = names.top(next)
                if over.mount !== next.mount, has(Linux.RESOLVE_NO_XDEV) { throw .EXDEV }
                next = over
            }
            if next.inode.isSymlink, !isLast || slash || options.followLast {
                if let step = try enter(link: next, rest: UnsafeRawBufferPointer(rebasing: path[i..<end]), slash: slash)
                {
                    return step
                }
                // A magic link: `place` is its target now.
                if isLast {
                    if slash, !place.inode.isDirectory { throw .ENOTDIR }
                    return .done(.found(place))
                }
                continue
            }
            if isLast {
                if slash, !next.inode.isDirectory { throw .ENOTDIR }
                return .done(.found(next))
            }
            place = next
        }
    }

    /// Follows a symbolic link: nil where it was a magic link and `place` moved.
    private mutating func enter(link: Location, rest: UnsafeRawBufferPointer, slash: Bool) throws(Errno) -> Step? {
        links += 1
        if links > Linux.maxLinks || has(Linux.RESOLVE_NO_SYMLINKS) { throw .ELOOP }
        if link.inode.isMagic {
            if has(Linux.RESOLVE_NO_MAGICLINKS) { throw .ELOOP }
            if isScoped { throw .EXDEV }
            switch try link.inode.magicTarget(caller) {
            case .object(let target):
                if target.mount !== place.mount, has(Linux.RESOLVE_NO_XDEV) { throw .EXDEV }
                place = target
                return nil
            case .foreign(let reply):
                if !rest.isEmpty || slash { throw .ENOTDIR }
                return .done(.foreign(reply))
            }
        }
        var text = try link.inode.readLink(caller)
        if text.isEmpty { throw .ENOENT }
        if slash || !rest.isEmpty { text.append(0x2f) }
        text.append(contentsOf: rest)
        if text.count >= 2 * Linux.PATH_MAX { throw .ENAMETOOLONG }
        return .link(text)
    }

    private mutating func up() throws(Errno) {
        if place == root {
            if has(Linux.RESOLVE_BENEATH) { throw .EXDEV }
            return
        }
        let above = names.above(place, root: root)
        if above.mount !== place.mount, has(Linux.RESOLVE_NO_XDEV) { throw .EXDEV }
        place = above
    }

    private mutating func jump(to target: Location) throws(Errno) {
        if target.mount !== place.mount, has(Linux.RESOLVE_NO_XDEV) { throw .EXDEV }
        place = target
    }
}
