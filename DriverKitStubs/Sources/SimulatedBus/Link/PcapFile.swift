import Glibc

/// A capture file: classic pcap with nanoseconds (draft-ietf-opsawg-pcap), a frame a write, so that it can be read while it grows.
final class PcapFile {
    private let descriptor: Int32
    private var isBroken = false

    private static let magic: UInt32 = 0xa1b2_3c4d
    private static let linkEthernet: UInt32 = 1

    /// Made anew. What is wrong with the file otherwise.
    init(_ path: String) throws(DeviceProblem) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else {
            throw DeviceProblem("\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw DeviceProblem("\(path) is no regular file")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw DeviceProblem("\(path) is being written by another capture")
        }
        let head: [UInt32] = [Self.magic, 2 | 4 << 16, 0, 0, 262144, Self.linkEthernet]
        guard ftruncate(descriptor, 0) == 0, head.withUnsafeBytes({ write(descriptor, $0.baseAddress, 24) }) == 24
        else {
            close(descriptor)
            throw DeviceProblem("\(path) cannot be written")
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// False where the host took less, now or before: a record that is cut off ends the file.
    func put(_ frame: UnsafeRawBufferPointer) -> Bool {
        if isBroken { return false }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let size = UInt32(frame.count)
        var head = (UInt32(truncatingIfNeeded: now.tv_sec), UInt32(now.tv_nsec), size, size)
        let written = withUnsafeMutableBytes(of: &head) { head in
            var parts = [
                iovec(iov_base: head.baseAddress, iov_len: head.count),
                iovec(iov_base: UnsafeMutableRawPointer(mutating: frame.baseAddress), iov_len: frame.count),
            ]
            return writev(descriptor, &parts, 2)
        }
        isBroken = written != 16 + frame.count
        return !isBroken
    }
}
