import ArgumentParser
import Glibc
import Loader
import Manifest

struct DriversCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drivers", abstract: "Show the drivers of a running site, and what they registered.",
        discussion: """
            PRIVILEGE and HOST say where a driver's code is: in the nucleus' process, in that of its home, or in one of its own. \
            STATE is ok, or why an instance is out of use.
            """)
    @OptionGroup var choice: SiteChoice
    func run() throws { choice.ask("drivers") }
}

struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Load a driver into a running site.",
        discussion: """
            The object is checked before anything of it runs, and gets one instance for each device that it matches and that no \
            other driver has. With --replace it takes the place of the loaded driver of its name: open devices wait for it, \
            and their users lose nothing. With --privilege user it gets a host process of its own, and the site outlives whatever it does; \
            --restart says what follows when that process dies. With --device it is called NAME@DEVICE.
            """)
    @Argument(help: "The driver's object.", completion: .file(extensions: ["so"]))
    var object: String
    @Flag(name: .long, help: "In the place of the loaded driver of the same name.")
    var replace = false
    @Option(
        name: .long, help: "supervisor, or user: in a process of its own. Where the drivers' home is when left out.")
    var privilege: Privilege?
    @Option(name: .long, help: "The one device that it is for.")
    var device: String?
    @Option(name: .long, help: "never, always, or how often in a row.")
    var restart = "never"
    @OptionGroup var choice: SiteChoice
    func run() throws {
        let words = [replace ? "replace" : "new", privilege?.rawValue ?? "-", device.map(word) ?? "-", word(restart)]
        choice.ask("load \(word(absolute(object))) " + words.joined(separator: " "))
    }
}

struct UnloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unload", abstract: "Unload a driver of a running site.",
        discussion: "Refused while one of its devices is open. Its object is really unmapped.")
    @Argument(help: "The driver's name, as `chorus drivers` shows it.")
    var name: String
    @OptionGroup var choice: SiteChoice
    func run() throws { choice.ask("unload \(word(name))") }
}

struct DeviceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device", abstract: "Show, add and remove devices of a running site's bus, or let them fail.",
        subcommands: [List.self, Add.self, Remove.self, Fail.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the devices.")
        @OptionGroup var choice: SiteChoice
        func run() throws { choice.ask("devices") }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a device; a loaded driver that matches takes it.",
            discussion: """
                Models: virtio-blk (image=FILE or size=BYTES, readonly=yes), virtio-net (cable=NAME, address=MAC, mtu=BYTES, \
                pcap=FILE), virtio-console (far=SOCKET, columns=N, rows=N), virtio-rng, uart16550 \
                (far=SOCKET), rtc, edu.
                """)
        @Argument(help: "Its name.") var name: String
        @Argument(help: "Its model.") var model: String
        @Argument(help: "Settings, each KEY=VALUE; line=N and faults=... fit every model.") var settings: [String] = []
        @Option(name: .long, help: "Name of the site; may be left out while only one runs.") var site: String?

        func run() throws {
            let all = settings.map { setting in
                let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
                return parts.count == 2 && DeviceEntry.paths.contains(parts[0])
                    ? "\(parts[0])=" + absolute(parts[1]) : setting
            }
            ask("device-add " + ([name, model] + all).map(word).joined(separator: " "), site)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take a device away.")
        @Argument(help: "Its name.") var name: String
        @Flag(name: .long, help: "Whatever its driver is doing: as if it were pulled out.") var surprise = false
        @Option(name: .long, help: "Name of the site; may be left out while only one runs.") var site: String?
        func run() throws { ask("device-remove \(word(name)) \(surprise ? "surprise" : "asked")", site) }
    }

    struct Fail: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a device fail so many times in a thousand, or no more.",
            discussion: """
                KIND:PERMILLE,... of lost-interrupt, spurious-interrupt, stuck-interrupt, read-error, write-error, short-dma and \
                surprise-removal; remove-after:N pulls the device out after so many register accesses; seed:N. `chorus device` \
                counts what happened.
                """)
        @Argument(help: "Its name.") var name: String
        @Argument(help: "What fails; nothing more when left out.") var faults: String?
        @Option(name: .long, help: "Name of the site; may be left out while only one runs.") var site: String?
        func run() throws { ask("device-faults \(word(name))" + (faults.map { " " + word($0) } ?? ""), site) }
    }
}

private func ask(_ question: String, _ site: String?) -> Never {
    SiteChoice.ask(question, of: site)
}

/// The control socket's questions are words with blanks between.
private func word(_ text: String) -> String { text.replacing(" ", with: "\\040") }

private func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let raw = getcwd(nil, 0) else { return path }
    defer { free(raw) }
    return String(cString: raw) + "/" + path
}

extension Privilege: ExpressibleByArgument {}
