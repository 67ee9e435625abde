import ArgumentParser

struct ChorusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chorus",
        abstract: "A modular UNIX on a hosted microkernel: runs unmodified Linux programs on servers of your choice.",
        discussion: "Try:  chorus run busybox sh",
        version: "0.1.0",
        subcommands: [
            RunCommand.self, BootCommand.self, CheckCommand.self, PsCommand.self, PortsCommand.self,
            InterruptsCommand.self,
            RegionsCommand.self, MoveCommand.self, DriversCommand.self, LoadCommand.self, UnloadCommand.self,
            DeviceCommand.self, TraceCommand.self, BenchCommand.self, NewCommand.self,
        ])
}
