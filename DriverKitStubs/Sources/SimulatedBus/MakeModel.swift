import Glibc

/// A device as the manifest or the command line describes it: a name, a model, and the model's settings.
package struct DeviceDescription {
    package var name: String
    package var model: String
    package var settings: [String: String]

    /// "disk0 virtio-blk image=/x/disk.img line=5"; what is wrong with it otherwise.
    package init(_ text: String) throws(DeviceProblem) {
        let words = text.split(separator: " ").map(String.init)
        guard words.count >= 2 else { throw DeviceProblem("a device needs a name and a model") }
        name = words[0]
        guard name.utf8.count <= 31, name.utf8.allSatisfy(Self.isNameByte) else {
            throw DeviceProblem("\"\(name)\" is no name for a device")
        }
        model = words[1]
        settings = [:]
        for word in words[2...] {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw DeviceProblem("\(name): \"\(word)\" is no key=value") }
            settings[parts[0]] = parts[1].replacing("\\040", with: " ")
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f: true
        default: false
        }
    }

    static let models = [
        "virtio-blk", "virtio-net", "virtio-console", "virtio-rng", "uart16550", "rtc", "edu",
    ]

    /// Takes what it knows out of `settings`; what is left is unknown.
    package mutating func makeModel(_ cables: Cables = Cables()) throws(DeviceProblem) -> any DeviceModel {
        switch model {
        case "virtio-blk": return try makeDisk()
        case "virtio-net": return try makeNet(cables)
        case "virtio-console": return try makeConsole()
        case "virtio-rng": return VirtioEntropy()
        case "uart16550": return try makeSerial()
        case "rtc": return Clock146818()
        case "edu": return Edu()
        default:
            throw DeviceProblem("\(name): no model \"\(model)\"; there are \(Self.models.joined(separator: ", "))")
        }
    }

    private mutating func makeDisk() throws(DeviceProblem) -> any DeviceModel {
        let isReadOnly = settings.removeValue(forKey: "readonly") == "yes"
        let wanted = settings.removeValue(forKey: "size")
        guard let image = settings.removeValue(forKey: "image") else {
            guard let wanted, let size = Int(wanted), size >= 512, size <= 1 << 40 else {
                throw DeviceProblem("\(name): a disk needs image=FILE, or size=BYTES for one in memory")
            }
            let count = size / 512 * 512
            let base = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
            guard let base, base != MAP_FAILED else { throw DeviceProblem("\(name): no memory for \(count) bytes") }
            let memory = UnsafeMutableRawBufferPointer(start: base, count: count)
            return VirtioBlock(disk: .memory(memory), sectors: UInt64(count / 512), isReadOnly: isReadOnly)
        }
        let descriptor = open(image, (isReadOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            throw DeviceProblem("\(name): \(image) cannot be opened: \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size >= 512 else {
            close(descriptor)
            throw DeviceProblem("\(name): \(image) is no regular file of at least 512 bytes")
        }
        return VirtioBlock(disk: .file(descriptor), sectors: UInt64(status.st_size / 512), isReadOnly: isReadOnly)
    }
}

package struct DeviceProblem: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
