import ActorKit
import CChorus

/// State export and import (knActor.h): one message for the head, each terminal and each of the site's byte streams. Watches are
/// not carried: they fire, and whoever waited asks the next instance.
extension DeviceManager {
    /// "MiXD" and the format's version.
    private static let magic: UInt32 = 0x4d69_5844
    private static let version: UInt32 = 3

    enum Part: UInt8 { case head, terminal, stream, attached }

    struct Export {
        var messages: [[UInt8]] = []
        /// Host descriptors that were being read.
        var readers: [Int] = []
    }

    func exportState(
        _ sequence: UInt32, _ message: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<UInt32>
    ) -> Int32 {
        if sequence == 0 {
            guard let made = rest() else { return K_EBUSY }
            export.withLock { $0 = made }
        }
        let messages = export.withLock { $0.messages }
        guard Int(sequence) < messages.count else {
            size.pointee = 0
            fireWatches()
            return K_OK
        }
        let bytes = messages[Int(sequence)]
        guard let message, Int(size.pointee) >= bytes.count else { return K_ETOOBIG }
        bytes.withUnsafeBytes {
            message.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(message), byteCount: $0.count)
        }
        size.pointee = UInt32(bytes.count)
        return K_OK
    }

    /// Host threads end, with nothing lost that they had in their hands. nil, and all goes on, where one does not end.
    private func rest() -> Export? {
        _ = setResting(true)
        var head = StateWriter()
        head.put(Part.head.rawValue)
        head.put(Self.magic)
        head.put(Self.version)
        let lost = terminals.withLock { $0.lost }
        head.put(UInt32(lost.count))
        for (session, group) in lost {
            head.put(session)
            head.put(group)
        }
        var made = Export(messages: [head.bytes])
        guard let console = hostPart(console.far.reader, console.far.writer, 0, &made) else {
            goOn()
            return nil
        }
        for device in attached.withLock({ $0.all }) {
            var out = StateWriter()
            out.put(Part.attached.rawValue)
            write(device, &out)
            made.messages.append(out.bytes)
        }
        for terminal in terminals.withLock({ $0.all }) {
            var out = StateWriter()
            out.put(Part.terminal.rawValue)
            write(terminal, &out)
            if terminal.number == 0 { out.put(console) }
            made.messages.append(out.bytes)
        }
        for (number, stream) in uniqueStreams {
            guard let host = hostPart(stream.reader, stream.writer, number + 1, &made) else {
                goOn()
                return nil
            }
            var out = StateWriter()
            out.put(Part.stream.rawValue)
            out.put(UInt8(number))
            stream.write(&out)
            out.put(host)
            made.messages.append(out.bytes)
        }
        return made
    }

    /// What a host descriptor's threads had in their hands. nil: they do not end.
    private func hostPart(_ reader: HostReader?, _ writer: HostWriter?, _ number: Int, _ made: inout Export) -> [UInt8]?
    {
        var out = StateWriter()
        var read: (isStarted: Bool, kept: [UInt8]) = (false, [])
        if let reader {
            guard let rest = reader.rest() else { return nil }
            read = rest
        }
        if read.isStarted { made.readers.append(number) }
        var written: (bytes: [UInt8], epoch: UInt64) = ([], 0)
        if let writer {
            guard let rest = writer.rest() else { return nil }
            written = rest
        }
        out.put(read.isStarted)
        out.put(read.kept)
        out.put(written.bytes)
        out.put(written.epoch)
        return out.bytes
    }

    private func takeHostPart(_ bytes: [UInt8], _ reader: HostReader?, _ writer: HostWriter?, _ number: Int) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var input = StateReader(bytes)
            guard let isStarted = input.flag(), let kept = input.bytes(), let written = input.bytes(),
                let epoch: UInt64 = input.get(), kept.count <= 65536, written.count <= 65536
            else { return false }
            reader?.restore(kept)
            writer?.restore(written, epoch: epoch)
            if isStarted { export.withLock { $0.readers.append(number) } }
            return true
        }
    }

    /// Descriptors that are one open file share a stream.
    private var uniqueStreams: [(number: Int, stream: HostStream)] {
        streams.enumerated().compactMap { number, stream in
            guard let stream, streams.firstIndex(where: { $0 === stream }) == number else { return nil }
            return (number, stream)
        }
    }

    func importState(_ sequence: UInt32, _ message: UnsafeRawPointer?, _ size: UInt32) -> Int32 {
        guard size > 0 else {
            goOn()
            return K_OK
        }
        guard let message else { return K_EINVAL }
        if sequence == 0 {
            _ = setResting(true)
            export.withLock { $0 = Export() }
        }
        var input = StateReader(UnsafeRawBufferPointer(start: message, count: Int(size)))
        guard let part = input.get().flatMap({ Part(rawValue: $0) }), (part == .head) == (sequence == 0) else {
            return K_EINVAL
        }
        switch part {
        case .head:
            guard let magic: UInt32 = input.get(), magic == Self.magic, let version: UInt32 = input.get(),
                version == Self.version, let count: UInt32 = input.get()
            else { return K_EINVAL }
            for _ in 0..<count {
                guard let session: Int32 = input.get(), let group: Int32 = input.get() else { return K_EINVAL }
                terminals.withLock { $0.lost[session] = group }
            }
            return K_OK
        case .terminal:
            guard let terminal = takeTerminal(&input) else { return K_EINVAL }
            guard terminal.number == 0 else { return K_OK }
            guard let host = input.bytes() else { return K_EINVAL }
            return takeHostPart(host, console.far.reader, console.far.writer, 0) ? K_OK : K_EINVAL
        case .attached: return takeAttached(&input) ? K_OK : K_EINVAL
        case .stream:
            guard let number: UInt8 = input.get(), number < 3 else { return K_EINVAL }
            // Another process with other descriptors: what is on its way to nowhere is nobody's.
            guard Int(number) < streams.count, let stream = streams[Int(number)] else { return K_OK }
            guard stream.take(&input), let host = input.bytes() else { return K_EINVAL }
            return takeHostPart(host, stream.reader, stream.writer, Int(number) + 1) ? K_OK : K_EINVAL
        }
    }

    /// The work begins: of an instance that took over, or of one that exported and is asked all the same.
    func goOn() {
        guard setResting(false) else { return }
        let readers = export.withLock { export in
            defer { export = Export() }
            return export.readers
        }
        if readers.contains(0) { console.far.reader?.start(console.terminal) }
        for (number, stream) in uniqueStreams {
            if readers.contains(number + 1) { stream.reader?.start(stream) }
            stream.writer?.kick(stream)
        }
        console.far.writer?.kick(console.terminal)
    }

    private func fireWatches() {
        var gathered = Effects()
        for terminal in terminals.withLock({ $0.all }) {
            terminal.state.withLock { $0.watches.fireAll(&gathered.posts) }
        }
        for master in terminals.withLock({ Array($0.masters.values) }) {
            master.state.withLock { $0.watches.fireAll(&gathered.posts) }
        }
        for device in attached.withLock({ $0.all }) { device.state.withLock { $0.watches.fireAll(&gathered.posts) } }
        for (_, stream) in uniqueStreams { stream.state.withLock { $0.watches.fireAll(&gathered.posts) } }
        effects.perform(gathered)
    }
}
