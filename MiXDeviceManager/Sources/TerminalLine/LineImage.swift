/// Everything that a line discipline holds, for another instance to go on with.
package struct LineImage: Sendable {
    package var termios = Termios.standard
    /// What can be read or is being typed, oldest first, and which of these bytes end a line.
    package var input: [UInt8] = []
    package var lineEnds: [Bool] = []
    /// How many of them belong to complete lines.
    package var complete = 0
    /// Input beyond the queue, and how much of it has acted as STOP and START.
    package var waiting: [UInt8] = []
    package var lookedAhead = 0
    /// Echo that waits, and how far it is committed and may be shown.
    package var echo: [UInt8] = []
    package var echoCommit = 0
    package var echoMark = 0
    package var output: [UInt8] = []
    package var outputEpoch: UInt64 = 0
    package var packets = false
    package var packetStatus: UInt8 = 0
    package var column = 0
    package var lineColumn = 0
    package var literalNext = false
    package var erasing = false
    package var stopped = false
    package var stoppedByCall = false

    package init() {}
}

extension LineDiscipline {
    package var image: LineImage {
        var image = LineImage()
        image.termios = termios
        image.input = (tail..<head).map { input[$0 & Self.mask] }
        image.lineEnds = (tail..<head).map { lineEnds[$0 & Self.mask] }
        image.complete = max(0, lineHead &- tail)
        image.waiting = waiting.contents
        image.lookedAhead = lookedAhead
        image.echo = (echoTail..<echoHead).map { echoBytes[$0 & Self.mask] }
        image.echoCommit = max(0, echoCommit &- echoTail)
        image.echoMark = max(0, echoMark &- echoTail)
        image.output = output.contents
        image.outputEpoch = outputEpoch
        image.packets = packets
        image.packetStatus = packetStatus
        image.column = column
        image.lineColumn = lineColumn
        image.literalNext = literalNext
        image.erasing = erasing
        image.stopped = stopped
        image.stoppedByCall = stoppedByCall
        return image
    }

    /// False, with nothing changed, where the image is of no line discipline.
    package mutating func restore(_ image: LineImage) -> Bool {
        guard image.input.count <= Self.size, image.lineEnds.count == image.input.count,
            (0...image.input.count).contains(image.complete), image.echo.count <= Self.size,
            (0...image.echo.count).contains(image.echoCommit), (0...image.echo.count).contains(image.echoMark),
            image.output.count <= output.capacity, image.waiting.count <= waiting.capacity,
            (0...image.waiting.count).contains(image.lookedAhead), (0...Int(Int32.max)).contains(image.column),
            (0...Int(Int32.max)).contains(image.lineColumn)
        else { return false }
        setTermios(image.termios)
        flushAllInput()
        for (at, byte) in image.input.enumerated() {
            input[at] = byte
            lineEnds[at] = image.lineEnds[at]
        }
        head = image.input.count
        lineHead = image.complete
        image.waiting.withUnsafeBytes { _ = waiting.append($0) }
        lookedAhead = image.lookedAhead
        flushEcho()
        for (at, byte) in image.echo.enumerated() { echoBytes[at] = byte }
        echoHead = image.echo.count
        echoCommit = image.echoCommit
        echoMark = image.echoMark
        output.removeAll()
        image.output.withUnsafeBytes { _ = output.append($0) }
        outputEpoch = image.outputEpoch
        packets = image.packets
        packetStatus = image.packetStatus
        column = image.column
        lineColumn = image.lineColumn
        literalNext = image.literalNext
        erasing = image.erasing
        stopped = image.stopped
        stoppedByCall = image.stoppedByCall
        return true
    }
}
