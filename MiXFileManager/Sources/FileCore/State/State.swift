import CChorus
import CMiXFile

/// State export and import (knActor.h): the secret of keys, devices, file systems, mounts, open instances and locks. Watches
/// are not carried: they fire, and whoever waited asks the next server.
extension FileServer {
    /// The whole state is one run of bytes, cut into messages of the caller's size.
    public func exportState(
        _ sequence: UInt32, _ message: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<UInt32>
    ) -> Int32 {
        guard let message, size.pointee > 0 else { return K_EINVAL }
        if sequence == 0 {
            var writer = StateWriter()
            var lent: [Segment] = []
            StateWriting.write(self, &writer, lent: &lent)
            export = Export(bytes: writer.bytes, at: 0, lent: lent)
        }
        guard let now = export else { return K_EINVAL }
        let count = min(Int(size.pointee), now.bytes.count - now.at)
        now.bytes.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(start: message, count: count).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: $0[now.at..<now.at + count]))
        }
        export?.at += count
        size.pointee = UInt32(count)
        if count == 0 {
            rest(lending: now.lent)
            export = nil
            opens.fireWatches()
        }
        return K_OK
    }

    /// At the end of an instance that was asked nothing since its export: the next one holds the segments.
    func lend() {
        for segment in exported.withLock({ $0 }) { segment.isLent = true }
    }

    public func importState(_ sequence: UInt32, _ message: UnsafeRawPointer?, _ size: UInt32) -> Int32 {
        if size > 0 {
            guard let message else { return K_EINVAL }
            if sequence == 0 { imported = [] }
            imported.append(contentsOf: UnsafeRawBufferPointer(start: message, count: Int(size)))
            return K_OK
        }
        var reader = StateReader(imported)
        imported = []
        do throws(Errno) {
            try StateReading.read(self, &reader)
            return K_OK
        } catch {
            nucleus.sysLog(0, "file manager: the state cannot be taken over: errno \(error.code)")
            return K_EINVAL
        }
    }

    struct Export {
        var bytes: [UInt8]
        var at: Int
        var lent: [Segment]
    }
}

/// "MiXFile5": the format's name and version.
let stateMagic: UInt64 = 0x4d69_5846_696c_6535
