import ArgumentParser

struct MoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move", abstract: "Move a server of a running site to the other privilege.",
        discussion: """
            The server comes to rest, its state goes to a new instance of the same object, and that takes its place: in a \
            host process of its own (user), or inside the nucleus (supervisor). Clients wait a moment and notice nothing. \
            If it cannot be done, the server goes on as it was and the reason is told. A Process Manager with processes \
            stays where it is.
            """)

    enum Privilege: String, ExpressibleByArgument, CaseIterable { case user, supervisor }

    @Argument(help: "Name of the server in the manifest, as `chorus ps` shows it.")
    var server: String
    @Option(name: .long, help: "Where to.")
    var to: Privilege
    @OptionGroup var choice: SiteChoice
    func run() throws { choice.ask("move \(server) \(to.rawValue)") }
}
