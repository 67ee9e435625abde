import Testing

@testable import MiXProcessManager

/// A small static program image whose fields the tests spoil.
private struct Image {
    var bytes: [UInt8]

    init(headers: Int = 2) {
        bytes = [UInt8](repeating: 0, count: 0x3000)
        bytes.replaceSubrange(0..<7, with: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
        put(16, 2, 2)  // ET_EXEC
        put(18, 62, 2)
        put(20, 1, 4)
        put(24, 0x40_1000, 8)  // entry
        put(32, 64, 8)  // e_phoff
        put(54, 56, 2)
        put(56, UInt64(headers), 2)
        load(0, flags: 5, offset: 0, address: 0x40_0000, file: 0x2000, memory: 0x2000)
        if headers > 1 { load(1, flags: 6, offset: 0x2000, address: 0x40_2000, file: 0x800, memory: 0x5000) }
    }
    mutating func put(_ at: Int, _ value: UInt64, _ size: Int) {
        for index in 0..<size { bytes[at + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }
    mutating func load(
        _ index: Int, type: UInt64 = 1, flags: UInt64, offset: UInt64, address: UInt64, file: UInt64, memory: UInt64,
        align: UInt64 = 0x1000
    ) {
        let base = 64 + index * 56
        put(base, type, 4)
        put(base + 4, flags, 4)
        put(base + 8, offset, 8)
        put(base + 16, address, 8)
        put(base + 32, file, 8)
        put(base + 40, memory, 8)
        put(base + 48, align, 8)
    }
    func parse() throws(Errno) -> ElfImage {
        try ElfImage.parse(header: Array(bytes.prefix(256)), fileSize: UInt64(bytes.count)) { (offset, count) in
            Array(bytes[Int(offset)..<Int(offset) + count])
        }
    }
    var error: Errno? {
        do throws(Errno) {
            _ = try parse()
            return nil
        } catch { return error }
    }
}

@Test func aGoodImageIsUnderstood() throws {
    let image = try Image().parse()
    #expect(!image.isPositionIndependent)
    #expect(image.entry == 0x40_1000)
    #expect(image.headersAddress == 0x40_0040)
    #expect(image.segments.count == 2)
    #expect(image.segments[0].protection == 5)
    #expect(image.lowest == 0x40_0000 && image.highest == 0x40_7000)
}

@Test(
    arguments: [
        (0, 0, 1), (4, 1, 1), (5, 2, 1), (16, 1, 2), (16, 4, 2), (18, 40, 2), (54, 55, 2), (56, 0, 2), (56, 0xffff, 2),
        (32, 0x2ff0, 8), (32, .max, 8), (32, 1 << 62, 8),
    ] as [(Int, UInt64, Int)])
func spoiltHeadersAreRefused(at: Int, value: UInt64, size: Int) {
    var image = Image()
    image.put(at, value, size)
    #expect(image.error == .ENOEXEC)
}

@Test func spoiltSegmentsAreRefused() {
    func second(_ offset: UInt64, _ address: UInt64, _ file: UInt64, _ memory: UInt64, align: UInt64 = 0x1000) -> Errno?
    {
        var image = Image()
        image.load(1, flags: 6, offset: offset, address: address, file: file, memory: memory, align: align)
        return image.error
    }
    #expect(second(0x2000, 0x40_2000, 0x800, 0x700) == .ENOEXEC)
    #expect(second(0x2000, 0x40_2000, 0x1001, 0x1001) == .ENOEXEC)
    #expect(second(.max, 0x40_2fff, 1, 1) == .ENOEXEC)
    #expect(second(0x2000, 0x40_2001, 1, 1) == .ENOEXEC)
    #expect(second(0x2000, 0x40_1000, 1, 1) == .ENOEXEC)
    #expect(second(0x2000, 0x40_2000, 1, 1, align: 3) == .ENOEXEC)
    #expect(second(0, 1 << 63, 0, 4096) == .ENOMEM)
    #expect(second(0, 0x40_2000, 0, .max) == .ENOMEM)
    var low = Image()
    low.load(0, flags: 5, offset: 0, address: 0x1000, file: 0x1000, memory: 0x1000)
    #expect(low.error == .ENOEXEC)
    var none = Image()
    none.load(0, type: 4, flags: 5, offset: 0, address: 0, file: 0, memory: 0)
    none.load(1, type: 4, flags: 5, offset: 0, address: 0, file: 0, memory: 0)
    #expect(none.error == .ENOEXEC)
}

@Test func spoiltInterpretersAreRefused() {
    // Empty, without end, beyond the file.
    for (offset, size) in [(0x2000, 1), (0x2000, 4), (0x2fff, 9)] as [(UInt64, UInt64)] {
        var image = Image()
        image.bytes[0x2003] = 0x41
        image.load(1, type: 3, flags: 4, offset: offset, address: 0, file: size, memory: size)
        #expect(image.error == .ENOEXEC)
    }
}

@Test func noRandomImageTraps() {
    var state: UInt64 = 88
    func random() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 20
    }
    for _ in 0..<20_000 {
        var image = Image()
        for _ in 0..<4 { image.put(Int(random() % 170) + 7, random() << (random() % 40), Int(random() % 8) + 1) }
        _ = image.error
    }
}

@Test func cutImagesAreRefused() {
    for size in [0, 1, 4, 63] {
        #expect(throws: Errno.ENOEXEC) {
            try ElfImage.parse(header: Array(Image().bytes.prefix(size)), fileSize: UInt64(size)) { _, _ in [] }
        }
    }
}

@Test func scripts() throws {
    func parse(_ text: String) throws -> (interpreter: [UInt8], argument: [UInt8]?)? {
        try Script.parse(Array(text.utf8))
    }
    #expect(try parse("\u{7f}ELF") == nil)
    let plain = try #require(try parse("#!/bin/sh\necho"))
    #expect(plain.interpreter == Array("/bin/sh".utf8) && plain.argument == nil)
    let argument = try #require(try parse("#! /usr/bin/env  -S a b \n"))
    #expect(argument.interpreter == Array("/usr/bin/env".utf8))
    #expect(argument.argument == Array("-S a b".utf8))
    #expect(throws: Errno.ENOEXEC) { try parse("#!\n") }
    #expect(throws: Errno.ENOEXEC) { try parse("#!" + String(repeating: "x", count: 300)) }
}

@Test func theInitialStackIsWhatProgramsExpect() {
    let stack = ExecStack.build(
        top: 0x7000_0000, arguments: [Array("prog".utf8), Array("x".utf8)], environment: [Array("A=b".utf8)],
        path: Array("/bin/prog".utf8), random: [UInt8](repeating: 9, count: 16), auxiliary: [(6, 4096)],
        hardware: 0)
    func word(_ address: UInt64) -> UInt64 {
        stack.bytes.withUnsafeBytes {
            $0.loadUnaligned(fromByteOffset: Int(address - stack.pointer), as: UInt64.self)
        }
    }
    func text(_ address: UInt64) -> String {
        String(decoding: stack.bytes[Int(address - stack.pointer)...].prefix { $0 != 0 }, as: UTF8.self)
    }
    #expect(stack.pointer % 16 == 0)
    #expect(stack.pointer + UInt64(stack.bytes.count) <= 0x7000_0000)
    #expect(word(stack.pointer) == 2)
    #expect(text(word(stack.pointer + 8)) == "prog")
    #expect(text(word(stack.pointer + 16)) == "x")
    #expect(word(stack.pointer + 24) == 0)
    #expect(text(word(stack.pointer + 32)) == "A=b")
    #expect(word(stack.pointer + 40) == 0)
    #expect(word(stack.pointer + 48) == 6 && word(stack.pointer + 56) == 4096)
    #expect(stack.argumentsEnd - stack.argumentsStart == 7)
}
