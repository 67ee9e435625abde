import CMiXFile
import Testing

@testable import MiXProcessManager

struct DescriptorTableTests {
    let site = TestSite()
    let table = DescriptorTable()

    func insert(from first: Int = 0, limit: UInt64 = 1024, closeOnExec: Bool = false) throws -> Int {
        try table.insert(Probe(site), closeOnExec: closeOnExec, from: first, limit: limit)
    }

    @Test func givesTheLowestFreeNumber() throws {
        #expect(try [insert(), insert(), insert()] == [0, 1, 2])
        try table.close(1)
        try table.close(0)
        #expect(try [insert(), insert(), insert()] == [0, 1, 3])
        #expect(try insert(from: 10) == 10)
        #expect(try insert() == 4)
        #expect(try insert(from: 10) == 11)
    }

    @Test func limitIsEMFILE() throws {
        for _ in 0..<3 { _ = try insert(limit: 3) }
        #expect(throws: Errno.EMFILE) { try insert(limit: 3) }
        #expect(throws: Errno.EMFILE) { try table.checkRoom(limit: 3) }
        try table.close(1)
        try table.checkRoom(limit: 3)
        #expect(try insert(limit: 3) == 1)
        #expect(throws: Errno.EMFILE) { try insert(from: 5, limit: 5) }
    }

    @Test func closesWithTheLastDescriptorOnly() throws {
        let probe = Probe(site)
        let fd = try table.insert(probe, closeOnExec: false, limit: 10)
        probe.hold()
        try table.replace(7, with: probe, closeOnExec: false, limit: 10)
        let copy = table.fork()
        try table.close(fd)
        try table.close(7)
        #expect(probe.closes == 0)
        #expect(throws: Errno.EBADF) { try table.close(7) }
        copy.closeAll()
        #expect(probe.closes == 1)
    }

    @Test func replaceClosesWhatWasThere() throws {
        let (old, new) = (Probe(site), Probe(site))
        let fd = try table.insert(old, closeOnExec: true, limit: 10)
        try table.replace(fd, with: new, closeOnExec: false, limit: 10)
        #expect(old.closes == 1 && new.closes == 0)
        #expect(try table.closeOnExec(fd) == false)
        #expect(throws: Errno.EBADF) { try table.replace(10, with: new, closeOnExec: false, limit: 10) }
        #expect(throws: Errno.EBADF) { try table.replace(-1, with: new, closeOnExec: false, limit: 10) }
    }

    @Test func execKeepsWhatIsNotMarked() throws {
        for index in 0..<70 { _ = try insert(closeOnExec: index % 2 == 1) }
        try table.setCloseOnExec(0, true)
        table.closeOnExec()
        #expect(table.open == (1..<35).map { Int32($0 * 2) })
        #expect(try insert() == 0)
    }

    @Test func closeRangeAndMark() throws {
        for _ in 0..<6 { _ = try insert() }
        table.closeRange(1, 2, mark: false)
        table.closeRange(4, .max - 1, mark: true)
        #expect(table.open == [0, 3, 4, 5])
        table.closeOnExec()
        #expect(table.open == [0, 3])
        table.closeRange(100, 200, mark: false)
    }

    @Test func closeReleasesRecordLocks() throws {
        let probe = Probe(site)
        probe.hold()
        for fd in [0, 1] { try table.replace(fd, with: probe, closeOnExec: false, limit: 10) }
        var cred = MixCred()
        cred.pid = 42
        table.markLocked(by: cred)
        let child = table.fork()
        try table.close(0)
        #expect(probe.lockReleases == [42])
        child.closeAll()
        #expect(probe.lockReleases == [42])
    }

    @Test func wrongNumbersAreEBADF() throws {
        for fd in [-1, 0, 5, Int.max] {
            #expect(throws: Errno.EBADF) { try table.description(fd) }
            #expect(throws: Errno.EBADF) { try table.closeOnExec(fd) }
            #expect(throws: Errno.EBADF) { try table.setCloseOnExec(fd, true) }
        }
    }

    /// access_ok of Linux: the length counts as given, before it is cut to MAX_RW_COUNT.
    @Test func buffersBeyondAnyProgram() {
        let end: UInt64 = 0x7fff_ffff_f000
        for (address, size, good) in [
            (0, end, true), (end, 0, true), (end - 1, 1, true), (end - 1, 2, false), (0x1000, UInt64.max, false),
            (0xffff_8000_0000_0000, 4, false), (.max, 1, false), (end, 1, false), (0, 1 << 40, true),
        ] as [(UInt64, UInt64, Bool)] {
            #expect(((try? UserRanges.check(address, size)) != nil) == good, "\(address) \(size)")
        }
        #expect(UserRanges(0, .max).total == 0x7fff_f000)
    }
}
