import CChorus
import CMiXDevice
import CMiXFile
import Glibc
import Testing

@testable import MiXDeviceManager

@Suite struct PtyTests {
    private let again = -Int64(EAGAIN)

    @Test func aPair() {
        let client = Client([])
        let master = client.open(5, 2).reply.key
        #expect(client.fake.with { $0.nodes["pts/0"] } == deviceKey(136, 0))
        #expect(client.ioctl(master, TtyCommand.tiocgptn).value(UInt32.self) == 0)
        #expect(client.open(136, 0).diag == -Int64(EIO))  // locked
        #expect(client.ioctl(master, TtyCommand.tiocsptlck, value: 0).diag == 0)
        #expect(client.read(master).diag == again)
        let slave = client.open(136, 0).reply.key
        #expect(client.ask(TTY_CONTROLLING, MixKey()).reply.value.0 == slave.object)
        #expect(client.watch(slave, 1, event: 1) == 0)
        #expect(client.watch(master, 1, event: 2) == 0)
        #expect(client.write(master, "hi\r") == 3)
        #expect(client.posts(1).count == 1 && client.posts(2).count == 1)
        #expect(client.read(slave).body == Array("hi\n".utf8))
        #expect(client.read(master).body == Array("hi\r\n".utf8))
        #expect(client.write(slave, "out\n") == 4)
        #expect(client.read(master).body == Array("out\r\n".utf8))
        #expect(client.write(master, "\u{3}") == 1)
        #expect(client.signals == [[SIGINT, 10]])
        // The master sees and sets the slave's settings and window.
        #expect(client.ioctl(master, TtyCommand.tcgets).body == client.ioctl(slave, TtyCommand.tcgets).body)
        _ = client.ioctl(master, TtyCommand.tiocswinsz, body: [24, 0, 80, 0, 0, 0, 0, 0])
        #expect(client.ioctl(slave, TtyCommand.tiocgwinsz).body == [24, 0, 80, 0, 0, 0, 0, 0])
        #expect(client.signals.last == [SIGWINCH, 10])
        #expect(client.ask(OBJ_PATH, slave).body == Array("/dev/pts/0".utf8))
        // A second pair has its own number.
        let second = client.open(5, 2).reply.key
        #expect(client.ioctl(second, TtyCommand.tiocgptn).value(UInt32.self) == 1)
        #expect(client.ask(OBJ_CLOSE, second).diag == 0)
        #expect(client.fake.with { $0.nodes["pts/1"] } == nil)
    }

    @Test func theSlaveCloses() {
        let client = Client([])
        let master = client.open(5, 2).reply.key
        let slave = client.peer(master)
        #expect(client.write(slave, "bye") == 3)
        #expect(client.ask(OBJ_CLOSE, slave).diag == 0)
        #expect(client.watch(master, 1, event: 1) & 0x11 == 0x11)
        #expect(client.read(master).body == Array("bye".utf8))
        #expect(client.read(master).diag == -Int64(EIO))
    }

    @Test func theMasterCloses() {
        let client = Client([])
        let master = client.open(5, 2).reply.key
        #expect(client.ioctl(master, TtyCommand.tiocsptlck, value: 0).diag == 0)
        let slave = client.open(136, 0).reply.key
        #expect(client.watch(slave, 1, event: 1) == 0)
        #expect(client.ask(OBJ_CLOSE, master).diag == 0)
        #expect(client.signals == [[SIGHUP, -10], [SIGCONT, -10]], "the leader alone")
        #expect(client.posts(1).first.map { $0 & 0x10 } == 0x10)
        #expect(client.read(slave).diag == 0)
        #expect(client.write(slave, "x") == -Int64(EIO))
        #expect(client.ask(TTY_SESSION_END, MixKey()).diag == 0)
        #expect(client.signals.suffix(2) == [[SIGHUP, 10], [SIGCONT, 10]], "then who was in the foreground")
        #expect(client.read(master).diag == -Int64(EBADF))
        #expect(client.fake.with { $0.nodes["pts/0"] } == nil)
        #expect(client.open(136, 0).diag == -Int64(EIO))
        // The number is free again when the slave is closed too.
        let next = client.open(5, 2).reply.key
        #expect(client.ioctl(next, TtyCommand.tiocgptn).value(UInt32.self) == 1)
        #expect(client.ask(OBJ_CLOSE, slave).diag == 0)
        let third = client.open(5, 2).reply.key
        #expect(client.ioctl(third, TtyCommand.tiocgptn).value(UInt32.self) == 0)
        #expect(client.read(slave).diag == -Int64(EBADF))
    }

    @Test func aFullSlaveHoldsTheMaster() {
        let client = Client([])
        let master = client.open(5, 2).reply.key
        let slave = client.peer(master)
        var image = client.ioctl(slave, TtyCommand.tcgets).body
        image.replaceSubrange(0..<4, with: [0, 0, 0, 0])
        image.replaceSubrange(12..<16, with: [0, 0, 0, 0])
        #expect(client.ioctl(slave, TtyCommand.tcsets, body: image).diag == 0)
        let block = [UInt8](repeating: 65, count: 5000)
        for taken: Int64 in [5000, 5000, 4095 + 8192 - 10_000, again] {
            #expect(client.ask(OBJ_WRITE, master, body: block).diag == taken)
        }
        #expect(client.watch(master, 4, event: 1) == 0)
        #expect(client.read(slave, 10).diag == 10)
        #expect(client.posts(1) == [4])
        #expect(client.ask(OBJ_WRITE, master, body: block).diag == 10)
    }

    /// Who was reading when the master went is told by EIO, everybody else by the end of the file.
    @Test func aBlockedReadFails() {
        let client = Client([])
        let master = client.open(5, 2).reply.key
        let slave = client.peer(master)
        #expect(client.read(slave, owner: 7).diag == again)
        #expect(client.watch(slave, 1, event: 1, owner: 7) == 0)
        #expect(client.ask(OBJ_CLOSE, master).diag == 0)
        #expect(client.posts(1).count == 1)
        #expect(client.read(slave, owner: 8).diag == 0)
        #expect(client.read(slave, owner: 7).diag == -Int64(EIO))
        #expect(client.read(slave, owner: 7).diag == 0)
    }

    @Test func packets() {
        let client = Client([])
        let master = client.open(5, 2).reply.key
        let slave = client.peer(master)
        #expect(client.ioctl(master, TtyCommand.tiocpkt, value: 1).diag == 0)
        #expect(client.write(slave, "data") == 4)
        #expect(client.read(master, 3).body == [0, 0x64, 0x61])
        #expect(client.watch(master, 2, event: 1) == 0)
        #expect(client.ioctl(slave, TtyCommand.tcflsh, 0).diag == 0)
        #expect(client.posts(1) == [2], "POLLPRI")
        #expect(client.ioctl(slave, TtyCommand.tcxonc, 0).diag == 0)
        #expect(client.read(master).body == [1 | 4])
        #expect(client.read(master).body == [0, 0x74, 0x61])
        #expect(client.read(master).diag == again)
    }
}
