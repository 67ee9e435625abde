import ActorKit
import TerminalLine

extension LineImage {
    func write(_ out: inout StateWriter) {
        out.put(withUnsafeBytes(of: TermiosImage(termios)) { Array($0) })
        out.put(input)
        out.put(lineEnds.map { $0 ? 1 : 0 })
        out.put(UInt32(complete))
        out.put(waiting)
        out.put(UInt32(lookedAhead))
        out.put(echo)
        out.put(UInt32(echoCommit))
        out.put(UInt32(echoMark))
        out.put(output)
        out.put(outputEpoch)
        out.put(packets)
        out.put(packetStatus)
        out.put(UInt32(clamping: column))
        out.put(UInt32(clamping: lineColumn))
        for flag in [literalNext, erasing, stopped, stoppedByCall] { out.put(flag) }
    }

    init?(_ reader: inout StateReader) {
        guard let settings = reader.bytes(), settings.count == MemoryLayout<TermiosImage>.size,
            let input = reader.bytes(), let lineEnds = reader.bytes(), let complete: UInt32 = reader.get(),
            let waiting = reader.bytes(), let lookedAhead: UInt32 = reader.get(),
            let echo = reader.bytes(), let echoCommit: UInt32 = reader.get(), let echoMark: UInt32 = reader.get(),
            let output = reader.bytes(), let outputEpoch: UInt64 = reader.get(), let packets = reader.flag(),
            let packetStatus: UInt8 = reader.get(), let column: UInt32 = reader.get(),
            let lineColumn: UInt32 = reader.get(), let literalNext = reader.flag(), let erasing = reader.flag(),
            let stopped = reader.flag(), let stoppedByCall = reader.flag()
        else { return nil }
        self.init()
        termios = settings.withUnsafeBytes { $0.loadUnaligned(as: TermiosImage.self).termios }
        self.input = input
        self.lineEnds = lineEnds.map { $0 != 0 }
        self.complete = Int(complete)
        self.waiting = waiting
        self.lookedAhead = Int(lookedAhead)
        self.echo = echo
        self.echoCommit = Int(echoCommit)
        self.echoMark = Int(echoMark)
        self.output = output
        self.outputEpoch = outputEpoch
        self.packets = packets
        self.packetStatus = packetStatus
        self.column = Int(column)
        self.lineColumn = Int(lineColumn)
        self.literalNext = literalNext
        self.erasing = erasing
        self.stopped = stopped
        self.stoppedByCall = stoppedByCall
    }
}
