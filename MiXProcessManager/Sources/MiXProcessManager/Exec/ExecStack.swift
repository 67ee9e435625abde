/// The initial stack of a program: strings, auxiliary vector, environment, arguments (System V ABI x86-64, 3.4.1).
struct ExecStack {
    var bytes: [UInt8]
    /// Address of bytes[0]: where argc is.
    var pointer: UInt64
    var argumentsStart: UInt64
    var argumentsEnd: UInt64
    var environmentStart: UInt64
    var environmentEnd: UInt64
    var auxiliary: [UInt8]

    /// `auxiliary` gets the values that are known only here: AT_RANDOM, AT_EXECFN, AT_PLATFORM; AT_HWCAP2
    /// comes among them, as Linux has it.
    static func build(
        top: UInt64, arguments: [[UInt8]], environment: [[UInt8]], path: [UInt8], random: [UInt8],
        auxiliary given: [(UInt64, UInt64)], hardware: UInt64
    ) -> ExecStack {
        var strings: [UInt8] = []
        func add(_ text: [UInt8]) -> Int {
            defer {
                strings.append(contentsOf: text)
                strings.append(0)
            }
            return strings.count
        }
        let platform = add(Array("x86_64".utf8))
        let randomAt = strings.count
        strings.append(contentsOf: random)
        let firstArgument = strings.count
        let argumentsAt = arguments.map(add)
        let firstEnvironment = strings.count
        let environmentAt = environment.map(add)
        let afterEnvironment = strings.count
        let pathAt = add(path)
        strings.append(contentsOf: [UInt8](repeating: 0, count: 8))

        let base = (top - UInt64(strings.count)) & ~15
        let at = { (offset: Int) in base + UInt64(offset) }
        let tail: [(UInt64, UInt64)] = [
            (25, at(randomAt)), (26, hardware), (31, at(pathAt)), (15, at(platform)), (0, 0),
        ]
        let vector = given + tail
        let words = 1 + arguments.count + 1 + environment.count + 1 + vector.count * 2
        let pointer = (base - UInt64(words) * 8) & ~15

        var head: [UInt64] = [UInt64(arguments.count)]
        head.reserveCapacity(words)
        head.append(contentsOf: argumentsAt.map(at))
        head.append(0)
        head.append(contentsOf: environmentAt.map(at))
        head.append(0)
        for (type, value) in vector { head.append(contentsOf: [type, value]) }
        var bytes = head.withUnsafeBytes { Array($0) }
        bytes.append(contentsOf: [UInt8](repeating: 0, count: Int(base - pointer) - bytes.count))
        bytes.append(contentsOf: strings)
        let auxiliary = vector.flatMap { [$0.0, $0.1] }.withUnsafeBytes { Array($0) }
        return ExecStack(
            bytes: bytes, pointer: pointer, argumentsStart: at(firstArgument), argumentsEnd: at(firstEnvironment),
            environmentStart: at(firstEnvironment), environmentEnd: at(afterEnvironment), auxiliary: auxiliary)
    }
}
