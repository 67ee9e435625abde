import CChorus
import Glibc

extension ObjectNote {
    /// Reads the note of `file` and checks that this loader can use the object as `kind`, entered at `entry`.
    /// `abi`: what this loader provides, `major` exactly and `minor` at most; drivers newer than that by their minor number load,
    /// since they ask what there is.
    public static func check(
        file: String, kind: ObjectKind, entry: String, abi: (major: UInt16, minor: UInt16)? = nil
    ) throws(ObjectError) -> ObjectNote {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            throw ObjectError(
                file: file, found: "cannot be opened: \(String(cString: strerror(errno)))", needed: kind.words)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw ObjectError(file: file, found: "is not a regular file", needed: ElfHeader.wanted)
        }
        guard status.st_size > 0 else {
            throw ObjectError(file: file, found: "is empty", needed: ElfHeader.wanted)
        }
        // Private, so that a writer cannot change what was checked page by page; a file cut short meanwhile would
        // still fault, as it would under dlopen.
        let size = Int(status.st_size)
        guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw ObjectError(
                file: file, found: "cannot be mapped: \(String(cString: strerror(errno)))", needed: kind.words)
        }
        defer { munmap(address, size) }
        let image = ElfImage(file: file, bytes: UnsafeRawBufferPointer(start: address, count: size))
        return try check(image, kind: kind, entry: entry, abi: abi)
    }

    static func check(
        _ image: ElfImage, kind: ObjectKind, entry: String, abi: (major: UInt16, minor: UInt16)? = nil
    ) throws(ObjectError) -> ObjectNote {
        let header = try ElfHeader(image)
        let segments = try header.segments(image)
        guard let place = try find(image, segments) else {
            let macro = kind == .driver ? "DRV_NOTE of driver.h" : "KN_NOTE of chorus/knNote.h"
            throw image.error("has no CHORUS note", "\(kind.words) with \(macro)")
        }
        let raw = try image.read(UInt32.self, at: UInt64(place), of: "the CHORUS note")
        let note = ObjectNote(
            kind: ObjectKind(rawValue: raw) ?? .server,
            abiMajor: try image.read(UInt16.self, at: UInt64(place) + 4, of: "the CHORUS note"),
            abiMinor: try image.read(UInt16.self, at: UInt64(place) + 6, of: "the CHORUS note"),
            name: image.field(place + 8, 32), version: image.field(place + 40, 24))
        guard ObjectKind(rawValue: raw) == kind else {
            let found = ObjectKind(rawValue: raw)?.words ?? "an object of unknown kind \(raw)"
            throw image.error("is \(found) (\(note.name) \(note.version))", kind.words)
        }
        let (major, minor) = abi ?? (UInt16(K_ABI_MAJOR), UInt16(K_ABI_MINOR))
        guard note.abiMajor == major, note.abiMinor <= minor || kind == .driver else {
            throw image.error(
                "\(note.name) \(note.version) is built for ABI \(note.abiMajor).\(note.abiMinor)",
                "ABI \(major).0 to \(major).\(minor)")
        }
        if kind == .driver { try DriverCheck.check(image, segments) }
        guard try ElfSymbols(image, segments)?.defines(entry, in: image) == true else {
            throw image.error("\(note.name) \(note.version) exports no \(entry)", "the entry point \(entry)")
        }
        return note
    }

    /// Offset of the descriptor of the CHORUS note among the PT_NOTE segments.
    private static func find(_ image: ElfImage, _ segments: [ElfHeader.Segment]) throws(ObjectError) -> Int? {
        for segment in segments where segment.type == 4 {
            let range = try image.range(segment.offset, segment.size, of: "a note segment")
            var at = UInt64(range.lowerBound)
            let end = UInt64(range.upperBound)
            while at + 12 <= end {
                let nameSize = UInt64(try image.read(UInt32.self, at: at, of: "a note"))
                let size = UInt64(try image.read(UInt32.self, at: at + 4, of: "a note"))
                let type = try image.read(UInt32.self, at: at + 8, of: "a note")
                let body = at + 12 + (nameSize + 3) & ~3
                if type == K_NOTE_TYPE, image.isText("CHORUS", at: at + 12) {
                    guard nameSize == 7, size == UInt64(MemoryLayout<KnNoteDesc>.size), body + size <= end else {
                        throw image.error("has a malformed CHORUS note", "the note that KN_NOTE writes")
                    }
                    return try image.range(body, size, of: "the CHORUS note").lowerBound
                }
                at = body + (size + 3) & ~3
            }
        }
        return nil
    }
}
