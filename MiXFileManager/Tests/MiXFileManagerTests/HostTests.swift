import CMiXFile
import Glibc
import Testing

@testable import FileCore

@Suite struct HostTests {
    let host: HostTree

    init() throws {
        host = try HostTree()
        host.put("f", "data")
        host.mkdir("d")
    }

    @Test func readOnly() throws {
        let c = try Client("mount.0=/ host host:\(host.path)")
        #expect(c.get("/f") == "data")
        #expect(c.tryOpen("/f", Linux.O_RDWR) == e(.EROFS))
        #expect(c.put("/new", "x") == e(.EROFS))
        #expect(c.unlink("/f") == e(.EROFS))
        #expect(c.rename("/f", "/g") == e(.EROFS))
        #expect(c.chmod("/f", 0) == e(.EROFS))
        #expect(c.truncate("/f", 0) == e(.EROFS))
        #expect(c.mkdir("/x") == e(.EROFS))
        #expect(host.get("f") == "data")
    }

    @Test func readWrite() throws {
        let c = try Client("mount.0=/ host host:\(host.path) rw")
        #expect(c.put("/new", "written") == 7)
        #expect(host.get("new") == "written")
        #expect(c.stat("/new").stat.size == 7)
        #expect(c.mkdir("/d/e", 0o750) == 0)
        #expect(c.stat("/d/e").stat.mode == Linux.S_IFDIR | 0o750)
        #expect(c.rename("/new", "/d/e/moved") == 0)
        #expect(host.get("d/e/moved") == "written")
        #expect(c.get("/d/e/moved") == "written")
        #expect(c.chmod("/f", 0o600) == 0)
        #expect(c.stat("/f").stat.mode == Linux.S_IFREG | 0o600)
        #expect(c.utimens("/f", MixTimes(atimeSec: 5, atimeNsec: 0, mtimeSec: 6, mtimeNsec: 7)) == 0)
        #expect(c.stat("/f").stat.mtimeSec == 6)
        #expect(c.link("/f", "/f2") == 0)
        #expect(c.stat("/f").stat.nlink == 2)
        #expect(c.symlink("f", "/s") == 0)
        #expect(c.get("/s") == "data")
        let open = c.open("/f")
        #expect(c.unlink("/f") == 0)
        #expect(c.read(open.reply.key).text == "data")
        #expect(c.rmdir("/d") == e(.ENOTEMPTY))
        #expect(c.truncate("/f2", 2) == 0)
        #expect(host.get("f2") == "da")
        #expect(c.mknod("/null", Linux.S_IFCHR | 0o666, 1 << 32 | 3) == e(.EPERM))
        #expect(c.names("/") == ["d", "f2", "s"])
        host.put("late", "x")
        #expect(c.get("/late") == "x")
        // Removing while reading, as rm -r does.
        c.mkdir("/many")
        for i in 0..<100 { c.put("/many/\(i)", "") }
        let d = c.open("/many", Linux.O_DIRECTORY).reply.key
        var cookie: UInt64 = 0
        while true {
            let part = c.list(d, from: cookie, size: 400)
            if part.names.isEmpty { break }
            for name in part.names { c.unlink("/many/" + name) }
            cookie = part.next
        }
        #expect(c.rmdir("/many") == 0)
    }

    @Test func nothingLeadsOut() throws {
        host.symlink("/", "root")
        host.symlink("../../../../..", "up")
        host.symlink("/proc/self/root", "magic")
        host.mkdir("etc")
        host.put("etc/passwd", "inside")
        for type in ["host", "overlay"] {
            let c = try Client("mount.0=/ \(type) host:\(host.path)")
            #expect(c.get("/root/etc/passwd") == "inside")
            #expect(c.get("/up/etc/passwd") == "inside")
            #expect(c.get("/../../../../etc/passwd") == "inside")
            #expect(c.tryOpen("/magic/etc/passwd") == e(.ENOENT))
            // Swapped under our feet: the cached directory becomes a link to the outside.
            #expect(c.tryOpen("/d") == 0)
            Glibc.rmdir(host.path + "/d")
            host.symlink("/etc", "d")
            #expect(c.tryOpen("/d/hostname") == e(.ENOENT) || c.tryOpen("/d/hostname") == e(.ENOTDIR))
            #expect(c.tryOpen("/d/shadow") < 0)
            Glibc.unlink(host.path + "/d")
            host.mkdir("d")
        }
    }

    @Test func namesWithSlashesNeverReachTheHost() throws {
        let tree = try HostDirectory(id: 3, nucleus: FakeNucleus().nucleus, path: host.path, readOnly: false)
        var cred = MixCred()
        cred.capabilities = MIX_CAP_ROOT
        withUnsafePointer(to: &cred) { cred in
            let caller = Caller(cred: cred)
            for bad in ["..", "../..", "/etc/passwd", "d/../../.."] {
                let result = Result { () throws(Errno) in try tree.root.lookup(Name(bad), caller) }
                if case .success(let inode) = result { #expect(inode === tree.root) }
            }
        }
    }

    @Test func systemDirectoriesOfTheHostAreEmpty() throws {
        let fake = FakeNucleus()
        let tree = try HostDirectory(id: 3, nucleus: fake.nucleus, path: "/", readOnly: true)
        var cred = MixCred()
        cred.capabilities = MIX_CAP_ROOT
        try withUnsafePointer(to: &cred) { cred in
            let caller = Caller(cred: cred)
            for name in ["proc", "sys", "dev"] {
                let inode = try tree.root.lookup(Name(name), caller)
                var count = 0
                try inode.list(after: 0, caller) { _, _, _, _ in
                    count += 1
                    return true
                }
                #expect(count == 0)
                #expect(throws: Errno.ENOENT) { try inode.lookup(Name("self"), caller) }
                #expect(throws: Errno.ENOENT) { try inode.lookup(Name("null"), caller) }
            }
        }
        #expect(throws: Errno.EINVAL) {
            try HostDirectory(id: 4, nucleus: fake.nucleus, path: "/proc", readOnly: true)
        }
    }

    @Test func descriptorsAreBounded() throws {
        for i in 0..<200 {
            host.mkdir("d/\(i)")
            host.put("d/\(i)/f", "\(i)")
        }
        let tree = try HostDirectory(
            id: 3, nucleus: FakeNucleus().nucleus, path: host.path, readOnly: true, descriptorLimit: 16)
        var cred = MixCred()
        cred.capabilities = MIX_CAP_ROOT
        try withUnsafePointer(to: &cred) { cred in
            let caller = Caller(cred: cred)
            let d = try tree.root.lookup(Name("d"), caller)
            for round in 0..<2 {
                for i in 0..<200 {
                    let f = try d.lookup(Name("\(i)"), caller).lookup(Name("f"), caller)
                    if round == 1 { _ = try f.data(writing: false) }
                    #expect(try f.attributes().size == UInt64("\(i)".count))
                }
                #expect(tree.openDescriptors <= 20)
            }
        }
    }
}
