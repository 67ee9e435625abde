/// Everything that a line discipline holds, for another instance to go on with.
package struct LineImage: Sendable {
    package var termios: Termios
    /// What can be read or is being typed, oldest first, and which of these bytes end a line.
    package var input: [UInt8]
    package var lineEnds: [Bool]
    /// How many of them belong to complete lines.
    package var complete: Int
    /// Echo that waits, and how far it is committed and may be shown.
    package var echo: [UInt8]
    package var echoCommit: Int
    package var echoMark: Int
    package var output: [UInt8]
    package var outputEpoch: UInt64
    package var column: Int
    package var lineColumn: Int
    package var literalNext: Bool
    package var erasing: Bool
    package var stopped: Bool
    package var stoppedByCall: Bool

    package init(
        termios: Termios, input: [UInt8], lineEnds: [Bool], complete: Int, echo: [UInt8], echoCommit: Int,
        echoMark: Int,
        output: [UInt8], outputEpoch: UInt64, column: Int, lineColumn: Int, literalNext: Bool, erasing: Bool,
        stopped: Bool, stoppedByCall: Bool
    ) {
        self.termios = termios
        self.input = input
        self.lineEnds = lineEnds
        self.complete = complete
        self.echo = echo
        self.echoCommit = echoCommit
        self.echoMark = echoMark
        self.output = output
        self.outputEpoch = outputEpoch
        self.column = column
        self.lineColumn = lineColumn
        self.literalNext = literalNext
        self.erasing = erasing
        self.stopped = stopped
        self.stoppedByCall = stoppedByCall
    }
}

extension LineDiscipline {
    package var image: LineImage {
        LineImage(
            termios: termios, input: (tail..<head).map { input[$0 & Self.mask] },
            lineEnds: (tail..<head).map { lineEnds[$0 & Self.mask] }, complete: lineHead &- tail,
            echo: (echoTail..<echoHead).map { echoBytes[$0 & Self.mask] }, echoCommit: max(0, echoCommit &- echoTail),
            echoMark: max(0, echoMark &- echoTail), output: output.contents, outputEpoch: outputEpoch, column: column,
            lineColumn: lineColumn, literalNext: literalNext, erasing: erasing, stopped: stopped,
            stoppedByCall: stoppedByCall)
    }

    /// False, with nothing changed, where the image is of no line discipline.
    package mutating func restore(_ image: LineImage) -> Bool {
        guard image.input.count <= Self.size, image.lineEnds.count == image.input.count,
            (0...image.input.count).contains(image.complete), image.echo.count <= Self.size,
            (0...image.echo.count).contains(image.echoCommit), (0...image.echo.count).contains(image.echoMark),
            image.output.count <= output.capacity, (0...Int(Int32.max)).contains(image.column),
            (0...Int(Int32.max)).contains(image.lineColumn)
        else { return false }
        setTermios(image.termios)
        flushInput()
        for (at, byte) in image.input.enumerated() {
            input[at] = byte
            lineEnds[at] = image.lineEnds[at]
        }
        head = image.input.count
        lineHead = image.complete
        flushEcho()
        for (at, byte) in image.echo.enumerated() { echoBytes[at] = byte }
        echoHead = image.echo.count
        echoCommit = image.echoCommit
        echoMark = image.echoMark
        output.removeAll()
        image.output.withUnsafeBytes { _ = output.append($0) }
        outputEpoch = image.outputEpoch
        column = image.column
        lineColumn = image.lineColumn
        literalNext = image.literalNext
        erasing = image.erasing
        stopped = image.stopped
        stoppedByCall = image.stoppedByCall
        return true
    }
}
