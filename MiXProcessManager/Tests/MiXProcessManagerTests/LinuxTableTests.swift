import Testing

@testable import MiXProcessManager

private let handlers = {
    var table = SystemCallTable()
    CoreCalls.register(&table)
    FileSystemCalls.register(&table)
    return table
}()

@Test func theTableHasEveryNumberOfLinuxOnce() {
    #expect(LinuxTable.lines.map(\.number) == Array(0...334) + Array(424...462))
    #expect(Set(LinuxTable.lines.map(\.name)).count == LinuxTable.lines.count)
}

@Test func whatIsCarriedOutHasAHandlerOfThatName() {
    for line in LinuxTable.lines {
        let name = handlers.name(UInt64(line.number))
        switch line.support {
        case .full, .partial: #expect(name == line.name)
        case .answers: #expect(name == nil || name == line.name)
        }
    }
}

@Test func everyHandlerIsInTheTable() {
    let known = Set(LinuxTable.lines.map(\.number))
    for number in 0..<SystemCallTable.size where handlers.handler(UInt64(number)) != nil {
        #expect(known.contains(number), "\(number)")
    }
}

@Test func callsWithoutAHandlerGiveAnError() {
    #expect(handlers.answer(425) == (.ENOSYS, true))
    #expect(handlers.answer(321) == (.EPERM, true))
    #expect(handlers.answer(400) == (.ENOSYS, false))
    #expect(handlers.answer(.max) == (.ENOSYS, false))
}
