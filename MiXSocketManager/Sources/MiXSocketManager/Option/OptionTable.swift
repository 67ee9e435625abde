/// What values an option takes, and what it is before it is set.
struct OptionRule {
    enum Range {
        case flag
        case number(ClosedRange<Int32>)
        /// A number, brought into the range instead of refused.
        case clamped(ClosedRange<Int32>)
        /// Bytes of a buffer: doubled, at least the second, at most twice the first (socket(7)).
        case buffer(most: Int32, least: Int32)
        case readOnly
    }

    let range: Range
    var preset: Int32 = 0
    /// CAP_NET_ADMIN or CAP_NET_RAW to set it.
    var needsPrivilege = false
}

/// Options that are numbers. Others (times, names, structs) have code of their own.
enum OptionTable {
    static func rule(_ name: Options.Name, _ socket: Socket) -> OptionRule? {
        switch name.level {
        case 1: general[name.name]
        case 0 where socket.family.isInet: internet[name.name]
        case 41 where socket.family == .inet6: internet6[name.name]
        case 6 where socket.isTcp: transmission[name.name]
        case 17 where socket.family.isInet && socket.isDatagram: user[name.name]
        default: nil
        }
    }

    private static let anyNumber = OptionRule(range: .number(Int32.min...Int32.max))
    private static let flag = OptionRule(range: .flag)

    private static let general: [Int32: OptionRule] = [
        1: OptionRule(range: .flag, needsPrivilege: true),  // SO_DEBUG
        2: flag, 5: flag, 6: flag, 9: flag, 10: flag, 11: flag,
        7: OptionRule(range: .buffer(most: 212_992, least: 4608)),
        8: OptionRule(range: .buffer(most: 212_992, least: 2304)),
        32: OptionRule(range: .buffer(most: Int32.max / 2, least: 4608), needsPrivilege: true),  // SO_SNDBUFFORCE
        33: OptionRule(range: .buffer(most: Int32.max / 2, least: 2304), needsPrivilege: true),
        12: OptionRule(range: .number(0...6)),  // SO_PRIORITY; more needs a privilege
        15: flag, 16: flag,
        18: OptionRule(range: .clamped(1...Int32.max), preset: 1),  // SO_RCVLOWAT
        29: flag, 34: flag, 35: flag, 40: flag, 43: flag, 44: flag, 45: flag,
        36: OptionRule(range: .number(Int32.min...Int32.max), needsPrivilege: true),  // SO_MARK
        37: anyNumber, 42: OptionRule(range: .number(-1...Int32.max), preset: -1),  // SO_TIMESTAMPING, SO_PEEK_OFF
        46: OptionRule(range: .number(0...Int32.max), needsPrivilege: true),
        47: OptionRule(range: .number(Int32.min...Int32.max), preset: -1),
        49: OptionRule(range: .number(Int32.min...Int32.max), preset: -1), 60: OptionRule(range: .number(0...1)),
    ]

    private static let internet: [Int32: OptionRule] = [
        1: OptionRule(range: .number(Int32.min...Int32.max)), 2: OptionRule(range: .number(-1...255), preset: 64),
        6: flag, 7: flag, 8: flag, 10: OptionRule(range: .number(0...5), preset: 1), 11: flag, 12: flag, 13: flag,
        15: flag, 19: OptionRule(range: .flag, needsPrivilege: true), 20: flag, 21: OptionRule(range: .number(0...255)),
        22: flag, 24: flag, 33: OptionRule(range: .number(-1...255), preset: 1),
        34: OptionRule(range: .flag, preset: 1),
        49: OptionRule(range: .flag, preset: 1), 50: anyNumber, 14: OptionRule(range: .readOnly, preset: 65535),
        23: flag, 25: flag,
    ]

    private static let internet6: [Int32: OptionRule] = [
        16: OptionRule(range: .number(-1...255), preset: 64), 17: anyNumber,
        18: OptionRule(range: .number(-1...255), preset: 1),
        19: OptionRule(range: .flag, preset: 1), 23: OptionRule(range: .number(0...5), preset: 1), 25: flag, 26: flag,
        29: OptionRule(range: .flag, preset: 1), 33: flag, 49: flag, 51: flag, 53: flag, 54: flag, 56: flag, 57: flag,
        62: flag, 66: flag, 67: OptionRule(range: .number(-1...255)), 70: OptionRule(range: .flag, preset: 1),
        72: anyNumber,
        73: OptionRule(range: .number(0...255)), 74: flag, 75: OptionRule(range: .flag, needsPrivilege: true), 78: flag,
        24: OptionRule(range: .readOnly, preset: 65536),
    ]

    private static let transmission: [Int32: OptionRule] = [
        1: flag, 2: OptionRule(range: .number(88...32767), preset: 32768), 3: flag,
        4: OptionRule(range: .number(1...32767), preset: 7200), 5: OptionRule(range: .number(1...32767), preset: 75),
        6: OptionRule(range: .number(1...127), preset: 9), 7: OptionRule(range: .number(1...127), preset: 6),
        8: OptionRule(range: .clamped(-1...60), preset: 60), 9: OptionRule(range: .number(0...Int32.max)),
        10: OptionRule(range: .number(0...Int32.max)), 12: OptionRule(range: .flag, preset: 1),
        16: flag, 17: flag, 18: OptionRule(range: .number(0...Int32.max)),
        19: OptionRule(range: .flag, needsPrivilege: true),
        23: OptionRule(range: .number(0...Int32.max)), 24: anyNumber, 25: anyNumber, 27: flag, 30: flag, 34: flag,
        36: flag,
        37: OptionRule(range: .number(0...Int32.max)),
    ]

    private static let user: [Int32: OptionRule] = [
        1: flag, 101: flag, 102: flag, 103: OptionRule(range: .number(0...65535)), 104: flag,
    ]
}
