/// The status word of wait(2).
enum WaitStatus {
    static func exited(_ code: Int32) -> Int32 { (code & 0xff) << 8 }
    static func killed(_ signal: Int32) -> Int32 { signal & 0x7f }
    static func stopped(_ signal: Int32) -> Int32 { signal << 8 | 0x7f }
    static let continued: Int32 = 0xffff
}
