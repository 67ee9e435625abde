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
    /// Two descriptors, whose numbers are written to `address` (pipe(2), socketpair(2)); none where that fails.
    func installPair(
        _ one: OpenDescription, _ other: OpenDescription, closeOnExec: Bool, at address: UInt64
    ) throws(Errno) -> Outcome {
        let first: Int
        do {
            first = try install(one, closeOnExec: closeOnExec)
        } catch {
            other.drop()
            throw error
        }
        do throws(Errno) {
            let second = try install(other, closeOnExec: closeOnExec)
            do throws(Errno) {
                try writeNow(UInt64(UInt32(first)) | UInt64(UInt32(second)) << 32, at: address)
            } catch {
                try process.files.close(second)
                throw error
            }
        } catch {
            try process.files.close(first)
            throw error
        }
        return .zero
    }
}

extension Call {
    /// A signal that the call itself brings on its thread (SIGPIPE, SIGXFSZ).
    func raise(_ signal: Int32) { manager.post(.from(process, signal), to: task) }
}
