/// The system-call table: handlers indexed by number.
struct SystemCallTable {
    static let size = 512
    private(set) var names = [String?](repeating: nil, count: size)
    private var handlers = [SystemCallHandler?](repeating: nil, count: size)

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
}
