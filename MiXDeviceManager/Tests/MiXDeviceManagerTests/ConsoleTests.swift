import CChorus
import CMiXDevice
import CMiXFile
import Glibc
import Testing

@testable import MiXDeviceManager

@Suite struct ConsoleTests {
    private let again = -Int64(EAGAIN)

    private func console() throws -> (HostTerminal, Client, MixKey) {
        let host = try #require(HostTerminal())
        let client = Client([host.slave, host.slave, host.slave])
        client.host = host
        return (host, client, client.open(5, 1).reply.key)
    }

    @Test func typesReadsAndShows() throws {
        let (host, client, key) = try console()
        #expect(client.read(key).diag == again)
        host.type("hello\r")
        #expect(client.readEventually(key).body == Array("hello\n".utf8))
        #expect(client.write(key, "out\n") == 4)
        #expect(host.screen(until: "out\r\n") == "hello\r\nout\r\n")
        #expect(client.eventually { client.ask(DEV_CONSOLE_DRAIN, key).diag == 0 })
        host.type("\u{4}")
        #expect(client.readEventually(key).diag == 0)
        // All three descriptors are this one terminal.
        #expect(client.stdio(1).object == key.object && client.stdio(1).tag == key.tag)
    }

    @Test func interruptGoesToTheForegroundGroup() throws {
        let (host, client, key) = try console()
        host.type("\u{3}")
        #expect(client.eventually { client.signals == [[SIGINT, 10]] })
        #expect(host.screen(until: "^C") == "^C")
        client.fake.with { $0.sessions[11] = 10 }
        #expect(client.ioctl(key, TtyCommand.tiocspgrp, value: 11).diag == 0)
        host.type("\u{1a}")
        #expect(client.eventually { client.signals.last == [SIGTSTP, 11] })
        _ = client.ask(DEV_CONSOLE_WINSIZE, key, arg: (33 << 16 | 100, 0, 0, 0))
        #expect(client.signals.last == [SIGWINCH, 11])
        #expect(client.ioctl(key, TtyCommand.tiocgwinsz).body == [33, 0, 100, 0, 0, 0, 0, 0])
        let before = client.signals.count
        _ = client.ask(DEV_CONSOLE_WINSIZE, key, arg: (33 << 16 | 100, 0, 0, 0))
        #expect(client.signals.count == before)
    }

    /// What a flooding program wrote is not shown after ^C: neither what waits here nor what waits in the host.
    @Test func interruptDropsTheOutput() throws {
        let (host, client, key) = try console()
        let flood = String(repeating: "flood ", count: 1000)
        #expect(client.eventually { client.write(key, flood) == again })  // nobody looks at the screen: all is full
        host.type("\u{3}")
        #expect(client.eventually { client.ask(DEV_CONSOLE_DRAIN, key).diag == 0 })
        let screen = host.screen(until: "^C")
        #expect(screen.hasSuffix("^C") && screen.utf8.count < 4096 + 2)  // what the host's master has is beyond recall
        #expect(client.write(key, "prompt") == 6)
        #expect(host.screen(until: "prompt") == "prompt")
    }

    @Test func watchesFireOnceAndAreNeverLost() throws {
        let (host, client, key) = try console()
        #expect(client.watch(key, 0x41, event: 1) == 0)
        host.type("x\r")
        #expect(client.eventually { client.posts(1) == [0x41] })
        #expect(client.watch(key, 0x41, event: 1) == 0x41)  // true now: said in the reply, nothing armed
        #expect(client.read(key).diag == 2)
        #expect(client.watch(key, 0x41, event: 2) == 0)
        #expect(client.watch(key, 0, event: 2) == 0)  // disarmed
        #expect(client.watch(key, 0x41, event: 3, owner: 2) == 0)
        host.type("y\r")
        #expect(client.eventually { client.posts(3) == [0x41] })
        #expect(client.posts(2).isEmpty)
        #expect(client.posts(1).count == 1)
        #expect(client.watch(key, 4, event: 4) == 4)
        // Part of the mask is true: the rest stays armed.
        #expect(client.read(key).diag == 2)
        #expect(client.watch(key, 0x45, event: 6) == 4)
        host.type("z\r")
        #expect(client.eventually { client.posts(6) == [0x41] })
        // Bounded for each owner; what is pushed out is told.
        #expect(client.read(key).diag == 2)
        for event in 100..<UInt32(200) { #expect(client.watch(key, 1, event: event) == 0) }
        #expect((100..<UInt32(136)).allSatisfy { client.posts($0).count == 1 })
        #expect(client.posts(150).isEmpty)
    }

    @Test func timedReads() throws {
        let (host, client, key) = try console()
        var image = try #require(client.ioctl(key, TtyCommand.tcgets).value(TermiosImage.Short.self))
        image.lflag = 0
        image.cc[6] = 0  // VMIN
        image.cc[5] = 2  // VTIME: 0.2 s
        func set() { _ = client.ioctl(key, TtyCommand.tcsets, body: withUnsafeBytes(of: image) { Array($0) }) }
        set()
        #expect(client.read(key).diag == again)
        #expect(client.watch(key, 1, event: 1) == 0)
        #expect(client.eventually { client.posts(1).count == 1 })
        #expect(client.read(key).diag == 0)
        // MIN 3, TIME: two bytes, then the time between bytes runs out.
        image.cc[6] = 3
        set()
        #expect(client.read(key).diag == again)
        #expect(client.watch(key, 1, event: 2) == 0)
        host.type("ab")
        #expect(client.eventually { client.posts(2).count == 1 })
        let first = client.read(key)
        if first.diag == again {
            _ = client.watch(key, 1, event: 3)
            #expect(client.eventually { client.posts(3).count == 1 })
            #expect(client.read(key).body == Array("ab".utf8))
        } else {
            #expect(first.diag > 0)
        }
        // MIN 3 without time: a blocked read of two bytes is satisfied by two.
        image.cc[5] = 0
        set()
        #expect(client.read(key, 2).diag == again)
        #expect(client.watch(key, 1, event: 4) == 0)
        host.type("c")
        usleep(50000)
        #expect(client.posts(4).isEmpty)
        host.type("d")
        #expect(client.eventually { client.posts(4).count == 1 })
        #expect(client.read(key, 2).body == Array("cd".utf8))
        image.cc[6] = 0
        set()
        #expect(client.read(key).diag == 0)
    }

    @Test func hangUp() throws {
        let (host, client, key) = try console()
        #expect(client.watch(key, 1, event: 1) == 0)
        host.hangUp()
        #expect(client.eventually { client.signals.count == 2 })
        #expect(client.signals == [[SIGHUP, 10], [SIGCONT, 10]])
        #expect(client.posts(1).first.map { $0 & 0x10 } == 0x10)
        #expect(client.read(key).diag == 0)
        #expect(client.write(key, "x") == -Int64(EIO))
        #expect(client.ioctl(key, TtyCommand.tcgets).diag == -Int64(EIO))
    }

    @Test func muchOutputWithASlowScreen() throws {
        let (host, client, key) = try console()
        let line = String(repeating: "0123456789", count: 100) + "\n"
        var written = 0
        var bytes = Array(line.utf8)
        var full = false
        for _ in 0..<200 where !full {
            let count = client.ask(OBJ_WRITE, key, body: bytes).diag
            if count == again {
                full = true
            } else {
                written += Int(count)
                bytes = Int(count) < bytes.count ? Array(bytes[Int(count)...]) : Array(line.utf8)
            }
        }
        #expect(full)
        #expect(client.ask(DEV_CONSOLE_DRAIN, key).diag == again)
        #expect(client.ioctl(key, TtyCommand.tcsbrk, 1).diag == again)
        #expect(client.watch(key, 4, event: 5) == 0)
        var shown = 0
        #expect(
            client.eventually {
                shown += host.screen(until: "").utf8.count
                return client.ask(DEV_CONSOLE_DRAIN, key).diag == 0
            })
        #expect(
            client.eventually {
                shown += host.screen(until: "").utf8.count
                return shown >= written
            })
        #expect(client.posts(5).count == 1)
        #expect(shown >= written)
        #expect(client.ioctl(key, TtyCommand.tcsbrk, 1).diag == 0)
    }
}
