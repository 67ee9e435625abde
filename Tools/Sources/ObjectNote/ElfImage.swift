import Glibc

/// The bytes of an object file, never trusted: every access is checked against its length.
struct ElfImage {
    let file: String
    let bytes: UnsafeRawBufferPointer

    func error(_ found: String, _ needed: String) -> ObjectError {
        ObjectError(file: file, found: found, needed: needed)
    }

    /// Little-endian integer at `offset`.
    func read<Number: FixedWidthInteger>(_: Number.Type, at offset: UInt64, of what: String) throws(ObjectError)
        -> Number
    {
        let size = UInt64(MemoryLayout<Number>.size)
        let (end, overflow) = offset.addingReportingOverflow(size)
        guard !overflow, end <= UInt64(bytes.count) else {
            throw error("is truncated: \(what) lies outside the \(bytes.count) bytes of the file", "a whole ELF object")
        }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: Int(offset), as: Number.self))
    }

    func range(_ offset: UInt64, _ size: UInt64, of what: String) throws(ObjectError) -> Range<Int> {
        let (end, overflow) = offset.addingReportingOverflow(size)
        guard !overflow, end <= UInt64(bytes.count) else {
            throw error("is truncated: \(what) lies outside the \(bytes.count) bytes of the file", "a whole ELF object")
        }
        return Int(offset)..<Int(end)
    }

    /// NUL-terminated text at `offset` equals `text`.
    func isText(_ text: String, at offset: UInt64) -> Bool {
        let wanted = Array(text.utf8) + [0]
        let (end, overflow) = offset.addingReportingOverflow(UInt64(wanted.count))
        guard !overflow, end <= UInt64(bytes.count) else { return false }
        return bytes[Int(offset)..<Int(end)].elementsEqual(wanted)
    }

    /// Text in a fixed field.
    func field(_ offset: Int, _ size: Int) -> String {
        let raw = bytes[offset..<(offset + size)].prefix { $0 != 0 }
        return String(decoding: raw.map { $0 < 0x20 || $0 > 0x7e ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
    }
}
