import ArgumentParser
import Loader

/// Which site a question goes to: the named one, or the only one.
struct SiteChoice: ParsableArguments {
    @Argument(help: "Name of the site; may be left out while only one runs.")
    var site: String?

    func ask(_ question: String) -> Never {
        do {
            let sites = ControlSocket.sites()
            guard let name = site ?? (sites.count == 1 ? sites[0] : nil) else {
                throw LoadError(
                    sites.isEmpty ? "no site is running" : "several sites are running: \(sites.joined(separator: ", "))"
                )
            }
            print(try ControlClient.ask(site: name, question), terminator: "")
            ChorusCommand.exit()
        } catch {
            SiteStart.fail(error)
        }
    }
}

struct PsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "Show the processes and the actors of a running site.")
    @OptionGroup var choice: SiteChoice
    func run() throws { choice.ask("ps") }
}

struct PortsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ports", abstract: "Show the ports of a running site.")
    @OptionGroup var choice: SiteChoice
    func run() throws { choice.ask("ports") }
}

struct RegionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "regions", abstract: "Show the memory regions of a process of a running site.")
    @Argument(help: "Process number, as `chorus ps` shows it.")
    var pid: Int32
    @OptionGroup var choice: SiteChoice
    func run() throws { choice.ask("regions \(pid)") }
}
