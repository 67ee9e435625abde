/// Linux' x86-64 system calls (arch/x86/entry/syscalls/syscall_64.tbl), and how far each is carried out here: what a
/// program may rely on, and the first thing to change with a handler. docs/linux-abi.md is made of these lines (`make
/// docs`), and a unit test holds them against the handlers.
enum LinuxTable {
    typealias Line = (number: Int, name: String, support: Support)

    enum Support: Sendable {
        /// Every flag of the manual page works, or gives what Linux gives in a configuration without it.
        case full
        /// All but what is named.
        case partial(StaticString)
        /// Not carried out.
        case answers(Errno, StaticString = "")
    }

    static let lines: [Line] = first + second + third

    /// What calls without a handler give, by number. Those that have no reason for it are worth a line in the log.
    static func answers() -> [(errno: Errno, isMeant: Bool)] {
        var answers = [(errno: Errno, isMeant: Bool)](repeating: (.ENOSYS, false), count: SystemCallTable.size)
        for case (let number, _, .answers(let errno, let reason)) in lines {
            answers[number] = (errno, reason.utf8CodeUnitCount > 0)
        }
        return answers
    }
}
