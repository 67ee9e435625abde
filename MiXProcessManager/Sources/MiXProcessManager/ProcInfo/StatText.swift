/// /proc/PID/stat and statm.
enum StatText {
    /// Clock ticks of 1/100 s.
    static func ticks(_ nanoseconds: UInt64) -> UInt64 { nanoseconds / 10_000_000 }

    /// The 52 fields of proc(5), in its order.
    static func stat(_ now: ProcessSnapshot) -> String {
        var fields: [String] = []
        func add(_ values: Int64...) { for value in values { fields.append(String(value)) } }
        func addUnsigned(_ values: UInt64...) { for value in values { fields.append(String(value)) } }
        add(Int64(now.parent), Int64(now.group), Int64(now.session))
        add(Int64(terminal(now.terminal)), Int64(now.foreground))
        addUnsigned(0x40_0000, 0, 0, 0, 0)  // flags: PF_RANDOMIZE; faults
        addUnsigned(ticks(now.user), ticks(now.system))
        add(Int64(ticks(now.childUser)), Int64(ticks(now.childSystem)))
        add(20 + Int64(now.nice), Int64(now.nice), Int64(now.threads), 0)
        addUnsigned(ticks(now.start), now.virtualSize)
        add(Int64(now.resident / 4096))
        addUnsigned(now.residentLimit, now.codeStart, now.codeEnd, now.stackStart, 0, 0)
        // 31 bits each: signal(7) says that real-time signals do not fit.
        let low: UInt64 = 0x7fff_ffff
        addUnsigned((now.pending | now.sharedPending) & low, now.blocked & low, now.ignored & low, now.caught & low)
        addUnsigned(now.state == "S" ? 1 : 0, 0, 0)
        add(Int64(now.exitSignal), 0)
        addUnsigned(0, 0, 0, 0)
        add(0)
        addUnsigned(now.breakStart, now.breakStart, now.breakStart)
        addUnsigned(now.argumentsStart, now.argumentsEnd, now.environmentStart, now.environmentEnd)
        add(Int64(now.exitStatus))
        return "\(now.pid) (\(now.command)) \(now.state) \(fields.joined(separator: " "))\n"
    }

    /// tty_nr: the minor in bits 31…20 and 7…0, the major in 15…8.
    static func terminal(_ device: UInt64) -> Int32 {
        Int32(truncatingIfNeeded: UInt32(truncatingIfNeeded: DeviceNumber.linux(device)))
    }

    static func statm(_ now: ProcessSnapshot) -> String {
        func pages(_ bytes: UInt64) -> UInt64 { bytes / 4096 }
        return "\(pages(now.virtualSize)) \(pages(now.resident)) 0 \(pages(now.codeSize)) 0 "
            + "\(pages(now.dataSize + now.stackSize)) 0\n"
    }
}
