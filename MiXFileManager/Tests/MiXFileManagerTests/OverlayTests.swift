import CMiXFile
import Glibc
import Testing

@testable import FileCore

@Suite struct OverlayTests {
    let host: HostTree
    let c: Client

    init() throws {
        host = try HostTree()
        host.put("f", "lower")
        host.put("g", "other")
        host.mkdir("d")
        host.put("d/x", "x")
        host.put("d/y", "y")
        host.mkdir("d/sub")
        host.symlink("f", "link")
        host.symlink("/etc/passwd", "escape")
        host.symlink("../../../../../etc/passwd", "climb")
        c = try Client("mount.0=/ overlay host:\(host.path)")
    }

    @Test func readingLower() {
        #expect(c.get("/f") == "lower")
        #expect(c.get("/link") == "lower")
        #expect(c.names("/") == ["climb", "d", "escape", "f", "g", "link"])
        #expect(c.names("/d") == ["sub", "x", "y"])
        #expect(c.stat("/f").stat.size == 5)
        #expect(c.fake.created == 0)
        let a = c.open("/f")
        let b = c.open("/f")
        #expect(a.reply.segUiTail == b.reply.segUiTail && a.reply.key.object != b.reply.key.object)
        #expect(c.fake.adopted == 1)
        #expect(c.tryOpen("/escape") == e(.ENOENT))  // inside, where there is no /etc
        #expect(c.tryOpen("/climb") == e(.ENOENT))
    }

    @Test func copyUpOnWrite() {
        let ino = c.stat("/f").stat.ino
        let reader = c.open("/f")
        #expect(c.write(reader.reply.key, "x") == e(.EBADF))
        let writer = c.open("/f", Linux.O_RDWR)
        #expect(writer.reply.segUiTail != reader.reply.segUiTail)
        c.write(writer.reply.key, "UPPER!")
        #expect(c.get("/f") == "UPPER!")
        #expect(c.read(reader.reply.key).text == "lower")  // as overlayfs: opened before the copy-up
        #expect(c.stat("/f").stat.ino == ino && c.fstat(reader.reply.key).ino == ino)
        #expect(c.stat("/f").stat.size == 6)
        #expect(host.get("f") == "lower")
        #expect(c.truncate("/g", 2) == 0)
        #expect(c.get("/g") == "ot")
        #expect(c.tryOpen("/d/x", Linux.O_WRONLY | Linux.O_TRUNC) == 0)
        #expect(c.get("/d/x") == "")
        #expect(host.get("g") == "other" && host.get("d/x") == "x")
        #expect(c.names("/").filter { $0 == "f" }.count == 1)
    }

    /// open(2), truncate(2), execve(2): what runs is not written to, what is written does not run.
    @Test func busyPrograms() {
        let exec: UInt64 = 1 << 32
        c.chmod("/f", 0o755)
        let first = c.open("/f", resolve: exec)
        let second = c.open("/f", resolve: exec)
        #expect(first.diag >= 0 && second.diag >= 0)
        for flags in [Linux.O_WRONLY, Linux.O_RDWR, Linux.O_TRUNC, Linux.O_CREAT | Linux.O_WRONLY | Linux.O_TRUNC] {
            #expect(c.tryOpen("/f", flags) == e(.ETXTBSY))
        }
        #expect(c.truncate("/f", 0) == e(.ETXTBSY))
        #expect(c.tryOpen("/f") == 0 && c.tryOpen("/f", Linux.O_PATH) == 0)
        #expect(c.get("/f") == "lower")
        #expect(c.rename("/f", "/h") == 0)  // its name is another matter
        c.close(first.reply.key)
        #expect(c.tryOpen("/h", Linux.O_WRONLY) == e(.ETXTBSY))
        c.close(second.reply.key)
        let writer = c.open("/h", Linux.O_WRONLY)
        #expect(writer.diag >= 0)
        #expect(c.open("/h", resolve: exec).diag == e(.ETXTBSY))
        #expect(c.truncate("/h", 3) == 0)
        c.close(writer.reply.key)
        #expect(c.tryOpen("/h", resolve: exec) == 0)
        #expect(c.tryOpen("/h", Linux.O_RDWR | 1 << 31) == 0)  // a mark of the server's own, not a client's
        #expect(c.tryOpen("/h", Linux.O_WRONLY) == 0)
    }

    @Test func attributesCopyUpAlone() {
        let before = c.stat("/f").stat
        #expect(c.chmod("/f", 0o600) == 0)
        #expect(c.chown("/f", 7, 8) == 0)
        let after = c.stat("/f").stat
        #expect(after.mode == Linux.S_IFREG | 0o600 && after.uid == 7 && after.gid == 8)
        #expect(after.size == 5 && after.ino == before.ino && after.mtimeSec == before.mtimeSec)
        #expect(c.fake.created == 0)
        #expect(c.get("/f") == "lower")
        #expect(c.chmod("/d", 0o700) == 0)
        #expect(c.names("/d") == ["sub", "x", "y"])
    }

    @Test func largeCopyUp() {
        host.put("big", String(repeating: "0123456789abcdef", count: 40000))
        let a = c.open("/big", Linux.O_RDWR)
        c.write(a.reply.key, "!", at: 639_999)
        #expect(c.fstat(a.reply.key).size == 640_000)
        #expect(c.read(a.reply.key, 639_990, 100).text == "6789abcde!")
        #expect(c.read(a.reply.key, 262_140, 8).text == "cdef0123")
    }

    @Test func whiteouts() {
        #expect(c.unlink("/f") == 0)
        #expect(c.tryOpen("/f") == e(.ENOENT))
        #expect(!c.names("/").contains("f"))
        #expect(c.unlink("/f") == e(.ENOENT))
        #expect(host.get("f") == "lower")
        #expect(c.put("/f", "new") == 3)
        #expect(c.get("/f") == "new")
        #expect(c.names("/").filter { $0 == "f" }.count == 1)
        #expect(c.unlink("/f") == 0)
        #expect(c.tryOpen("/f") == e(.ENOENT))
        for name in ["x", "y"] { c.unlink("/d/" + name) }
        #expect(c.rmdir("/d") == e(.ENOTEMPTY))
        #expect(c.rmdir("/d/sub") == 0)
        #expect(c.rmdir("/d") == 0)
        #expect(c.mkdir("/d") == 0)
        #expect(c.names("/d") == [])  // opaque: nothing of the old directory shows
        #expect(c.tryOpen("/d/x") == e(.ENOENT))
        #expect(host.exists("d/sub") && host.get("d/x") == "x")
    }

    @Test func renaming() {
        let ino = c.stat("/d").stat.ino
        #expect(c.rename("/f", "/d/f2") == 0)
        #expect(c.get("/d/f2") == "lower")
        #expect(c.tryOpen("/f") == e(.ENOENT))
        #expect(c.rename("/d", "/e") == 0)
        #expect(c.stat("/e").stat.ino == ino)
        #expect(c.names("/e") == ["f2", "sub", "x", "y"])
        #expect(c.get("/e/x") == "x")
        #expect(c.tryOpen("/d") == e(.ENOENT))
        #expect(c.put("/e/x", "changed") == 7)
        #expect(c.rename("/g", "/e/y") == 0)
        #expect(c.get("/e/y") == "other")
        #expect(c.rename("/e/sub", "/sub") == 0)
        #expect(c.stat("/sub/..").stat.ino == c.stat("/").stat.ino)
        #expect(c.rename("/e", "/sub") == 0)
        #expect(c.names("/sub") == ["f2", "x", "y"])
        #expect(host.exists("d/sub") && host.get("d/x") == "x" && host.get("f") == "lower" && host.exists("g"))
        let d = c.open("/sub/x")
        #expect(c.path(d.reply.key) == "/sub/x")
    }

    @Test func unlinkWhileOpenFreesTheCopy() {
        let a = c.open("/f", Linux.O_RDWR)
        c.write(a.reply.key, "12345")
        c.unlink("/f")
        #expect(c.read(a.reply.key).text == "12345")
        c.close(a.reply.key)
        #expect(c.fake.live <= 1)  // at most the idle lower segment
    }

    @Test func mergedListingIsStable() {
        for i in 0..<100 { host.put("d/l\(i)", "") }
        for i in 0..<50 { c.put("/d/u\(i)", "") }
        for i in 0..<10 { c.unlink("/d/l\(i)") }
        let names = c.names("/d")
        #expect(names.count == 143 && Set(names).count == 143)
    }

    @Test func hardLinksStayTogether() {
        Glibc.link(host.path + "/f", host.path + "/f2")
        #expect(c.stat("/f").stat.nlink == 2)
        let a = c.open("/f", Linux.O_RDWR)
        c.write(a.reply.key, "BOTH!")
        #expect(c.get("/f2") == "BOTH!")
        c.unlink("/f")
        #expect(c.get("/f2") == "BOTH!" && c.stat("/f2").stat.nlink == 1)
    }

    @Test func hostChangesAreSeen() {
        #expect(c.tryOpen("/later") == e(.ENOENT))
        host.put("later", "now")
        usleep(1_100_000)
        #expect(c.get("/later") == "now")
    }

    @Test func nodesOfTheHostStayThere() {
        mkfifo(host.path + "/fifo", 0o600)
        #expect(c.open("/fifo").reply.mode & Linux.S_IFMT == Linux.S_IFIFO)
        #expect(c.open("/fifo").reply.segUiTail == 0)
        c.mknod("/upper", Linux.S_IFIFO | 0o600)
        #expect(c.open("/upper").reply.ino != c.open("/fifo").reply.ino)
    }
}
