import CChorus
import CMiXDevice
import CMiXFile
import Glibc
import Testing

@testable import MiXDeviceManager

@Suite struct StreamTests {
    private let again = -Int64(EAGAIN)

    private func pipeEnds() -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        return (ends[0], ends[1])
    }

    @Test func pipedInputToTheEnd() {
        let (reading, writing) = pipeEnds()
        let client = Client([reading])
        let key = client.stdio(0)
        let opened = client.ask(OBJ_OPEN, key)
        #expect(opened.reply.mode & S_IFMT == S_IFIFO)
        #expect(client.ioctl(key, TtyCommand.tcgets).diag == -Int64(ENOTTY))
        _ = Glibc.write(writing, "abc", 3)
        // Nobody has asked: nothing is taken from the host.
        usleep(20000)
        var waiting: Int32 = 0
        _ = Glibc.ioctl(reading, 0x541b, &waiting)
        #expect(waiting == 3)
        #expect(client.readEventually(key, 2).body == Array("ab".utf8))
        #expect(client.read(key).body == Array("c".utf8))
        #expect(client.read(key).diag == again)
        #expect(client.watch(key, 1, event: 1) == 0)
        close(writing)
        #expect(client.eventually { client.posts(1).count == 1 })
        #expect(client.read(key).diag == 0)
        #expect(client.read(key).diag == 0)
        close(reading)
    }

    @Test func inputHasBackPressure() {
        let (reading, writing) = pipeEnds()
        _ = fcntl(writing, F_SETFL, O_NONBLOCK)
        let client = Client([reading])
        let key = client.stdio(0)
        #expect(client.read(key).diag == again)
        var sent = 0
        var quiet = 0
        let block = [UInt8](repeating: 7, count: 4096)
        while quiet < 20 {
            let count = Glibc.write(writing, block, block.count)
            if count > 0 {
                sent += count
                quiet = 0
            } else {
                quiet += 1
                usleep(5000)
            }
        }
        #expect(sent <= 65536 * 2 + 16384 * 2)  // the host's pipe, the buffer, one read
        close(writing)
        var got = 0
        while true {
            let answer = client.readEventually(key, 10000)
            guard answer.diag > 0 else { break }
            got += Int(answer.diag)
        }
        #expect(got == sent)
        close(reading)
    }

    @Test func pipedOutput() {
        let (reading, writing) = pipeEnds()
        let client = Client([reading, writing, writing])
        let out = client.stdio(1)
        let error = client.stdio(2)
        #expect(client.write(out, "one ") == 4)
        #expect(client.write(error, "two") == 3)
        var bytes = [UInt8](repeating: 0, count: 16)
        #expect(Glibc.read(reading, &bytes, 16) == 7)
        #expect(Array(bytes[0..<7]) == Array("one two".utf8))
        // A full pipe: what fits is kept, then EAGAIN, then a watch when there is room.
        let block = [UInt8](repeating: 1, count: 50000)
        var sent = 0
        while true {
            let count = client.ask(OBJ_WRITE, out, body: block).diag
            if count == again { break }
            sent += Int(count)
        }
        #expect(client.watch(out, 4, event: 1) == 0)
        #expect(client.ask(DEV_CONSOLE_DRAIN, out).diag == again)
        var got = 0
        var buffer = [UInt8](repeating: 0, count: 65536)
        while got < sent { got += max(0, Glibc.read(reading, &buffer, buffer.count)) }
        #expect(client.eventually { client.posts(1).count == 1 })
        #expect(client.eventually { client.ask(DEV_CONSOLE_DRAIN, out).diag == 0 })
        close(reading)
        #expect(client.write(out, "x") == -Int64(EPIPE))
        #expect(client.watch(out, 4, event: 2) & 8 == 8)
        close(writing)
    }

    @Test func regularFiles() {
        var name = Array("/tmp/device-XXXXXX".utf8CString)
        let file = mkstemp(&name)
        unlink(name)
        _ = Glibc.write(file, "skipped line\n", 13)
        lseek(file, 8, SEEK_SET)
        let client = Client([file, file])
        let input = client.stdio(0)
        let opened = client.ask(OBJ_OPEN, input)
        #expect(opened.reply.mode & S_IFMT == S_IFREG && opened.reply.size == 5)
        #expect(client.ask(OBJ_READ, input, offset: 0, size: 2).body == Array("li".utf8))
        #expect(client.ask(OBJ_READ, input, offset: 2, size: 99).body == Array("ne\n".utf8))
        #expect(client.ask(OBJ_READ, input, offset: 5, size: 99).diag == 0)
        #expect(lseek(file, 0, SEEK_CUR) == 13)
        #expect(client.write(client.stdio(1), "more") == 4)
        #expect(client.ask(OBJ_READ, input, offset: 5, size: 99).body == Array("more".utf8))
        close(file)
    }
}
