import Glibc
import Testing

@testable import ObjectNote

@Suite struct ObjectNoteTests {
    private func check(_ bytes: [UInt8], kind: ObjectKind = .server) throws(ObjectError) -> ObjectNote {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        let image = ElfImage(file: "x.so", bytes: UnsafeRawBufferPointer(copy))
        return try ObjectNote.check(image, kind: kind, entry: "kn_actor_main")
    }

    private func refusal(_ bytes: [UInt8], kind: ObjectKind = .server) -> String {
        do throws(ObjectError) {
            return "accepted \(try check(bytes, kind: kind).name)"
        } catch {
            return error.description
        }
    }

    @Test func aGoodObjectIsRead() throws {
        let note = try check(ElfBuilder().bytes)
        #expect(note == ObjectNote(kind: .server, abiMajor: 1, abiMinor: 0, name: "Sample", version: "1.2.3"))
    }

    @Test func wrongKind() {
        #expect(refusal(ElfBuilder(kind: 3).bytes) == "x.so: is a driver (Sample 1.2.3); needed: a server")
        #expect(refusal(ElfBuilder().bytes, kind: .nucleus) == "x.so: is a server (Sample 1.2.3); needed: a nucleus")
        #expect(refusal(ElfBuilder(kind: 9).bytes).contains("unknown kind 9"))
    }

    @Test func wrongMachineOrFile() {
        #expect(refusal(ElfBuilder(machine: 183).bytes) == "x.so: is for machine 183 (aarch64); needed: x86-64 (62)")
        #expect(refusal(ElfBuilder(type: 2).bytes).contains("a fixed executable"))
        var small = ElfBuilder()
        small.ident[4] = 1
        #expect(refusal(small.bytes).contains("32-bit"))
        #expect(refusal(Array("#!/bin/sh\n".utf8)).contains("is not an ELF file"))
        #expect(refusal([0x7f]).contains("is not an ELF file"))
    }

    @Test func wrongAbi() {
        #expect(
            refusal(ElfBuilder(abiMajor: 2).bytes)
                == "x.so: Sample 1.2.3 is built for ABI 2.0; needed: ABI 1.0 to 1.1")
        #expect(refusal(ElfBuilder(abiMinor: 9).bytes).contains("is built for ABI 1.9; needed: ABI 1.0 to 1.1"))
    }

    @Test func missingNoteOrEntry() {
        #expect(refusal(ElfBuilder(owner: "GNU").bytes).contains("has no CHORUS note"))
        #expect(refusal(ElfBuilder(noteSize: 8).bytes).contains("malformed CHORUS note"))
        #expect(refusal(ElfBuilder(symbol: "other").bytes).contains("exports no kn_actor_main"))
        #expect(refusal(ElfBuilder(section: 0).bytes).contains("exports no kn_actor_main"))
    }

    /// Cut anywhere: an error, never a crash; its segments are the whole file.
    @Test func truncatedAnywhere() {
        let whole = ElfBuilder().bytes
        for length in 0..<whole.count {
            let answer = refusal(Array(whole[..<length]))
            #expect(!answer.hasPrefix("accepted"), "cut at \(length)")
        }
    }

    /// Each 2-byte field set to extremes: no access outside the file, no arithmetic trap.
    @Test func hostileFields() {
        let whole = ElfBuilder().bytes
        for at in stride(from: 16, to: whole.count - 8, by: 2) {
            for pattern: UInt8 in [0xff, 0x7f, 0x80] {
                for width in [2, 4, 8] {
                    var bytes = whole
                    for index in 0..<width { bytes[at + index] = pattern }
                    #expect(!refusal(bytes).isEmpty)
                }
            }
        }
    }

    @Test func realFiles() {
        #expect(throws: ObjectError.self) {
            try ObjectNote.check(file: "/nonexistent.so", kind: .server, entry: "kn_actor_main")
        }
        #expect(throws: ObjectError.self) {
            try ObjectNote.check(file: "/dev/zero", kind: .server, entry: "kn_actor_main")
        }
        #expect {
            try ObjectNote.check(file: "/proc/self/exe", kind: .server, entry: "kn_actor_main")
        } throws: {
            "\($0)".contains("has no CHORUS note")
        }
    }
}
