/// `#!` lines (execve(2)): the interpreter and at most one argument.
enum Script {
    static let maxDepth = 5
    static let lineLimit = 256

    /// nil: not a script. An empty interpreter or a line without end is ENOEXEC.
    static func parse(_ start: [UInt8]) throws(Errno) -> (interpreter: [UInt8], argument: [UInt8]?)? {
        guard start.count >= 2, start[0] == 0x23, start[1] == 0x21 else { return nil }
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        var line = start.dropFirst(2).prefix(lineLimit - 2)
        if let end = line.firstIndex(of: 0x0a) {
            line = line[..<end]
        } else if start.count >= lineLimit {
            // Cut off: good only if the interpreter's name is surely whole.
            let name = line.drop(while: isBlank)
            guard name.contains(where: isBlank) else { throw .ENOEXEC }
        }
        let trimmed = line.drop(while: isBlank)
        let name = trimmed.prefix { !isBlank($0) && $0 != 0 }
        guard !name.isEmpty else { throw .ENOEXEC }
        var rest = Array(trimmed.dropFirst(name.count).drop(while: isBlank).prefix { $0 != 0 })
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return (Array(name), rest.isEmpty ? nil : rest)
    }
}
