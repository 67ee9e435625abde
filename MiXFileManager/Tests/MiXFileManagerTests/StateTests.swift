import CChorus
import CMiXFile
import Testing

@testable import FileCore

@Suite struct StateTests {
    /// The messages of an export, each at most `size` bytes.
    func export(_ c: Client, size: Int) -> [[UInt8]] {
        var all: [[UInt8]] = []
        while all.count < 100_000 {
            var buffer = [UInt8](repeating: 0, count: size)
            var count = UInt32(size)
            let code = buffer.withUnsafeMutableBytes {
                c.server.exportState(UInt32(all.count), $0.baseAddress, &count)
            }
            #expect(code == K_OK)
            if count == 0 { return all }
            all.append(Array(buffer.prefix(Int(count))))
        }
        return all
    }

    func take(_ c: Client, _ messages: [[UInt8]]) -> Int32 {
        for (i, message) in messages.enumerated() {
            let code = message.withUnsafeBytes { c.server.importState(UInt32(i), $0.baseAddress, UInt32($0.count)) }
            if code != K_OK { return code }
        }
        return c.server.importState(UInt32(messages.count), nil, 0)
    }

    @Test func everythingComesAcross() throws {
        let host = try HostTree()
        host.put("f", "lower")
        host.put("g", "other")
        host.mkdir("d")
        host.put("d/x", "x")
        let options = "mount.0=/ overlay host:\(host.path)\nmount.1=/tmp tmpfs\nmount.2=/dev devfs\nmount.3=/proc proc"
        let old = try Client(options)
        old.put("/tmp/file", "in memory")
        old.symlink("file", "/tmp/link")
        old.put("/f", "copied up")
        old.unlink("/g")
        old.rename("/d", "/moved")
        old.chmod("/moved/x", 0o600)
        old.mkdir("/mnt")
        #expect(old.mount("extra", "/mnt", "tmpfs") == 0)
        old.put("/mnt/deep", "deep")
        var r = old.request(FILE_DEV_REGISTER, key: MixKey(object: 5, tag: 0))
        r.arg = (UInt64(Linux.S_IFCHR | 0o666), 1 << 32 | 3, 11, 22)
        #expect(old.call(r, Client.strings("null")).diag == 0)
        let open = old.open("/tmp/file", Linux.O_RDWR).reply.key
        let unlinked = old.open("/tmp/gone", Linux.O_RDWR | Linux.O_CREAT).reply.key
        old.write(unlinked, "kept")
        old.unlink("/tmp/gone")
        let cwd = old.open("/moved", Linux.O_DIRECTORY | Linux.O_PATH).reply.key
        let proc = old.open("/proc/meminfo").reply.key
        let inos = ["/f", "/moved", "/moved/x", "/tmp/file"].map { old.stat($0).stat.ino }
        let table = old.call(old.request(FILE_MOUNTS)).text

        let new = try Client("", fake: old.fake)
        #expect(take(new, export(old, size: 100)) == K_OK)
        old.server.disconnect()

        #expect(new.get("/tmp/link") == "in memory")
        #expect(new.get("/f") == "copied up" && host.get("f") == "lower")
        #expect(new.tryOpen("/g") == e(.ENOENT) && new.tryOpen("/d") == e(.ENOENT))
        #expect(new.get("/moved/x") == "x" && new.stat("/moved/x").stat.mode == Linux.S_IFREG | 0o600)
        #expect(new.get("/mnt/deep") == "deep")
        #expect(new.open("/dev/null").reply.serverHead == 11)
        #expect(["/f", "/moved", "/moved/x", "/tmp/file"].map { new.stat($0).stat.ino } == inos)
        #expect(new.call(new.request(FILE_MOUNTS)).text == table)
        #expect(new.read(open).text == "in memory")
        #expect(new.read(unlinked).text == "kept" && new.fstat(unlinked).nlink == 0)
        #expect(new.path(cwd) == "/moved")
        #expect(new.read(proc).text.contains("MemTotal"))
        let live = new.fake.live
        new.close(unlinked)
        #expect(new.fake.live == live - 1)
        #expect(new.put("/tmp/more", "y") == 1)
        let fresh = new.open("/tmp/more").reply.key
        #expect(![open, unlinked, cwd].contains { $0.object == fresh.object })
    }

    @Test func locksAndPositions() throws {
        let old = try Client("mount.0=/ tmpfs\nmount.1=/proc proc\nmount.2=/small tmpfs size=64k")
        for name in 0..<40 { old.put("/f\(name)", "x") }
        let open = old.open("/f0", Linux.O_RDWR).reply.key
        func lock(_ c: Client, _ kind: UInt32, owner: UInt64, _ start: UInt64, _ size: UInt64) -> Int64 {
            var r = c.request(OBJ_LOCK, key: open)
            r.flags = kind
            r.owner = owner
            r.offset = start
            r.size = size
            return c.call(r).diag
        }
        #expect(lock(old, MIX_LOCK_EXCLUSIVE, owner: 1, 0, 10) == 0)
        #expect(lock(old, MIX_LOCK_SHARED, owner: 2, 20, 0) == 0)
        #expect(lock(old, MIX_LOCK_EXCLUSIVE | MIX_LOCK_FLOCK, owner: 3, 0, 0) == 0)
        // Removed names leave gaps in the positions of the others.
        for name in stride(from: 1, to: 40, by: 2) { old.unlink("/f\(name)") }
        let directory = old.open("/", Linux.O_DIRECTORY).reply.key
        let positions = old.positions(directory)
        let text = old.open("/proc/version").reply.key
        let whole = old.read(text).text
        let new = try Client("", fake: old.fake)
        #expect(take(new, export(old, size: 1 << 20)) == K_OK)
        old.server.disconnect()
        #expect(lock(new, MIX_LOCK_EXCLUSIVE, owner: 2, 5, 1) == e(.EAGAIN))
        #expect(lock(new, MIX_LOCK_EXCLUSIVE, owner: 1, 30, 1) == e(.EAGAIN))
        #expect(lock(new, MIX_LOCK_EXCLUSIVE, owner: 1, 10, 5) == 0)
        #expect(lock(new, MIX_LOCK_SHARED | MIX_LOCK_FLOCK, owner: 4, 0, 0) == e(.EAGAIN))
        #expect(lock(new, MIX_LOCK_UNLOCK | MIX_LOCK_FLOCK, owner: 3, 0, 0) == 0)
        #expect(lock(new, MIX_LOCK_SHARED | MIX_LOCK_FLOCK, owner: 4, 0, 0) == 0)
        #expect(new.positions(directory) == positions && positions.count > 20)
        #expect(new.read(text).text == whole)
        #expect(new.put("/late", "x") == 1)
        #expect(Array(new.positions(directory).prefix(positions.count)) == positions, "a new name comes last")
    }

    @Test func damagedState() throws {
        let old = try Client("mount.0=/ tmpfs\nmount.1=/proc proc")
        old.put("/f", "x")
        _ = old.open("/f")
        let whole = export(old, size: 1 << 20).flatMap { $0 }
        for cut in stride(from: 0, to: whole.count, by: 13) {
            let new = try Client("mount.0=/ tmpfs", fake: FakeNucleus())
            #expect(take(new, [Array(whole.prefix(cut))].filter { !$0.isEmpty }) == K_EINVAL)
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var bad = whole
            bad[Int.random(in: 8..<bad.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
            let new = try Client("mount.0=/ tmpfs", fake: FakeNucleus())
            _ = take(new, [bad])  // any answer will do, but there must be one
        }
    }
}
