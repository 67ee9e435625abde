import Glibc
import TerminalLine

/// The host's own pseudo-terminal, used as the reference.
final class HostPty {
    let master: Int32
    let slave: Int32

    init?() {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)
        var number: UInt32 = 0
        var unlocked: Int32 = 0
        guard master >= 0, ioctl(master, 0x8004_5430, &number) == 0, ioctl(master, 0x4004_5431, &unlocked) == 0 else {
            return nil
        }
        slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_NONBLOCK)
        guard slave >= 0 else { return nil }
    }

    deinit {
        close(master)
        close(slave)
    }

    /// struct termios of the kernel: four words, line, 19 characters.
    func set(_ t: Termios) {
        var image = [UInt8](repeating: 0, count: 36)
        image.withUnsafeMutableBytes { raw in
            raw.storeBytes(of: t.iflag, as: UInt32.self)
            raw.storeBytes(of: t.oflag, toByteOffset: 4, as: UInt32.self)
            raw.storeBytes(of: t.cflag, toByteOffset: 8, as: UInt32.self)
            raw.storeBytes(of: t.lflag, toByteOffset: 12, as: UInt32.self)
            for i in 0..<19 { raw[17 + i] = t.cc[i] }
            _ = ioctl(slave, 0x5402, raw.baseAddress!)
        }
    }

    /// FIONREAD, or the same through another command.
    var readable: Int32 {
        var count: Int32 = 0
        _ = ioctl(slave, 0x541b, &count)
        return count
    }

    func type(_ bytes: [UInt8]) -> Int { Glibc.write(master, bytes, bytes.count) }
    func print(_ bytes: [UInt8]) -> Int { Glibc.write(slave, bytes, bytes.count) }

    func read(_ size: Int) -> [UInt8]? { HostPty.read(slave, size) }

    func packets(_ on: Bool) {
        var value: Int32 = on ? 1 : 0
        _ = ioctl(master, 0x5420, &value)
    }

    /// What the master reads: what has happened (packet mode), and output.
    struct Shown: Equatable {
        var status: [UInt8] = []
        var output: [UInt8] = []
    }

    /// Output until the line stays quiet for `quiet` milliseconds.
    func shown(quiet: Int32, packets: Bool) -> Shown {
        var all = Shown()
        while true {
            // Polling an empty side makes the host finish the work queued for it.
            var sides = [pollfd(fd: slave, events: Int16(POLLIN), revents: 0)]
            _ = poll(&sides, 1, 0)
            sides = [pollfd(fd: master, events: Int16(POLLIN), revents: 0)]
            guard poll(&sides, 1, quiet) > 0, let more = HostPty.read(master, 8192), let first = more.first else {
                return all
            }
            if packets, first != 0 { all.status.append(first) } else { all.output += more[(packets ? 1 : 0)...] }
        }
    }

    private static func read(_ fd: Int32, _ size: Int) -> [UInt8]? {
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            count = Glibc.read(fd, buffer.baseAddress, size)
            filled = max(0, count)
        }
        return count < 0 ? nil : bytes
    }
}

extension LineDiscipline {
    mutating func whatIsShown() -> HostPty.Shown {
        let status = hasPacketStatus ? [takePacketStatus()] : []
        return HostPty.Shown(status: status, output: shown())
    }
}
