/// /proc/locks: what is locked, one lock a line (proc(5)).
enum LocksText {
    static func text(_ proc: Procfs, _ caller: Caller) -> [UInt8] {
        var out = Text()
        var number = 0
        for (inode, locks) in proc.opens.locked {
            guard let file = try? inode.attributes() else { continue }
            let place = "\(hex(file.dev >> 32)):\(hex(file.dev & 0xffff_ffff)):\(file.ino)"
            func line(_ kind: String, _ lock: FileLocks.Record) {
                number += 1
                let access = lock.isExclusive ? "WRITE" : "READ "
                let end = lock.end == .max ? "EOF" : String(lock.end - 1)
                out.add("\(number): \(kind)  ADVISORY  \(access) \(lock.pid) \(place) \(lock.start) \(end)\n")
            }
            for lock in locks.whole { line("FLOCK", lock) }
            for lock in locks.records { line("POSIX", lock) }
        }
        return out.bytes
    }

    private static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return digits.count < 2 ? "0" + digits : digits
    }
}
