import CMiXFile
import Glibc
import Testing

@testable import FileCore

@Suite struct TmpfsTests {
    let c: Client

    init() throws { c = try Client("mount.0=/ tmpfs mode=755") }

    @Test func dataAndSegments() {
        let a = c.open("/f", Linux.O_CREAT | Linux.O_RDWR)
        #expect(a.diag == 0 && a.reply.segUiTail != 0)
        #expect(a.reply.mode == Linux.S_IFREG | 0o644)
        c.write(a.reply.key, "hello")
        c.write(a.reply.key, " world", flags: Linux.O_APPEND)
        #expect(c.fstat(a.reply.key).size == 11)
        #expect(c.read(a.reply.key, 6, 100).text == "world")
        #expect(c.read(a.reply.key, 11).diag == 0)
        #expect(c.truncate("/f", 3) == 0)
        #expect(c.get("/f") == "hel")
        #expect(c.truncate("/f", 5) == 0)
        #expect(c.get("/f") == "hel\0\0")
        #expect(c.truncate("/f", 1 << 63) == e(.EFBIG))
        #expect(c.tryOpen("/f", Linux.O_TRUNC | Linux.O_WRONLY) == 0)
        #expect(c.stat("/f").stat.size == 0)
        let again = c.open("/f")
        #expect(again.reply.segUiTail == a.reply.segUiTail)
        #expect(c.write(again.reply.key, "x") == e(.EBADF))
    }

    @Test func unlinkWhileOpen() {
        let a = c.open("/f", Linux.O_CREAT | Linux.O_RDWR)
        c.write(a.reply.key, "still here")
        #expect(c.path(a.reply.key) == "/f")
        #expect(c.unlink("/f") == 0)
        #expect(c.tryOpen("/f") == e(.ENOENT))
        #expect(c.read(a.reply.key).text == "still here")
        #expect(c.fstat(a.reply.key).nlink == 0)
        #expect(c.path(a.reply.key) == "/f (deleted)")
        #expect(c.fake.live == 1)
        c.close(a.reply.key)
        #expect(c.fake.live == 0)
        #expect(c.read(a.reply.key).diag == e(.ESTALE))
    }

    @Test func linksAndCounts() {
        c.put("/f", "x")
        c.mkdir("/d")
        c.mkdir("/d/e")
        #expect(c.stat("/d").stat.nlink == 3)
        #expect(c.stat("/").stat.nlink == 3)
        #expect(c.link("/f", "/d/g") == 0)
        #expect(c.stat("/f").stat.nlink == 2)
        #expect(c.stat("/f").stat.ino == c.stat("/d/g").stat.ino)
        #expect(c.link("/d", "/h") == e(.EPERM))
        #expect(c.link("/f", "/d/g") == e(.EEXIST))
        c.symlink("f", "/s")
        #expect(c.link("/s", "/s2") == 0)
        #expect(c.readlink("/s2").text == "f")
        #expect(c.link("/s", "/s3", Linux.AT_SYMLINK_FOLLOW) == 0)
        #expect(c.stat("/f").stat.nlink == 3)
    }

    @Test func removing() {
        c.mkdir("/d")
        c.put("/d/f", "x")
        c.symlink("d", "/s")
        #expect(c.unlink("/d") == e(.EISDIR))
        #expect(c.rmdir("/d") == e(.ENOTEMPTY))
        #expect(c.rmdir("/d/f") == e(.ENOTDIR))
        #expect(c.rmdir("/d/.") == e(.EINVAL))
        #expect(c.rmdir("/d/..") == e(.ENOTEMPTY))
        #expect(c.rmdir("/") == e(.EBUSY))
        #expect(c.rmdir("/s/") == e(.ENOTDIR))
        #expect(c.unlink("/d/f/") == e(.ENOTDIR))
        #expect(c.unlink("/none") == e(.ENOENT))
        let d = c.open("/d", Linux.O_DIRECTORY).reply.key
        c.unlink("/d/f")
        #expect(c.rmdir("/d") == 0)
        #expect(c.list(d).diag == e(.ENOENT))
        #expect(c.path(d) == "/d (deleted)")
        c.directory = d
        #expect(c.put("f", "x") == e(.ENOENT))
        #expect(c.stat("..").stat.ino == c.stat("/").stat.ino)
    }

    @Test func renaming() {
        c.put("/f", "one")
        c.put("/g", "two")
        c.mkdir("/d")
        c.mkdir("/d/sub")
        c.mkdir("/empty")
        #expect(c.rename("/f", "/g") == 0)
        #expect(c.get("/g") == "one")
        #expect(c.tryOpen("/f") == e(.ENOENT))
        #expect(c.rename("/g", "/d") == e(.EISDIR))
        #expect(c.rename("/d", "/g") == e(.ENOTDIR))
        #expect(c.rename("/empty", "/d") == e(.ENOTEMPTY))
        #expect(c.rename("/d", "/d/sub/x") == e(.EINVAL))
        #expect(c.rename("/d", "/empty") == 0)
        #expect(c.names("/empty") == ["sub"])
        #expect(c.rename("/none", "/x") == e(.ENOENT))
        #expect(c.rename("/g", "/x/") == e(.ENOTDIR))
        #expect(c.rename("/empty", "/moved/") == 0)
        #expect(c.rename("/moved/.", "/y") == e(.EBUSY))
        c.put("/h", "three")
        #expect(c.rename("/g", "/h", Linux.RENAME_NOREPLACE) == e(.EEXIST))
        #expect(c.rename("/g", "/h", Linux.RENAME_EXCHANGE) == 0)
        #expect(c.get("/g") == "three" && c.get("/h") == "one")
        #expect(c.rename("/g", "/moved", Linux.RENAME_EXCHANGE) == 0)
        #expect(c.names("/g") == ["sub"] && c.get("/moved") == "three")
        #expect(c.rename("/g", "/g/sub", Linux.RENAME_EXCHANGE) == e(.EINVAL))
        c.link("/h", "/h2")
        #expect(c.rename("/h", "/h2") == 0)
        #expect(c.names("/").contains("h"))
        #expect(c.fake.live == 2)
    }

    @Test func temporaryFiles() {
        let a = c.open("/", Linux.O_TMPFILE_BIT | Linux.O_DIRECTORY | Linux.O_RDWR)
        #expect(a.diag == 0)
        c.write(a.reply.key, "temp")
        #expect(c.names("/") == [])
        #expect(c.fstat(a.reply.key).nlink == 0)
        #expect(c.link("", "/kept", Linux.AT_EMPTY_PATH, key: a.reply.key) == 0)
        c.close(a.reply.key)
        #expect(c.get("/kept") == "temp")
        #expect(c.tryOpen("/", Linux.O_TMPFILE_BIT | Linux.O_DIRECTORY) == e(.EINVAL))
        let b = c.open("/kept")
        c.unlink("/kept")
        #expect(c.link("", "/again", Linux.AT_EMPTY_PATH, key: b.reply.key) == e(.ENOENT))  // a name once is enough
        let never = c.open("/", Linux.O_TMPFILE_BIT | Linux.O_DIRECTORY | Linux.O_RDWR | Linux.O_EXCL)
        #expect(c.link("", "/never", Linux.AT_EMPTY_PATH, key: never.reply.key) == e(.ENOENT))
    }

    @Test func attributesAndTimes() {
        c.put("/f", "x")
        #expect(c.utimens("/f", MixTimes(atimeSec: 1, atimeNsec: 2, mtimeSec: 3, mtimeNsec: 4)) == 0)
        var s = c.stat("/f").stat
        #expect(s.atimeSec == 1 && s.atimeNsec == 2 && s.mtimeSec == 3 && s.mtimeNsec == 4)
        let omit = MixTimes(atimeSec: 0, atimeNsec: Linux.UTIME_OMIT, mtimeSec: 9, mtimeNsec: 0)
        #expect(c.utimens("/f", omit) == 0)
        s = c.stat("/f").stat
        #expect(s.atimeSec == 1 && s.mtimeSec == 9)
        #expect(c.utimens("/f", MixTimes(atimeSec: 0, atimeNsec: -1, mtimeSec: 0, mtimeNsec: 0)) == e(.EINVAL))
        c.put("/f", "y")
        #expect(c.stat("/f").stat.mtimeSec > 1000)  // a write counts again
        c.chmod("/f", 0o6755)
        #expect(c.chown("/f", 5, 6) == 0)
        s = c.stat("/f").stat
        #expect(s.uid == 5 && s.gid == 6 && s.mode == Linux.S_IFREG | 0o755)
        #expect(c.mknod("/fifo", Linux.S_IFIFO | 0o600) == 0)
        #expect(c.open("/fifo").reply.mode == Linux.S_IFIFO | 0o600)
        #expect(c.open("/fifo").reply.ino != 0)
        #expect(c.mknod("/null", Linux.S_IFCHR | 0o666, 1 << 32 | 3) == 0)
        #expect(c.stat("/null").stat.rdev == 1 << 32 | 3)
        #expect(c.open("/null").diag == e(.ENXIO))
        c.become(9)
        #expect(c.mknod("/dev", Linux.S_IFCHR | 0o666, 1) == e(.EPERM))
        #expect(c.utimens("/f", omit) == e(.EPERM))
    }

    @Test func readingDirectoriesThatChange() {
        c.mkdir("/d")
        for i in 0..<200 { c.put("/d/f\(i)", "") }
        let d = c.open("/d", Linux.O_DIRECTORY).reply.key
        var seen: [String] = []
        var cookie: UInt64 = 0
        var round = 0
        while true {
            let part = c.list(d, from: cookie, size: 200)
            if part.names.isEmpty { break }
            seen += part.names
            cookie = part.next
            // Names seen go (rm -r), and new ones come.
            for name in part.names where name.hasPrefix("f") { c.unlink("/d/" + name) }
            if round < 20 { c.put("/d/new\(round)", "") }
            round += 1
        }
        let old = seen.filter { $0.hasPrefix("f") }
        #expect(old.count == 200 && Set(old).count == 200)
        #expect(Set(seen).count == seen.count)
        #expect(c.list(d, size: 10).diag == e(.EINVAL))
        #expect(c.list(d, from: .max).names.isEmpty)
    }

    @Test func readOnlyMount() {
        c.mkdir("/ro")
        #expect(c.mount("t", "/ro", "tmpfs", "", flags: Linux.MS_RDONLY) == 0)
        #expect(c.put("/ro/f", "x") == e(.EROFS))
        #expect(c.mkdir("/ro/d") == e(.EROFS))
        #expect(c.access("/ro", 2) == e(.EROFS))
        #expect(c.mount("", "/ro", "", "", flags: Linux.MS_REMOUNT) == 0)
        #expect(c.put("/ro/f", "x") == 1)
    }

    @Test func allocating() {
        let a = c.open("/f", Linux.O_CREAT | Linux.O_RDWR)
        var r = c.request(OBJ_ALLOCATE, key: a.reply.key)
        r.size = 100
        #expect(c.call(r).diag == 0)
        #expect(c.fstat(a.reply.key).size == 100)
        r.size = .max
        r.offset = 5
        #expect(c.call(r).diag == e(.EFBIG))
        r.size = 0
        #expect(c.call(r).diag == e(.EINVAL))
        c.write(a.reply.key, "abcdef")
        r.offset = 1
        r.size = 2
        r.flags = 3
        #expect(c.call(r).diag == 0)
        #expect(c.read(a.reply.key, 0, 6).text == "a\0\0def")
    }
}
