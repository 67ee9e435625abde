import ArgumentParser
import Loader

/// Which site a question goes to: the named one, or the only one.
struct SiteChoice: ParsableArguments {
    @Argument(help: "Name of the site; may be left out while only one runs.")
    var site: String?

    func name() throws(LoadError) -> String { try Self.name(site) }

    static func name(_ site: String?) throws(LoadError) -> String {
        if let site { return site }
        let sites = ControlSocket.sites()
        if sites.count == 1 { return sites[0] }
        throw LoadError(
            sites.isEmpty ? "no site is running" : "several sites are running: \(sites.joined(separator: ", "))")
    }

    func ask(_ question: String) -> Never { Self.ask(question, of: site) }

    static func ask(_ question: String, of site: String?) -> Never {
        do {
            print(try ControlClient.ask(site: name(site), question), terminator: "")
            ChorusCommand.exit()
        } catch {
            SiteStart.fail(error)
        }
    }
}

struct PsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "Show the processes and the actors of a running site, or its threads.",
        discussion: "BLOCKED ON is the system call or nucleus call that a thread waits in.")
    @OptionGroup var choice: SiteChoice
    @Flag(name: .long, help: "Every thread: its actor, what it is blocked on, and since when.")
    var threads = false
    func run() throws { choice.ask(threads ? "ps threads" : "ps") }
}

struct PortsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ports", abstract: "Show the ports of a running site.")
    @OptionGroup var choice: SiteChoice
    func run() throws { choice.ask("ports") }
}

struct InterruptsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "interrupts", abstract: "Show the interrupt lines of a running site.",
        discussion: """
            A masked line with a count under STUCK was cut off, since nobody claimed its interrupts. Loading or unloading a driver \
            of the line unmasks it, and so does --unmask; where nothing has changed it is soon masked again.
            """)
    @OptionGroup var choice: SiteChoice
    @Option(name: .long, help: "Give this line another chance.")
    var unmask: Int?
    func run() throws { choice.ask(unmask.map { "interrupts unmask \($0)" } ?? "interrupts") }
}

struct RegionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "regions", abstract: "Show the memory regions of a process of a running site.")
    @Argument(help: "Process number, as `chorus ps` shows it.")
    var pid: Int32
    @OptionGroup var choice: SiteChoice
    func run() throws { choice.ask("regions \(pid)") }
}
