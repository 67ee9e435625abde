/// The system-call table: handlers indexed by number.
struct SystemCallTable {
    static let size = 512
    private(set) var names = [String?](repeating: nil, count: size)
    private var handlers = [SystemCallHandler?](repeating: nil, count: size)
    private let answers = LinuxTable.answers()

    mutating func register(_ table: [(Int, String, SystemCallHandler)]) {
        for (number, name, handler) in table where number >= 0 && number < Self.size {
            names[number] = name
            handlers[number] = handler
        }
    }
    func handler(_ number: UInt64) -> SystemCallHandler? {
        number < UInt64(Self.size) ? handlers[Int(number)] : nil
    }
    func name(_ number: UInt64) -> String? { number < UInt64(Self.size) ? names[Int(number)] : nil }
    /// What a call without a handler gives, and whether that is what it should.
    func answer(_ number: UInt64) -> (errno: Errno, isMeant: Bool) {
        number < UInt64(Self.size) ? answers[Int(number)] : (.ENOSYS, false)
    }
}
