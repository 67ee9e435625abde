import CChorus
import CMiXFile
import Testing

@testable import FileCore

@Suite struct ObjectTests {
    let c: Client

    init() throws {
        c = try Client("mount.0=/ tmpfs mode=755")
        c.put("/f", "data")
    }

    @Test func keysCannotBeForged() {
        let key = c.open("/f").reply.key
        #expect(c.read(MixKey(object: key.object, tag: key.tag ^ 1)).diag == e(.EBADF))
        #expect(c.read(MixKey(object: key.object + 1, tag: key.tag)).diag == e(.EBADF))
        #expect(c.read(MixKey(object: key.object ^ 1 << 48, tag: key.tag)).diag == e(.EBADF))
        #expect(c.read(MixKey()).diag == e(.EBADF))
        #expect(c.close(key) == 0)
        #expect(c.close(key) == e(.ESTALE))
        let next = c.open("/f").reply.key  // the slot again
        #expect(next.object != key.object)
        #expect(c.read(key).diag == e(.ESTALE))
        #expect(c.read(next).text == "data")
    }

    @Test func references() {
        let key = c.open("/f").reply.key
        #expect(c.call(c.request(OBJ_DUP, key: key)).diag == 0)
        #expect(c.close(key) == 0)
        #expect(c.read(key).text == "data")
        #expect(c.close(key) == 0)
        #expect(c.read(key).diag == e(.ESTALE))
        #expect(c.call(c.request(OBJ_DUP, key: key)).diag == e(.ESTALE))
    }

    func lock(
        _ key: MixKey, _ flags: UInt32, owner: UInt64, _ start: UInt64 = 0, _ size: UInt64 = 0, pid: Int32 = 1
    ) -> Client.Answer {
        var r = c.request(OBJ_LOCK, flags: flags, key: key)
        r.owner = owner
        r.offset = start
        r.size = size
        r.cred.pid = pid
        return c.call(r)
    }

    @Test func recordLocksSplitAndJoin() {
        let key = c.open("/f", Linux.O_RDWR).reply.key
        #expect(lock(key, MIX_LOCK_EXCLUSIVE, owner: 1, 0, 100).diag == 0)
        #expect(lock(key, MIX_LOCK_SHARED, owner: 2, 50, 10).diag == e(.EAGAIN))
        #expect(lock(key, MIX_LOCK_SHARED, owner: 2, 100, 10).diag == 0)
        #expect(lock(key, MIX_LOCK_UNLOCK, owner: 1, 40, 20).diag == 0)
        #expect(lock(key, MIX_LOCK_EXCLUSIVE, owner: 2, 40, 20).diag == 0)
        #expect(lock(key, MIX_LOCK_EXCLUSIVE, owner: 2, 39, 1).diag == e(.EAGAIN))
        #expect(lock(key, MIX_LOCK_EXCLUSIVE, owner: 2, 60, 1).diag == e(.EAGAIN))
        let test = lock(key, MIX_LOCK_TEST | MIX_LOCK_SHARED, owner: 3, 70, 0, pid: 9).reply
        #expect(test.value.0 == UInt64(MIX_LOCK_EXCLUSIVE) && test.value.1 == 60 && test.value.2 == 40)
        #expect(test.value.3 == 1)
        #expect(lock(key, MIX_LOCK_TEST | MIX_LOCK_SHARED, owner: 3, 1000, 0).reply.value.0 == UInt64(MIX_LOCK_UNLOCK))
        // Own locks change kind and join.
        #expect(lock(key, MIX_LOCK_SHARED, owner: 1, 0, 40).diag == 0)
        #expect(lock(key, MIX_LOCK_SHARED, owner: 2, 0, 40).diag == 0)
        #expect(lock(key, MIX_LOCK_EXCLUSIVE, owner: 1, 0, 40).diag == e(.EAGAIN))
        #expect(lock(key, MIX_LOCK_SHARED, owner: 1, UInt64.max, 1).diag == e(.EINVAL))
        #expect(lock(key, MIX_LOCK_SHARED, owner: 1, 1 << 62, 1 << 63).diag == e(.EOVERFLOW))
        #expect(lock(key, 0, owner: 1).diag == e(.EINVAL))
        let reader = c.open("/f").reply.key
        #expect(lock(reader, MIX_LOCK_EXCLUSIVE, owner: 5, 500, 1).diag == e(.EBADF))
    }

    @Test func wholeFileLocksAndWatches() {
        let a = c.open("/f").reply.key
        let b = c.open("/f").reply.key
        let flock = MIX_LOCK_FLOCK
        #expect(lock(a, flock | MIX_LOCK_SHARED, owner: 1).diag == 0)
        #expect(lock(b, flock | MIX_LOCK_SHARED, owner: 2).diag == 0)
        #expect(lock(a, flock | MIX_LOCK_EXCLUSIVE, owner: 1).diag == e(.EAGAIN))
        var watch = c.request(OBJ_WATCH, key: a)
        watch.owner = 1
        watch.arg = (UInt64(MIX_POLL_LOCK) | 1, 0, 77, 88)
        #expect(c.call(watch).reply.events == 1)
        #expect(c.fake.posted.isEmpty)
        #expect(c.close(b, owner: 2) == 0)
        #expect(c.fake.posted.count == 1)
        #expect(c.fake.posted.first?.0.uiHead == 77 && c.fake.posted.first?.0.uiTail == 88)
        #expect(c.fake.posted.first?.1 == MIX_POLL_LOCK)
        #expect(lock(a, flock | MIX_LOCK_EXCLUSIVE, owner: 1).diag == 0)
        #expect(lock(a, flock | MIX_LOCK_UNLOCK, owner: 1).diag == 0)
        #expect(c.fake.posted.count == 1)  // a watch fires once
    }

    @Test func closingReleasesTheProcessesRecordLocks() {
        let a = c.open("/f", Linux.O_RDWR).reply.key
        let b = c.open("/f", Linux.O_RDWR).reply.key
        #expect(lock(a, MIX_LOCK_EXCLUSIVE, owner: 42, pid: 42).diag == 0)
        #expect(lock(b, MIX_LOCK_EXCLUSIVE, owner: 43, pid: 43).diag == e(.EAGAIN))
        c.cred.pid = 42
        c.close(a, owner: 5)
        #expect(lock(b, MIX_LOCK_EXCLUSIVE, owner: 43, pid: 43).diag == 0)
    }

    @Test func hostileRequests() {
        let key = c.open("/f", Linux.O_RDWR).reply.key
        let d = c.open("/", Linux.O_DIRECTORY).reply.key
        // No NUL, empty and cut bodies.
        for op in 100...115 as ClosedRange<UInt32> {
            for body in [[], [0x2f], [0x2f, 0x66], Array("/f".utf8)] as [[UInt8]] {
                #expect(c.call(c.request(op), body).diag < 0 || op == FILE_MOUNTS, "op \(op)")
            }
        }
        for op in [UInt32](0...20) + [99, 116, 119, 122, 200, .max] {
            var r = c.request(op, flags: .max, key: key)
            r.offset = .max
            r.size = .max
            r.arg = (.max, .max, .max, .max)
            r.cred.groupCount = .max
            if op != OBJ_CLOSE, op != OBJ_WRITE { _ = c.call(r, [1, 2, 3], room: 16) }
            r.key = d
            if op != OBJ_CLOSE { _ = c.call(r, [], room: 0) }
        }
        #expect(c.read(key, .max, .max).diag == 0)
        #expect(c.read(key, 0, .max).text == "data")
        #expect(c.write(key, "x", at: .max) == e(.EFBIG))
        #expect(c.call(c.request(OBJ_STAT, key: key), room: 4).diag == e(.ERANGE))
        #expect(c.call(c.request(FILE_STAT), Client.strings("/f"), room: 0).diag == e(.ERANGE))
        #expect(c.get("/f") == "data")
        #expect(c.server.message(nil, nil, 0, nil, nil, nil) == K_EINVAL)
    }

    @Test func manyThreadsAtOnce() async {
        let server = c.server
        await withTaskGroup(of: Int.self) { group in
            for n in 0..<4 {
                group.addTask {
                    guard let mine = try? Client("mount.0=/ tmpfs") else { return 1 }
                    let other = Client(sharing: server, fake: mine.fake)
                    var bad = 0
                    for i in 0..<300 {
                        let path = "/t\(n)-\(i % 7)"
                        if other.mkdir(path) != 0 { bad += 1 }
                        let key = other.open(path, Linux.O_DIRECTORY)
                        if other.rename(path, path + "x") != 0 { bad += 1 }
                        if other.path(key.reply.key) != path + "x" { bad += 1 }
                        other.close(key.reply.key)
                        if other.rmdir(path + "x") != 0 { bad += 1 }
                    }
                    return bad
                }
            }
            for await bad in group { #expect(bad == 0) }
        }
        #expect(c.names("/") == ["f"])
    }
}
