import CMiXFile

extension Call {
    /// The description behind the descriptor in argument `index`; O_PATH ones only where the call allows them.
    func openDescription(_ index: Int, allowPath: Bool = false) throws(Errno) -> OpenDescription {
        try openDescription(number: int(index), allowPath: allowPath)
    }

    func openDescription(number: Int32, allowPath: Bool = false) throws(Errno) -> OpenDescription {
        let found = try process.files.description(Int(number))
        if !allowPath && found.isPathOnly { throw .EBADF }
        return found
    }

    func readable(_ index: Int) throws(Errno) -> OpenDescription {
        let found = try process.files.description(Int(int(index)))
        guard found.isReadable else { throw .EBADF }
        return found
    }

    func writable(_ index: Int) throws(Errno) -> OpenDescription {
        let found = try process.files.description(Int(int(index)))
        guard found.isWritable else { throw .EBADF }
        return found
    }

    var descriptorLimit: UInt64 { process.limits[.files].soft }

    /// Gives the description the lowest free descriptor; closes it when there is none.
    func install(_ description: OpenDescription, closeOnExec: Bool) throws(Errno) -> Int {
        do {
            return try process.files.insert(description, closeOnExec: closeOnExec, limit: descriptorLimit)
        } catch {
            description.drop()
            throw error
        }
    }
}

extension Call {
    /// A signal that the call itself brings on its thread (SIGPIPE, SIGXFSZ).
    func raise(_ signal: Int32) { manager.post(.from(process, signal), to: task) }
}
