import CChorus
import CMiXDevice
import CMiXFile
import Glibc
import Testing

@testable import MiXDeviceManager

/// What one instance of the server leaves to the next.
@Suite struct StateTests {
    private let again = -Int64(EAGAIN)

    private func export(_ client: Client) -> [[UInt8]] {
        var all: [[UInt8]] = []
        while all.count < 10_000 {
            var message = [UInt8](repeating: 0, count: Int(K_CMSGSIZEMAX))
            var size = K_CMSGSIZEMAX
            guard client.manager.exportState(UInt32(all.count), &message, &size) == K_OK else { return [] }
            if size == 0 { break }
            all.append(Array(message.prefix(Int(size))))
        }
        return all
    }

    private func take(_ client: Client, _ messages: [[UInt8]]) -> Int32 {
        for (number, message) in (messages + [[]]).enumerated() {
            let code = client.manager.importState(UInt32(number), message, UInt32(message.count))
            if code < 0 { return code }
        }
        return K_OK
    }

    @Test func console() throws {
        let host = try #require(HostTerminal())
        let client = Client([host.slave, host.slave, host.slave])
        let key = client.open(5, 1).reply.key
        var image = try #require(client.ioctl(key, TtyCommand.tcgets).value(TermiosImage.Short.self))
        image.lflag &= ~8
        _ = client.ioctl(key, TtyCommand.tcsets, body: withUnsafeBytes(of: image) { Array($0) })
        _ = client.ioctl(key, TtyCommand.tiocswinsz, body: [50, 0, 132, 0, 0, 0, 0, 0])
        host.type("one\rtw")
        #expect(client.eventually { client.ioctl(key, TtyCommand.fionread).value(Int32.self) == 4 })
        #expect(client.watch(key, 2, event: 5) == 0)
        let state = export(client)
        #expect(client.posts(5).count == 1, "who waits is to ask the next one")
        host.type("o\r")
        let next = Client([host.slave, host.slave, host.slave])
        #expect(take(next, state) == K_OK)
        #expect(next.ioctl(key, TtyCommand.tcgets).value(TermiosImage.Short.self)?.lflag == image.lflag)
        #expect(next.ioctl(key, TtyCommand.tiocgwinsz).body == [50, 0, 132, 0, 0, 0, 0, 0])
        #expect(next.ioctl(key, TtyCommand.tiocgsid).value(Int32.self) == 10)
        #expect(next.read(key).body == Array("one\n".utf8))
        #expect(next.readEventually(key).body == Array("two\n".utf8), "the keyboard is read by the next one")
        #expect(next.write(key, "shown\n") == 6)
        #expect(host.screen(until: "shown\r\n").hasSuffix("shown\r\n"))
    }

    /// Nobody took over: the old instance is asked again.
    @Test func itGoesOn() throws {
        let host = try #require(HostTerminal())
        let client = Client([host.slave, host.slave, host.slave])
        let key = client.open(5, 1).reply.key
        #expect(client.read(key).diag == again)
        #expect(!export(client).isEmpty)
        host.type("still here\r")
        #expect(client.readEventually(key).body == Array("still here\n".utf8))
    }

    @Test func pseudoTerminals() {
        let client = Client([])
        let master = client.open(5, 2).reply.key
        #expect(client.ioctl(master, TtyCommand.tiocsptlck, value: 0).diag == 0)
        let slave = client.open(136, 0).reply.key
        let orphan = client.open(5, 2).reply.key
        let left = client.peer(orphan)
        #expect(client.ask(OBJ_CLOSE, orphan).diag == 0)
        #expect(client.write(master, "typed\rhalf") == 10)
        #expect(client.write(slave, "to the screen") == 13)
        let full = [UInt8](repeating: 0x66, count: 9000)
        let fed = client.open(5, 2).reply.key
        let reader = client.peer(fed)
        var image = client.ioctl(reader, TtyCommand.tcgets).body
        image.replaceSubrange(12..<16, with: [0, 0, 0, 0])
        #expect(client.ioctl(reader, TtyCommand.tcsets, body: image).diag == 0)
        #expect(client.ioctl(fed, TtyCommand.tiocpkt, value: 1).diag == 0)
        #expect(client.ioctl(reader, TtyCommand.tcxonc, 0).diag == 0)
        #expect(client.ask(OBJ_WRITE, fed, body: full).diag == 9000)
        #expect(client.watch(master, 4, event: 7) != 0)
        let state = export(client)
        let next = Client([])
        next.fake.with { state in state.nodes = client.fake.with { $0.nodes } }
        #expect(take(next, state) == K_OK)
        #expect(next.read(fed).body == [4], "stopped, and the master is yet to be told")
        #expect([4095, 4095, 810].allSatisfy { next.read(reader, 9000).body.count == $0 }, "what waits is there")
        #expect(next.read(slave).body == Array("typed\n".utf8))
        #expect(next.read(slave).diag == again)
        #expect(next.read(master).body == Array("typed\r\nhalfto the screen".utf8))
        #expect(next.write(master, "\u{7f}\r") == 2, "the line being typed can still be edited")
        #expect(next.read(slave).body == Array("hal\n".utf8))
        #expect(next.read(left).diag == 0, "hung up before")
        #expect(next.ask(TTY_CONTROLLING, MixKey()).reply.value.0 == slave.object)
        // The number of the one without a master is free when its last user closes it.
        #expect(next.ask(OBJ_CLOSE, left).diag == 0)
        #expect(next.ioctl(next.open(5, 2).reply.key, TtyCommand.tiocgptn).value(UInt32.self) == 1)
        #expect(next.ask(OBJ_CLOSE, master).diag == 0)
        #expect(next.fake.with { $0.nodes["pts/0"] } == nil)
    }

    @Test func streams() {
        var ends: [[Int32]] = [[-1, -1], [-1, -1]]
        for index in ends.indices { _ = pipe(&ends[index]) }
        _ = fcntl(ends[1][0], 1031, 4096)  // F_SETPIPE_SZ
        let client = Client([ends[0][0], ends[1][1]])
        let (input, output) = (client.stdio(0), client.stdio(1))
        _ = Glibc.write(ends[0][1], "abcdef", 6)
        #expect(client.readEventually(input, 2).body == Array("ab".utf8))
        // More than the host's pipe takes: a thread waits with the rest in its hands.
        let block = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 % 251) }
        #expect(client.ask(OBJ_WRITE, output, body: block).diag == 40_000)
        let next = Client([ends[0][0], ends[1][1]])
        #expect(take(next, export(client)) == K_OK)
        #expect(next.read(input).body == Array("cdef".utf8))
        var got: [UInt8] = []
        while got.count < block.count {
            var bytes = [UInt8](repeating: 0, count: 65536)
            let count = Glibc.read(ends[1][0], &bytes, bytes.count)
            guard count > 0 else { break }
            got += bytes[0..<count]
        }
        #expect(got == block, "nothing lost, nothing twice, in order")
        close(ends[0][1])
        #expect(next.readEventually(input).diag == 0)
        for end in [ends[0][0], ends[1][0], ends[1][1]] { close(end) }
    }

    @Test func damagedState() {
        let client = Client([])
        let master = client.open(5, 2).reply.key
        #expect(client.write(master, "typed\rhalf") == 10)
        let state = export(client)
        #expect(state.count == 3)
        for (number, message) in state.enumerated() {
            for cut in 1..<message.count {
                var bad = state
                bad[number] = Array(message.prefix(cut))
                #expect(take(Client([]), bad) == K_EINVAL, "message \(number) cut to \(cut)")
            }
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            var bad = state
            let number = Int.random(in: 0..<bad.count, using: &random)
            bad[number][Int.random(in: 0..<bad[number].count, using: &random)] ^= UInt8.random(
                in: 1...255, using: &random)
            _ = take(Client([]), bad)  // any answer will do, but there must be one
        }
    }
}
