import CMiXFile
import Testing

@testable import FileCore

@Suite struct MountTests {
    @Test func tableFromOptions() throws {
        let c = try Client(
            "colour=red\nmount.0=/ tmpfs mode=755\nmount.1=/proc proc\nmount.10=/dev/shm tmpfs mode=1777\nmount.2=/dev devfs"
        )
        let text = c.call(c.request(FILE_MOUNTS)).text
        #expect(
            text == """
                tmpfs / tmpfs rw,relatime,mode=755 0 0
                proc /proc proc rw,relatime 0 0
                devfs /dev devtmpfs rw,relatime 0 0
                tmpfs /dev/shm tmpfs rw,relatime,mode=1777 0 0

                """)
        #expect(c.names("/") == ["dev", "proc"])
        #expect(c.names("/dev") == ["fd", "pts", "shm", "stderr", "stdin", "stdout"])
        #expect(c.stat("/dev/shm").stat.mode == Linux.S_IFDIR | 0o1777)
        #expect(c.readlink("/dev/fd").text == "/proc/self/fd")
    }

    @Test(arguments: [
        "mount.0=/x tmpfs", "mount.0=/ ext4", "mount.0=/", "mount.x=/ tmpfs", "mount.0=/ overlay",
        "mount.0=/ overlay host:relative", "mount.0=rel tmpfs",
    ])
    func badOptions(_ text: String) {
        #expect(throws: MountOptions.Problem.self) { try MountOptions(text) }
    }

    @Test func escapedWords() throws {
        let options = try MountOptions("mount.0=/ overlay host:/my\\040old\\134disk\\04 ro,mode=755")
        #expect(options.lines[0].host == "/my old\\disk\\04")
        let c = try Client("mount.0=/ tmpfs\nmount.1=/a\\040b tmpfs")
        #expect(c.names("/") == ["a b"])
    }

    @Test func missingHostDirectory() {
        #expect(throws: MountOptions.Problem.self) { try Client("mount.0=/ overlay host:/no/such/directory") }
    }

    @Test func standardTable() throws {
        let c = try Client("")
        let text = c.call(c.request(FILE_MOUNTS)).text
        for point in ["/ overlay", "/proc proc", "/dev devtmpfs", "/dev/shm tmpfs", "/tmp tmpfs", "/run tmpfs"] {
            #expect(text.contains(" \(point) "))
        }
        #expect(c.get("/proc/sys/kernel/ostype") == "Linux\n")
        #expect(c.put("/tmp/x", "y") == 1)
        #expect(c.put("/etc/mix-test-file", "y") == 1)
        #expect(!HostProbe.exists("/etc/mix-test-file"))
        #expect(c.tryOpen("/sys/nothing") == e(.ENOENT))
    }

    @Test func mountAndUnmount() throws {
        let c = try Client("mount.0=/ tmpfs mode=755")
        c.mkdir("/m")
        c.put("/m/hidden", "x")
        #expect(c.mount("none", "/m", "ext4") == e(.ENODEV))
        #expect(c.mount("none", "/m", "tmpfs", "mode=zzz") == e(.EINVAL))
        #expect(c.mount("my disk", "/m", "tmpfs", "size=1m,mode=700") == 0)
        #expect(c.names("/m") == [])
        #expect(c.put("/m/new", "y") == 1)
        #expect(c.stat("/m").stat.mode == Linux.S_IFDIR | 0o700)
        #expect(c.stat("/m").stat.dev != c.stat("/").stat.dev)
        #expect(c.stat("/m/..").stat.ino == c.stat("/").stat.ino)
        #expect(c.call(c.request(FILE_MOUNTS)).text.contains("my\\040disk /m tmpfs rw,relatime,size=1m,mode=700"))
        #expect(c.rename("/m/new", "/new") == e(.EXDEV))
        #expect(c.link("/m/new", "/new") == e(.EXDEV))
        #expect(c.rmdir("/m") == e(.EBUSY))
        #expect(c.rename("/m", "/n") == e(.EBUSY))
        let open = c.open("/m/new")
        #expect(c.path(open.reply.key) == "/m/new")
        #expect(c.umount("/m") == e(.EBUSY))
        c.close(open.reply.key)
        #expect(c.umount("/m/new") == e(.EINVAL))
        #expect(c.umount("/") == e(.EBUSY))
        #expect(c.umount("/m") == 0)
        #expect(c.get("/m/hidden") == "x")
        #expect(c.fake.live == 1)
        // Lazy: what is open stays usable.
        #expect(c.mount("t", "/m", "tmpfs") == 0)
        c.mkdir("/m/sub")
        #expect(c.mount("t", "/m/sub", "tmpfs") == 0)
        #expect(c.umount("/m") == e(.EBUSY))
        #expect(c.umount("/m", flags: Linux.MNT_DETACH) == 0)
        #expect(c.names("/m") == ["hidden"])
        c.become(5)
        #expect(c.mount("t", "/m", "tmpfs") == e(.EPERM))
        #expect(c.umount("/m") == e(.EPERM))
    }

    @Test func bindMounts() throws {
        let c = try Client("mount.0=/ tmpfs mode=755")
        c.mkdir("/a")
        c.mkdir("/a/deep")
        c.put("/a/f", "x")
        c.mkdir("/b")
        c.put("/file", "old")
        #expect(c.mount("/a", "/b", "", flags: Linux.MS_BIND) == 0)
        #expect(c.get("/b/f") == "x")
        #expect(c.stat("/b/deep/../..").stat.ino == c.stat("/").stat.ino)
        #expect(c.mount("/a", "/file", "", flags: Linux.MS_BIND) == e(.ENOTDIR))
        #expect(c.mount("/a/f", "/file", "", flags: Linux.MS_BIND) == 0)
        #expect(c.get("/file") == "x")
        #expect(c.unlink("/file") == e(.EBUSY))
        #expect(c.umount("/file") == 0)
        #expect(c.get("/file") == "old")
        #expect(c.umount("/b") == 0)
        #expect(c.get("/a/f") == "x")
    }

    @Test func devices() throws {
        let c = try Client("mount.0=/ tmpfs mode=755\nmount.1=/dev devfs")
        func register(_ name: String, _ rdev: UInt64, _ mode: UInt32 = Linux.S_IFCHR | 0o666) -> Int64 {
            var r = c.request(FILE_DEV_REGISTER, key: MixKey(object: rdev, tag: 0))
            r.arg = (UInt64(mode), rdev, 11, 22)
            return c.call(r, Client.strings(name)).diag
        }
        #expect(register("null", 1 << 32 | 3) == 0)
        #expect(register("null", 1 << 32 | 3) == 0)  // a restarted server registers again
        #expect(register("pts/0", 136 << 32) == 0)
        #expect(register("../null", 1) == e(.EINVAL))
        #expect(register("a//b", 1) == e(.EINVAL))
        #expect(register("", 1) == e(.EINVAL))
        #expect(register("f", 1, Linux.S_IFREG | 0o644) == e(.EINVAL))
        let a = c.open("/dev/null", Linux.O_RDWR)
        #expect(a.diag == 0 && a.reply.serverHead == 11 && a.reply.serverTail == 22)
        #expect(a.reply.devMajor == 1 && a.reply.devMinor == 3 && a.reply.key.object == 1 << 32 | 3)
        #expect(a.reply.mode == Linux.S_IFCHR | 0o666)
        #expect(c.names("/dev/pts") == ["0"])
        c.mknod("/elsewhere", Linux.S_IFCHR | 0o600, 1 << 32 | 3)
        #expect(c.open("/elsewhere").reply.serverHead == 11)
        let gone = c.call(c.request(FILE_DEV_UNREGISTER), Client.strings("pts/0"))
        #expect(gone.diag == 0 && c.names("/dev/pts") == [])
        #expect(c.call(c.request(FILE_DEV_UNREGISTER), Client.strings("pts/0")).diag == e(.ENOENT))
    }

    @Test func fileSystemStatistics() throws {
        let c = try Client("mount.0=/ tmpfs mode=755,size=1m")
        let a = c.call(c.request(FILE_STATFS), Client.strings("/"))
        let s = a.body.withUnsafeBytes { $0.loadUnaligned(as: MixStatfs.self) }
        #expect(s.type == 0x0102_1994 && s.blocks == 256 && s.namelen == 255 && s.bsize == 4096)
    }
}
