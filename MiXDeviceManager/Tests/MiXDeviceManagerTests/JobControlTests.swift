import CChorus
import CMiXDevice
import CMiXFile
import Glibc
import Testing

@testable import MiXDeviceManager

@Suite struct JobControlTests {
    private let restart: Int64 = -512

    @Test func theFirstOpenByALeaderMakesItControlling() {
        let client = Client([])
        #expect(client.open(5, 0).diag == -Int64(ENXIO))
        let key = client.open(5, 1, flags: O_RDWR | O_NOCTTY).reply.key
        #expect(client.ioctl(key, TtyCommand.tiocgpgrp).diag == -Int64(ENOTTY))
        client.cred.pid = 11  // no leader
        _ = client.open(5, 1)
        #expect(client.ask(TTY_CONTROLLING, MixKey()).diag == -Int64(ENXIO))
        client.cred.pid = 10
        _ = client.open(5, 1)
        let answer = client.ask(TTY_CONTROLLING, MixKey())
        #expect(answer.diag == 0 && answer.reply.value.0 == key.object && answer.reply.value.1 == key.tag)
        let tty = client.open(5, 0).reply.key
        #expect(client.ask(OBJ_PATH, tty).body == Array("/dev/tty".utf8))
        #expect(client.write(tty, "x") == 1)
        #expect(client.ioctl(key, TtyCommand.tiocgpgrp).value(Int32.self) == 10)
        #expect(client.ioctl(key, TtyCommand.tiocgsid).value(Int32.self) == 10)
        // Another session's leader cannot take it; a privileged one can, with argument 1.
        (client.cred.pid, client.cred.pgrp, client.cred.sid) = (20, 20, 20)
        #expect(client.ioctl(key, TtyCommand.tiocsctty, 0).diag == -Int64(EPERM))
        #expect(client.ioctl(key, TtyCommand.tiocsctty, 1).diag == -Int64(EPERM))
        client.cred.uid = 0
        #expect(client.ioctl(key, TtyCommand.tiocsctty, 1).diag == 0)
        #expect(client.ioctl(key, TtyCommand.tiocgsid).value(Int32.self) == 20)
        (client.cred.pid, client.cred.pgrp, client.cred.sid) = (10, 10, 10)
        #expect(client.ask(TTY_CONTROLLING, MixKey()).diag == -Int64(ENXIO))
    }

    @Test func theBackgroundIsStopped() {
        let client = Client([])
        let key = client.open(5, 1).reply.key
        (client.cred.pid, client.cred.pgrp) = (12, 12)
        #expect(client.read(key).diag == restart)
        #expect(client.signals == [[SIGTTIN, 12]])
        client.fake.with { $0.ignoring = [12] }
        #expect(client.read(key).diag == -Int64(EIO))
        client.fake.with {
            $0.ignoring = []
            $0.orphans = [12]
        }
        #expect(client.read(key).diag == -Int64(EIO))
        client.fake.with { $0.orphans = [] }
        // Writes go through until TOSTOP.
        #expect(client.write(key, "x") == 1)
        // Settings and the foreground group are not the background's to change.
        var image = client.ioctl(key, TtyCommand.tcgets).body
        #expect(image.count == 36)
        #expect(client.ioctl(key, TtyCommand.tcsets, body: image).diag == restart)
        #expect(client.ioctl(key, TtyCommand.tiocspgrp, value: 12).diag == restart)
        #expect(client.signals.last == [SIGTTOU, 12])
        client.fake.with { $0.orphans = [12] }
        #expect(client.ioctl(key, TtyCommand.tiocspgrp, value: 12).diag == -Int64(ENOTTY))
        client.fake.with {
            $0.orphans = []
            $0.ignoring = [12]
        }
        image[13] |= 1  // TOSTOP, 0o400
        #expect(client.ioctl(key, TtyCommand.tcsets, body: image).diag == 0)
        #expect(client.write(key, "x") == 1)  // blocked or ignored SIGTTOU: the write happens
        client.fake.with { $0.ignoring = [] }
        #expect(client.write(key, "x") == restart)
        // Another session's processes are not under this terminal's job control.
        (client.cred.pid, client.cred.pgrp, client.cred.sid) = (30, 30, 30)
        #expect(client.write(key, "x") == 1)
    }

    @Test func foregroundGroupsMustBeOfTheSession() {
        let client = Client([])
        let key = client.open(5, 1).reply.key
        client.fake.with {
            $0.sessions = [12: 10, 13: 99]
            $0.missing = [14]
        }
        #expect(client.ioctl(key, TtyCommand.tiocspgrp, value: 12).diag == 0)
        client.cred.pgrp = 12
        #expect(client.ioctl(key, TtyCommand.tiocspgrp, value: 13).diag == -Int64(EPERM))
        #expect(client.ioctl(key, TtyCommand.tiocspgrp, value: 14).diag == -Int64(ESRCH))
        #expect(client.ioctl(key, TtyCommand.tiocspgrp, value: -1).diag == -Int64(EINVAL))
        #expect(client.ioctl(key, TtyCommand.tiocspgrp).diag == -Int64(EFAULT))
    }

    @Test func theSessionsEnd() {
        let client = Client([])
        let key = client.open(5, 1).reply.key
        client.fake.with { $0.sessions = [12: 10] }
        #expect(client.ioctl(key, TtyCommand.tiocspgrp, value: 12).diag == 0)
        #expect(client.ask(TTY_SESSION_END, MixKey()).diag == 0)
        #expect(client.signals == [[SIGHUP, 12]])
        #expect(client.ask(TTY_CONTROLLING, MixKey()).diag == -Int64(ENXIO))
        #expect(client.ask(TTY_SET_CONTROLLING, key).diag == 0)
        #expect(client.ask(TTY_CONTROLLING, MixKey()).diag == 0)
        #expect(client.ioctl(key, TtyCommand.tiocnotty).diag == 0)
        #expect(client.signals.suffix(2) == [[SIGHUP, 10], [SIGCONT, 10]])
        #expect(client.ioctl(key, TtyCommand.tiocnotty).diag == -Int64(ENOTTY))
    }

    @Test func ioctls() {
        let client = Client([])
        let key = client.open(5, 1).reply.key
        let long = client.ioctl(key, TtyCommand.tcgets2).body
        #expect(long.count == 44)
        #expect(Array(long[0..<36]) == client.ioctl(key, TtyCommand.tcgets).body)
        #expect(Array(long[36..<44]) == [0, 0x96, 0, 0, 0, 0x96, 0, 0])  // 38400
        #expect(client.ioctl(key, TtyCommand.tcsets, body: Array(long[0..<20])).diag == -Int64(EFAULT))
        // B115200, 7 bits and parity asked for: speed taken, the rest is not to be had.
        var image = long
        image[8] = 0x02 | 0x20
        image[9] = 0x10 | 0x01
        #expect(client.ioctl(key, TtyCommand.tcsets2, body: image).diag == 0)
        let got = client.ioctl(key, TtyCommand.tcgets2).body
        #expect(Array(got[8..<12]) == [0x02 | 0x30 | 0x80, 0x10, 0, 0])
        #expect(Array(got[40..<44]) == [0, 0xc2, 1, 0])  // 115200
        #expect(client.ioctl(key, TtyCommand.fionread).value(Int32.self) == 0)
        #expect(client.ioctl(key, TtyCommand.tiocsti).diag == -Int64(EIO))
        #expect(client.ioctl(key, 0x541c).diag == -Int64(ENOTTY))  // TIOCLINUX
        #expect(client.ioctl(key, TtyCommand.tcflsh, 3).diag == -Int64(EINVAL))
        #expect(client.ioctl(key, TtyCommand.tcflsh, 2).diag == 0)
        #expect(client.ioctl(key, TtyCommand.tiocgetd).value(Int32.self) == 0)
        #expect(client.ioctl(key, TtyCommand.tiocexcl).diag == 0)
        #expect(client.open(5, 1).diag == -Int64(EBUSY))
        client.cred.uid = 0
        #expect(client.open(5, 1).diag == 0)
        #expect(client.ioctl(key, TtyCommand.tiocnxcl).diag == 0)
        #expect(client.ioctl(key, TtyCommand.tcxonc, 0).diag == 0)
        #expect(client.write(key, "x") == -Int64(EAGAIN))
        #expect(client.watch(key, 4, event: 1) == 0)
        #expect(client.ioctl(key, TtyCommand.tcxonc, 1).diag == 0)
        #expect(client.posts(1) == [4])
        #expect(client.write(key, "x") == 1)
        var forged = key
        forged.tag ^= 1 << 40
        #expect(client.read(forged).diag == -Int64(EBADF))
    }
}
