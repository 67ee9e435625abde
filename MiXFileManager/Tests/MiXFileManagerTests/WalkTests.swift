import CMiXFile
import Testing

@testable import FileCore

@Suite struct WalkTests {
    let c: Client

    init() throws {
        c = try Client("mount.0=/ tmpfs mode=755\nmount.1=/m tmpfs mode=755")
        c.mkdir("/a")
        c.mkdir("/a/b")
        c.put("/a/b/f", "deep")
        c.put("/file", "top")
    }

    @Test func ordinaryPaths() {
        #expect(c.get("/a/b/f") == "deep")
        #expect(c.get("//a/./b/../b//f") == "deep")
        #expect(c.get("/../../a/b/f") == "deep")
        #expect(c.tryOpen("") == e(.ENOENT))
        #expect(c.tryOpen("/a/x") == e(.ENOENT))
        #expect(c.tryOpen("/a/x/y") == e(.ENOENT))
        #expect(c.tryOpen("/file/x") == e(.ENOTDIR))
        #expect(c.tryOpen("/file/..") == e(.ENOTDIR))
        #expect(c.tryOpen("/file/") == e(.ENOTDIR))
        #expect(c.tryOpen("/file/.") == e(.ENOTDIR))
        #expect(c.tryOpen("/a/") == 0)
        #expect(c.tryOpen("/a", Linux.O_RDWR) == e(.EISDIR))
        #expect(c.tryOpen("/file", Linux.O_DIRECTORY) == e(.ENOTDIR))
    }

    @Test func lengths() {
        let name = String(repeating: "n", count: 255)
        #expect(c.put("/" + name, "long") == 4)
        #expect(c.get("/" + name) == "long")
        #expect(c.names("/").contains(name))
        #expect(c.tryOpen("/" + name + "n") == e(.ENAMETOOLONG))
        #expect(c.mkdir("/" + name + "n") == e(.ENAMETOOLONG))
        #expect(c.tryOpen(String(repeating: "/", count: 4095)) == 0)
        #expect(c.tryOpen(String(repeating: "/", count: 4096)) == e(.ENAMETOOLONG))
        #expect(c.put("/" + String(repeating: "n", count: 31), "31") == 2)
        #expect(c.put("/" + String(repeating: "n", count: 32), "32") == 2)
        #expect(c.get("/" + String(repeating: "n", count: 31)) == "31")
        #expect(c.get("/" + String(repeating: "n", count: 32)) == "32")
    }

    @Test func symbolicLinks() {
        c.symlink("b/f", "/a/rel")
        c.symlink("/a/b", "/abs")
        c.symlink("loop2", "/loop1")
        c.symlink("loop1", "/loop2")
        c.symlink("gone", "/dangling")
        #expect(c.get("/a/rel") == "deep")
        #expect(c.get("/abs/f") == "deep")
        #expect(c.get("/abs/../b/f") == "deep")
        #expect(c.tryOpen("/loop1") == e(.ELOOP))
        #expect(c.tryOpen("/dangling") == e(.ENOENT))
        #expect(c.tryOpen("/a/rel", Linux.O_NOFOLLOW) == e(.ELOOP))
        #expect(c.tryOpen("/a/rel", Linux.O_NOFOLLOW | Linux.O_PATH) == 0)
        #expect(c.tryOpen("/abs", Linux.O_NOFOLLOW | Linux.O_DIRECTORY) == e(.ENOTDIR))
        #expect(c.stat("/abs", Linux.AT_SYMLINK_NOFOLLOW).stat.mode == Linux.S_IFLNK | 0o777)
        #expect(c.stat("/abs/", Linux.AT_SYMLINK_NOFOLLOW).stat.mode & Linux.S_IFMT == Linux.S_IFDIR)
        #expect(c.readlink("/abs").text == "/a/b")
        #expect(c.readlink("/file").diag == e(.EINVAL))
        // 40 links are followed, 41 not.
        c.symlink("/file", "/l1")
        for i in 2...41 { c.symlink("/l\(i - 1)", "/l\(i)") }
        #expect(c.get("/l40") == "top")
        #expect(c.tryOpen("/l41") == e(.ELOOP))
    }

    @Test func creatingThroughLinks() {
        c.symlink("/a/new", "/tonew")
        #expect(c.tryOpen("/tonew", Linux.O_CREAT | Linux.O_EXCL | Linux.O_RDWR) == e(.EEXIST))
        #expect(c.tryOpen("/tonew", Linux.O_CREAT | Linux.O_NOFOLLOW | Linux.O_RDWR) == e(.ELOOP))
        #expect(c.put("/tonew", "made") == 4)
        #expect(c.get("/a/new") == "made")
        #expect(c.tryOpen("/a", Linux.O_CREAT | Linux.O_RDWR) == e(.EISDIR))
        #expect(c.tryOpen("/x/", Linux.O_CREAT | Linux.O_RDWR) == e(.EISDIR))
        #expect(c.tryOpen("/file", Linux.O_CREAT | Linux.O_EXCL) == e(.EEXIST))
        #expect(c.mkdir("/newdir/") == 0)
        #expect(c.mkdir("/a/..") == e(.EEXIST))
        #expect(c.mkdir("/tonew") == e(.EEXIST))
    }

    @Test func relativeToKeysAndRoots() {
        let a = c.open("/a", Linux.O_DIRECTORY).reply.key
        #expect(c.call(c.request(FILE_STAT, key: a), Client.strings("b/f")).diag == 0)
        let f = c.open("/file").reply.key
        #expect(c.open("x", key: f).diag == e(.ENOTDIR))
        #expect(c.open("/file", key: f).diag == 0)
        c.root = a
        c.directory = a
        #expect(c.get("/b/f") == "deep")
        #expect(c.get("../../../b/f") == "deep")
        #expect(c.tryOpen("/file") == e(.ENOENT))
        c.symlink("/b/f", "/inroot")
        #expect(c.get("inroot") == "deep")
        #expect(c.path(a) == "/")
    }

    @Test func resolveFlags() {
        c.symlink("/file", "/a/abs")
        c.symlink("../file", "/a/up")
        c.directory = c.open("/a", Linux.O_DIRECTORY).reply.key
        #expect(c.tryOpen("b/f", resolve: Linux.RESOLVE_BENEATH) == 0)
        #expect(c.tryOpen("../file", resolve: Linux.RESOLVE_BENEATH) == e(.EXDEV))
        #expect(c.tryOpen("b/../../a/b/f", resolve: Linux.RESOLVE_BENEATH) == e(.EXDEV))
        #expect(c.tryOpen("abs", resolve: Linux.RESOLVE_BENEATH) == e(.EXDEV))
        #expect(c.tryOpen("up", resolve: Linux.RESOLVE_BENEATH) == e(.EXDEV))
        #expect(c.tryOpen("up", Linux.O_CREAT | Linux.O_RDWR, resolve: Linux.RESOLVE_BENEATH) == e(.EXDEV))
        #expect(c.tryOpen("/b/f", resolve: Linux.RESOLVE_IN_ROOT) == 0)
        #expect(c.tryOpen("../../b/f", resolve: Linux.RESOLVE_IN_ROOT) == 0)
        #expect(c.tryOpen("abs", resolve: Linux.RESOLVE_IN_ROOT) == e(.ENOENT))
        #expect(c.tryOpen("up", resolve: Linux.RESOLVE_NO_SYMLINKS) == e(.ELOOP))
        c.directory = MixKey()
        #expect(c.tryOpen("/m", resolve: Linux.RESOLVE_NO_XDEV) == e(.EXDEV))
        #expect(c.tryOpen("/m") == 0)
        #expect(c.tryOpen("/file", resolve: 0x1000) == e(.EINVAL))
    }

    @Test func permissions() {
        c.mkdir("/closed", 0o700)
        c.put("/closed/f", "x", mode: 0o666)
        c.mkdir("/open", 0o777)
        c.put("/script", "#!", mode: 0o644)
        #expect(c.open("/script", resolve: 1 << 32).diag == e(.EACCES))
        c.chmod("/script", 0o744)
        #expect(c.open("/script", resolve: 1 << 32).diag == 0)
        #expect(c.open("/a", resolve: 1 << 32).diag == e(.EACCES))
        c.become(1000)
        #expect(c.tryOpen("/closed/f") == e(.EACCES))
        #expect(c.tryOpen("/file", Linux.O_RDWR) == e(.EACCES))
        #expect(c.tryOpen("/file") == 0)
        #expect(c.access("/file", 2) == e(.EACCES))
        #expect(c.access("/file", 4) == 0)
        #expect(c.put("/nope", "x") == e(.EACCES))
        #expect(c.put("/open/mine", "x") == 1)
        #expect(c.stat("/open/mine").stat.uid == 1000)
        #expect(c.chmod("/file", 0o777) == e(.EPERM))
        #expect(c.chown("/open/mine", 0, 0) == e(.EPERM))
        #expect(c.open("/script", resolve: 1 << 32).diag == e(.EACCES))
        c.become(2000, groups: [0])
        #expect(c.unlink("/open/mine") == 0)
    }

    @Test func stickyAndSetgid() {
        c.mkdir("/t", 0o1777)
        c.mkdir("/g", 0o2777)
        c.chmod("/g", 0o2777)
        c.chown("/g", 0, 77)
        c.become(1000)
        c.put("/t/mine", "x")
        c.put("/g/f", "x")
        c.mkdir("/g/d")
        #expect(c.stat("/g/f").stat.gid == 77)
        #expect(c.stat("/g/d").stat.gid == 77)
        #expect(c.stat("/g/d").stat.mode & Linux.S_ISGID != 0)
        c.become(2000)
        #expect(c.unlink("/t/mine") == e(.EPERM))
        #expect(c.rename("/t/mine", "/t/yours") == e(.EPERM))
        c.put("/t/yours", "x")
        c.become(1000)
        #expect(c.rename("/t/mine", "/t/yours") == e(.EPERM))
        #expect(c.unlink("/t/mine") == 0)
    }

    @Test func dotsStorm() {
        #expect(c.get(String(repeating: "../", count: 1300) + "file") == "top")
        #expect(c.get("/" + String(repeating: "a/../", count: 800) + "file") == "top")
    }
}
