import Loader

/// Runs the rows of `chorus bench driver`: the host's disk file, and in turn the same file behind virtio-blk on sites whose
/// drivers have different homes.
struct DriverBench {
    let tree: InstallTree
    let chorus: String
    let rounds: Int

    /// Where drivers live.
    struct Home {
        let id: String
        let label: String
        /// The table of the actor that is the home.
        let actor: String
        /// Those of the disk's drivers: an object, and whether it has a process of its own.
        let disk: [(object: String, isHosted: Bool)]
        /// The measuring driver is where the disk's is.
        let measures: Bool

        init(
            _ id: String, _ label: String, privilege: String, disk: [(object: String, isHosted: Bool)],
            measures: Bool = true
        ) {
            (self.id, self.label, self.disk, self.measures) = (id, label, disk, measures)
            actor = """
                [[actor]]
                name = "drivers"
                object = "libDriverKitStubs.so"
                privilege = "\(privilege)"
                group = "DRIVER"
                needs = ["DEVICE"]
                """
        }
    }

    static let homes = [
        Home("s", "supervisor", privilege: "supervisor", disk: [("virtio-blk.so", false)]),
        Home("u", "user home", privilege: "user", disk: [("virtio-blk.so", false)]),
        Home("p", "own process", privilege: "supervisor", disk: [("virtio-blk.so", true)]),
        Home(
            "x", "split", privilege: "supervisor",
            disk: [("virtio-blk-stub.so", false), ("virtio-blk-user.so", true)], measures: false),
    ]

    private static let imageSize = 64 << 20

    func run() throws(LoadError) -> DriverReport {
        let folder = try BenchFolder()
        defer { folder.remove() }
        let image = try folder.fill("disk.img", Self.imageSize)
        let program = tree.library + "/chorus-bench"
        var report = DriverReport()
        for _ in 0..<rounds {
            report.host.take(try ChildOutput.of([program, "disk", image]))
            for home in Self.homes {
                let manifest = try folder.write("\(home.id).toml", manifest(home))
                let run = [chorus, "run", "--manifest", manifest, "--", program]
                if home.measures {
                    report.sites[home.id, default: BenchFigures()].take(try ChildOutput.of(run + ["driver"]))
                }
                report.sites[home.id, default: BenchFigures()].take(try ChildOutput.of(run + ["disk", "/dev/disk0"]))
            }
        }
        return report
    }

    /// MiX in the nucleus, with a disk and devices that interrupt: one alone on its line, and four on one.
    private func manifest(_ home: Home) throws(LoadError) -> String {
        let shipped = try HostFile.read(tree.manifest("mix"))
        func teacher(_ name: String, _ line: Int) -> String {
            "[[device]]\nname = \"\(name)\"\nmodel = \"edu\"\nline = \(line)\n"
        }
        func driver(_ object: String, _ isHosted: Bool) -> String {
            "[[driver]]\nobject = \"\(object)\"\n" + (isHosted ? "privilege = \"user\"\n" : "")
        }
        let drivers = home.disk + [(tree.library + "/bench/driver.so", home.disk[0].isHosted)]
        let teachers = teacher("one9", 40) + (6...9).map { teacher("four\($0)", 41) }.joined()
        return """
            \(shipped)
            \(home.actor)
            [[device]]
            name = "disk0"
            model = "virtio-blk"
            image = "disk.img"
            \(teachers)
            \(drivers.map(driver).joined())

            """
    }
}
