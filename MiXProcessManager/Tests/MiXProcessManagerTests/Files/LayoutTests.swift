import CMiXFile
import Glibc
import Testing

@testable import MiXProcessManager

/// Our layouts against the C library's view of the same structures.
struct LayoutTests {
    static let sample: MixStat = {
        var stat = MixStat()
        stat.dev = 8 << 32 | 300
        stat.ino = 0x1_0000_0001
        stat.rdev = 136 << 32 | 5
        stat.size = 0x1_2345_6789
        stat.blocks = 77
        stat.nlink = 3
        stat.mode = 0o100644
        stat.uid = 1000
        stat.gid = 1001
        stat.blksize = 4096
        (stat.atimeSec, stat.atimeNsec) = (11, 1)
        (stat.mtimeSec, stat.mtimeNsec) = (12, 2)
        (stat.ctimeSec, stat.ctimeNsec) = (13, 3)
        (stat.btimeSec, stat.btimeNsec) = (14, 4)
        stat.mountId = 21
        return stat
    }()

    @Test func statMatches() {
        var host = stat()
        #expect(MemoryLayout<stat>.size == MixStat.linuxSize)
        withUnsafeMutableBytes(of: &host) { Self.sample.writeStat(to: $0) }
        #expect(DeviceNumber.fromLinux(UInt64(host.st_dev)) == Self.sample.dev)
        #expect(host.st_rdev == 0x8805)  // makedev(136, 5)
        #expect(host.st_ino == 0x1_0000_0001 && host.st_nlink == 3 && host.st_mode == 0o100644)
        #expect(host.st_uid == 1000 && host.st_gid == 1001 && host.st_size == 0x1_2345_6789)
        #expect(host.st_blksize == 4096 && host.st_blocks == 77)
        #expect(host.st_atim.tv_sec == 11 && host.st_mtim.tv_nsec == 2 && host.st_ctim.tv_sec == 13)
    }

    @Test func statxMatches() {
        // Offsets of uapi/linux/stat.h.
        var bytes = [UInt8](repeating: 0xff, count: MixStat.statxSize)
        bytes.withUnsafeMutableBytes { Self.sample.writeStatx(to: $0) }
        func field<T: BitwiseCopyable>(_ offset: Int, _ type: T.Type) -> T {
            bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
        }
        #expect(field(0, UInt32.self) & 0x7ff == 0x7ff && field(4, UInt32.self) == 4096)
        #expect(field(16, UInt32.self) == 3 && field(20, UInt32.self) == 1000 && field(28, UInt16.self) == 0o100644)
        #expect(field(32, UInt64.self) == 0x1_0000_0001 && field(40, UInt64.self) == 0x1_2345_6789)
        #expect(field(48, UInt64.self) == 77)
        #expect(field(64, Int64.self) == 11 && field(80, Int64.self) == 14 && field(96, Int64.self) == 13)
        #expect(field(112, Int64.self) == 12 && field(120, UInt32.self) == 2)
        #expect(field(128, UInt32.self) == 136 && field(132, UInt32.self) == 5)
        #expect(field(136, UInt32.self) == 8 && field(140, UInt32.self) == 300 && field(144, UInt64.self) == 21)
    }

    @Test func deviceNumbersComeBack() {
        for number in [0, 5 << 32 | 1, 136 << 32 | 70000, 4095 << 32 | 255] as [UInt64] {
            #expect(DeviceNumber.fromLinux(DeviceNumber.linux(number)) == number)
        }
    }

    @Test func oldDirectoryRecords() {
        // One linux_dirent64: inode 5, offset 9, length 24, type 8 (regular), name "abc".
        var bytes: [UInt8] = [5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 24, 0, 8, 97, 98, 99, 0, 0]
        bytes.withUnsafeMutableBytes { DirectoryCalls.oldFormat($0, 24) }
        #expect(Array(bytes[16...]) == [24, 0, 97, 98, 99, 0, 0, 8])
    }

    @Test func ioctlShapes() {
        #expect(Ioctl.shape(0x5401) == Ioctl.Shape(output: 36))
        #expect(Ioctl.shape(0x5413) == Ioctl.Shape(output: 8))
        #expect(Ioctl.shape(0x540b) == nil)
        #expect(Ioctl.shape(0x8004_5430) == Ioctl.Shape(output: 4))  // TIOCGPTN
        #expect(Ioctl.shape(0x4004_5431) == Ioctl.Shape(input: 4))  // TIOCSPTLCK
        #expect(Ioctl.shape(0x802c_542a) == Ioctl.Shape(output: 44))  // TCGETS2
    }

    @Test func lockRanges() throws {
        func range(_ whence: Int32, _ start: Int64, _ length: Int64) throws -> [UInt64] {
            let record = FileLock.Record(type: 0, whence: Int16(whence), start: start, length: length, pid: 0)
            let (first, count) = try record.range(position: 100, size: 1000)
            return [first, count]
        }
        #expect(MemoryLayout<FileLock.Record>.stride == MemoryLayout<flock>.stride)
        #expect(try range(SEEK_SET, 5, 0) == [5, 0])
        #expect(try range(SEEK_CUR, -10, 20) == [90, 20])
        #expect(try range(SEEK_END, 0, -100) == [900, 100])
        #expect(throws: Errno.EINVAL) { try range(SEEK_SET, -1, 1) }
        #expect(throws: Errno.EOVERFLOW) { try range(SEEK_CUR, .max, 1) }
    }
}
