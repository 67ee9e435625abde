import CMiXFile

/// Builds a C struct of the Linux x86-64 ABI byte by byte, so that no layout depends on what the host's headers say.
struct LayoutWriter {
    private let target: UnsafeMutableRawBufferPointer
    private(set) var used = 0

    init(_ target: UnsafeMutableRawBufferPointer) { self.target = target }

    mutating func put<T: FixedWidthInteger>(_ value: T) {
        precondition(used + MemoryLayout<T>.size <= target.count)
        target.storeBytes(of: value.littleEndian, toByteOffset: used, as: T.self)
        used += MemoryLayout<T>.size
    }
    mutating func skip(_ bytes: Int) {
        precondition(used + bytes <= target.count)
        for index in used..<used + bytes { target[index] = 0 }
        used += bytes
    }
}

/// Device numbers: ours are major << 32 | minor, Linux packs them in two ways (sys/sysmacros.h).
enum DeviceNumber {
    static func major(_ number: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: number >> 32) }
    static func minor(_ number: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: number) }
    static func linux(_ number: UInt64) -> UInt64 {
        let (high, low) = (UInt64(major(number)), UInt64(minor(number)))
        return (low & 0xff) | (high & 0xfff) << 8 | (low & ~0xff) << 12 | (high & ~0xfff) << 32
    }
    static func fromLinux(_ dev: UInt64) -> UInt64 {
        let high = (dev >> 8) & 0xfff | (dev >> 32) & ~0xfff
        let low = dev & 0xff | (dev >> 12) & ~0xff
        return (high & 0xffff_ffff) << 32 | low & 0xffff_ffff
    }
}

extension MixStat {
    static let linuxSize = 144
    static let statxSize = 256

    /// `struct stat` (arch/x86/include/uapi/asm/stat.h).
    func writeStat(to target: UnsafeMutableRawBufferPointer) {
        var out = LayoutWriter(target)
        out.put(DeviceNumber.linux(dev))
        out.put(ino)
        out.put(nlink)
        out.put(mode)
        out.put(uid)
        out.put(gid)
        out.put(UInt32(0))
        out.put(DeviceNumber.linux(rdev))
        out.put(size)
        out.put(UInt64(blksize))
        out.put(blocks)
        for (seconds, nanoseconds) in [(atimeSec, atimeNsec), (mtimeSec, mtimeNsec), (ctimeSec, ctimeNsec)] {
            out.put(seconds)
            out.put(UInt64(nanoseconds))
        }
        out.skip(24)
    }

    /// `struct statx` (uapi/linux/stat.h) with the basic fields, the birth time and the mount's number.
    func writeStatx(to target: UnsafeMutableRawBufferPointer) {
        var out = LayoutWriter(target)
        out.put(UInt32(0x17ff))  // STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID
        out.put(blksize)
        out.put(UInt64(0))  // attributes
        out.put(UInt32(truncatingIfNeeded: nlink))
        out.put(uid)
        out.put(gid)
        out.put(UInt16(truncatingIfNeeded: mode))
        out.put(UInt16(0))
        out.put(ino)
        out.put(size)
        out.put(blocks)
        out.put(UInt64(0))  // attributes mask
        let times = [
            (atimeSec, atimeNsec), (btimeSec, btimeNsec), (ctimeSec, ctimeNsec), (mtimeSec, mtimeNsec),
        ]
        for (seconds, nanoseconds) in times {
            out.put(seconds)
            out.put(nanoseconds)
            out.put(Int32(0))
        }
        out.put(DeviceNumber.major(rdev))
        out.put(DeviceNumber.minor(rdev))
        out.put(DeviceNumber.major(dev))
        out.put(DeviceNumber.minor(dev))
        out.put(mountId)
        out.skip(Self.statxSize - out.used)
    }
}

extension MixStatfs {
    static let linuxSize = 120

    /// `struct statfs` of x86-64 (uapi/asm-generic/statfs.h).
    func write(to target: UnsafeMutableRawBufferPointer) {
        var out = LayoutWriter(target)
        for field in [type, bsize, blocks, bfree, bavail, files, ffree, fsid, namelen, frsize, flags] { out.put(field) }
        out.skip(32)
    }
}
