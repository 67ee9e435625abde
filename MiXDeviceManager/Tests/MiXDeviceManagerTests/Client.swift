import ActorKit
import CChorus
import CMiXDevice
import CMiXFile
import Glibc

@testable import MiXDeviceManager

/// A server over a fake nucleus, and requests to it as the Process Manager sends them.
final class Client {
    let fake = FakeNucleus()
    let manager: DeviceManager
    var cred = MixCred()
    var host: HostTerminal?  // lives as long as the client

    init(_ descriptors: [Int32]) {
        manager = DeviceManager(nucleus: fake.nucleus, hostDescriptors: descriptors)
        precondition(manager.connect(stamp: K_STAMP_DEVICE) == K_OK)
        (cred.pid, cred.pgrp, cred.sid) = (10, 10, 10)
        cred.uid = 1000
    }

    deinit { _ = manager.disconnect() }

    struct Answer {
        var diag: Int64
        var reply: MixObjReply
        var body: [UInt8]

        func value<T: BitwiseCopyable>(_ type: T.Type) -> T? {
            body.count == MemoryLayout<T>.size ? body.withUnsafeBytes { $0.loadUnaligned(as: type) } : nil
        }
    }

    func ask(
        _ op: UInt32, _ key: MixKey, flags: UInt32 = 0, offset: UInt64 = 0, size: UInt64 = 0,
        arg: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0), owner: UInt64 = 1, body: [UInt8] = []
    ) -> Answer {
        var annex = Annex<MixObjRequest>(MixObjRequest())
        annex.value = MixObjRequest(
            op: op, flags: flags, key: key, offset: offset, size: size, arg: arg, cred: cred, owner: owner)
        var reply = Annex<MixObjReply>(MixObjReply())
        var room = [UInt8](repeating: 0xaa, count: 1 << 20)
        var replySize = UInt32(room.count)
        var head = KnMsgHead()
        let (handler, cookie) = fake.with { ($0.handler, $0.cookie) }
        let result = annex.withBytes { annex in
            reply.withMutableBytes { reply in
                handler!(cookie, &head, annex, body, UInt32(body.count), reply, &room, &replySize)
            }
        }
        precondition(result == K_OK)
        return Answer(diag: reply.value.diag, reply: reply.value, body: Array(room[0..<Int(replySize)]))
    }

    func open(_ major: UInt32, _ minor: UInt32, flags: Int32 = O_RDWR, owner: UInt64 = 1) -> Answer {
        ask(OBJ_OPEN, MixKey(object: deviceKey(major, minor), tag: 0), flags: UInt32(flags), owner: owner)
    }

    func stdio(_ number: Int) -> MixKey {
        ask(OBJ_OPEN, MixKey(object: DeviceKey.stdioBase | UInt64(number), tag: 0), flags: UInt32(O_RDWR)).reply.key
    }

    func read(_ key: MixKey, _ size: Int = 4096, nonblocking: Bool = false, owner: UInt64 = 1) -> Answer {
        ask(OBJ_READ, key, flags: nonblocking ? UInt32(O_NONBLOCK) : 0, size: UInt64(size), owner: owner)
    }

    func write(_ key: MixKey, _ text: String) -> Int64 { ask(OBJ_WRITE, key, body: Array(text.utf8)).diag }

    func ioctl(_ key: MixKey, _ command: UInt32, _ argument: UInt64 = 0, body: [UInt8] = []) -> Answer {
        ask(OBJ_IOCTL, key, size: 64, arg: (UInt64(command), argument, 0, 0), body: body)
    }

    func ioctl(_ key: MixKey, _ command: UInt32, value: Int32) -> Answer {
        ioctl(key, command, body: withUnsafeBytes(of: value) { Array($0) })
    }

    /// A slave, unlocked and opened by way of its master.
    func peer(_ master: MixKey) -> MixKey {
        _ = ioctl(master, TtyCommand.tiocsptlck, value: 0)
        return ioctl(master, TtyCommand.tiocgptpeer, UInt64(O_RDWR | O_NOCTTY)).reply.key
    }

    func watch(_ key: MixKey, _ mask: UInt32, event: UInt32, owner: UInt64 = 1) -> UInt32 {
        ask(OBJ_WATCH, key, arg: (UInt64(mask), 0, 9, UInt64(event)), owner: owner).reply.events
    }

    var signals: [[Int32]] { fake.with { $0.signals.map { [$0.signal, $0.group] } } }
    func posts(_ event: UInt32) -> [UInt32] { fake.with { $0.posts.filter { $0.event == event }.map(\.bits) } }

    /// Waits up to twenty seconds: host threads move the bytes.
    func eventually(_ condition: () -> Bool) -> Bool {
        for _ in 0..<4_000 {
            if condition() { return true }
            usleep(5000)
        }
        return condition()
    }

    func readEventually(_ key: MixKey, _ size: Int = 4096, owner: UInt64 = 1) -> Answer {
        var answer = read(key, size, owner: owner)
        _ = eventually {
            if answer.diag == -Int64(EAGAIN) { answer = read(key, size, owner: owner) }
            return answer.diag != -Int64(EAGAIN)
        }
        return answer
    }
}

/// A host pseudo-terminal in raw mode, as the loader leaves the user's terminal.
final class HostTerminal {
    var master: Int32
    let slave: Int32

    init?() {
        master = Glibc.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)
        var number: UInt32 = 0
        var unlocked: Int32 = 0
        guard master >= 0, Glibc.ioctl(master, 0x8004_5430, &number) == 0,
            Glibc.ioctl(master, 0x4004_5431, &unlocked) == 0
        else { return nil }
        slave = Glibc.open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        guard slave >= 0 else { return nil }
        var settings = termios()
        tcgetattr(slave, &settings)
        cfmakeraw(&settings)
        tcsetattr(slave, TCSANOW, &settings)
    }

    deinit {
        hangUp()
        close(slave)
    }

    func hangUp() {
        if master >= 0 { close(master) }
        master = -1
    }

    func type(_ text: String) { _ = Glibc.write(master, text, text.utf8.count) }

    /// What is on the screen, once it ends with `end`, or after twenty seconds.
    func screen(until end: String) -> String {
        var all: [UInt8] = []
        for _ in 0..<4_000 {
            var bytes = [UInt8](repeating: 0, count: 65536)
            let count = Glibc.read(master, &bytes, bytes.count)
            if count > 0 { all += bytes[0..<count] } else { usleep(5000) }
            if String(decoding: all, as: UTF8.self).hasSuffix(end) { break }
        }
        return String(decoding: all, as: UTF8.self)
    }
}
