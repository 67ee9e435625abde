import CChorus
import Glibc
import Manifest

/// A whole run: site up, program, site down.
public struct SiteRun {
    public var plan: LoadPlan
    public var tree: InstallTree
    public var name: String
    public var log: SiteLog
    /// nil: the servers are the whole subsystem, and one of them ends it.
    public var program: ProgramStart?
    /// Puts the host's terminal into raw mode; true if there is one.
    public var rawTerminal: () -> Bool
    /// A file that is to go even when this process is killed.
    public var removeAtEnd: (String) -> Void

    public init(
        plan: LoadPlan, tree: InstallTree, name: String, log: SiteLog, program: ProgramStart?,
        rawTerminal: @escaping () -> Bool, removeAtEnd: @escaping (String) -> Void = { _ in }
    ) {
        self.plan = plan
        self.tree = tree
        self.name = name
        self.log = log
        self.program = program
        self.rawTerminal = rawTerminal
        self.removeAtEnd = removeAtEnd
    }

    /// The exit status.
    public func run() throws -> Int32 {
        let library = try NucleusLibrary.open(tree.nucleus)
        // Before the Device Manager looks at the terminal.
        let isTerminal = rawTerminal()
        if isTerminal { log.terminalIsRaw() }
        let site = try Site(library: library, name: name, tree: tree, log: log)
        let control = ControlServer(site: site)
        if let control { removeAtEnd(control.path) }
        defer {
            control?.close()
            site.close()
        }
        let watch = SignalWatch(site: site)
        try site.allowProcessIpc(plan.manifest.subsystem.ipc)
        try site.allowRewriting(plan.manifest.subsystem.rewrite)
        try site.limitMemory(plan.manifest.subsystem.memory)
        try ActorManager(site).start()
        for step in plan.steps { try site.load(step.entry, object: step.object, options: step.options) }
        try site.started()
        for driver in plan.manifest.drivers {
            do throws(LoadError) {
                _ = try site.loadDriver(
                    tree.driver(driver.object, manifest: plan.manifest.file), .init(driver))
            } catch {
                throw LoadError("\(driver.place.file):\(driver.place.line): \(driver.place.key): \(error)")
            }
        }
        watch.start()
        control?.start()
        if isTerminal { watch.tellWindow() }
        do {
            _ = try program?.start(on: site)
        } catch let failure as ProgramStart.Failure {
            log.line(0, failure.reason)
            return failure.status
        }
        return site.wait()
    }
}
