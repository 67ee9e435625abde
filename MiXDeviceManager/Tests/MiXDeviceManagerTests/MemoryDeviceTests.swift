import CChorus
import CMiXDevice
import CMiXFile
import Glibc
import Testing

@testable import MiXDeviceManager

@Suite struct MemoryDeviceTests {
    private let again = -Int64(EAGAIN)

    @Test func readsAndWrites() {
        let client = Client([])
        let null = client.open(1, 3).reply.key
        let zero = client.open(1, 5).reply.key
        let full = client.open(1, 7).reply.key
        let random = client.open(1, 9).reply.key
        #expect(client.read(null).diag == 0)
        #expect(client.write(null, "abc") == 3)
        let megabyte = client.read(zero, 1 << 20)
        #expect(megabyte.diag == 1 << 20)
        #expect(megabyte.body.allSatisfy { $0 == 0 })
        #expect(client.read(zero, 1 << 30).diag == 1 << 20)  // never more than a message carries
        #expect(client.write(zero, "abc") == 3)
        #expect(client.read(full, 5).body == [0, 0, 0, 0, 0])
        #expect(client.write(full, "a") == -Int64(ENOSPC))
        let a = client.read(random, 64).body
        let b = client.read(random, 64).body
        #expect(a.count == 64 && a != b)
        #expect(client.write(random, "seed") == 4)
        #expect(client.read(zero, 0).diag == 0)
    }

    @Test func alwaysReadyAndNoTerminal() {
        let client = Client([])
        for minor: UInt32 in [3, 5, 7, 8, 9] {
            let opened = client.open(1, minor)
            #expect(opened.reply.mode == S_IFCHR | 0o666)
            #expect(client.watch(opened.reply.key, 0x145, event: 1) == 0x145)
            #expect(client.ioctl(opened.reply.key, TtyCommand.tcgets).diag < 0)
            let stat = client.ask(OBJ_STAT, opened.reply.key).value(MixStat.self)
            #expect(stat?.rdev == deviceKey(1, minor))
            #expect(client.ask(OBJ_CLOSE, opened.reply.key).diag == 0)
        }
        #expect(client.posts(1).isEmpty)
        #expect(client.ask(OBJ_READ, MixKey(object: 1 << 32 | 99, tag: 0)).diag == -Int64(EBADF))
        #expect(client.ask(999, MixKey(object: deviceKey(1, 3), tag: 0)).diag == -Int64(ENOSYS))
    }

    @Test func registersAsSoonAsThereIsAFileManager() {
        let client = Client([])
        client.fake.with { $0.unreachable = 25 }
        client.manager.registerNodes()
        #expect(client.eventually { client.fake.with { $0.nodes.count } == DeviceNode.fixed.count })
        let nodes = client.fake.with { $0.nodes }
        #expect(nodes["null"] == deviceKey(1, 3))
        #expect(nodes["console"] == deviceKey(5, 1))
    }
}
