import Testing

@testable import Manifest

@Suite struct ManifestTests {
    static let head = "[subsystem]\nname = \"mix\"\n"
    static let actor = "[[actor]]\nname = \"fm\"\nobject = \"libA.so\"\ngroup = \"FILE\"\n"

    private func error(_ text: String) -> String {
        do throws(ManifestError) {
            _ = try Manifest.parse(text, file: "m.toml")
            return "accepted"
        } catch {
            return error.description
        }
    }

    @Test func everythingIsRead() throws {
        let manifest = try Manifest.parse(
            """
            [subsystem]
            name = "mix"
            memory = "1GiB"
            ipc = false
            [[actor]]
            name = "file-manager"
            object = "libMiXFileManager.so"
            privilege = "user"
            group = "FILE"
            limits = { memory = "256MiB", threads = 64, ports = 256 }
            restart = { policy = "on-failure", heartbeat = "500ms", backoff = "30s", max = 10 }
            options = { cache = 7, trace = true, label = "x y" }
            [[actor]]
            name = "mine"
            object = "./mine.so"
            group = "MINE"
            needs = ["FILE"]
            [[mount]]
            at = "/"
            type = "overlay"
            lower = "host:/"
            [init]
            program = ["/bin/sh", "-c", "echo"]
            env = { A = "1" }
            cwd = "/tmp"
            """, file: "m.toml")
        #expect(manifest.subsystem == Subsystem(name: "mix", memory: 1 << 30, ipc: false))
        let first = manifest.actors[0]
        #expect(first.privilege == .user)
        #expect(first.group?.stamp == 0x4649_4c45)
        #expect(first.limits == ActorLimits(memory: 256 << 20, threads: 64, ports: 256))
        #expect(
            first.restart
                == RestartPolicy(when: .onFailure, heartbeatMilliseconds: 500, backoffMilliseconds: 30_000, most: 10))
        #expect(first.options == ["cache": "7", "trace": "true", "label": "x y"])
        #expect(manifest.actors[1].group?.stamp == 0x4d49_4e45)
        #expect(manifest.actors[1].privilege == .supervisor)
        #expect(manifest.mounts == [MountEntry(at: "/", type: "overlay", source: "host:/")])
        let start = StartEntry(program: ["/bin/sh", "-c", "echo"], environment: ["A": "1"], directory: "/tmp")
        #expect(manifest.start == start)
    }

    /// Every refusal names the file, the line, the key, and what would do. <H> and <A> are good beginnings.
    static let refused: [(String, String)] = [
        ("a = ", "m.toml:1: expected a value, found the end of the file"),
        ("[[actor]]\nname = \"x\"\n", "m.toml: subsystem: is missing; "),
        ("<H>", "m.toml: actor: no actor is named; at least one [[actor]] would do"),
        ("<H>nmae = 1\n<A>", "m.toml:3: subsystem.nmae: is not known here; did you mean \"name\"? "),
        ("<H>memory = 5\n<A>", "m.toml:3: subsystem.memory: is an integer; a size such as \"256MiB\""),
        ("<H>memory = \"5MB\"\n<A>", "m.toml:3: subsystem.memory: cannot read \"5MB\"; a size such as"),
        ("<H><A>privilege = \"root\"\n", "m.toml:7: actor \"fm\".privilege: \"root\" is not known; \"supervisor\" or"),
        ("<H>[[actor]]\nname = \"fm\"\n", "m.toml:3: actor \"fm\".object: is missing; a file in lib/"),
        (
            "<H><A>limits = { threads = 0 }\n",
            "m.toml:7: actor \"fm\".limits.threads: 0 is out of range; a whole number"
        ),
        ("<H>ipc = 1\n<A>", "m.toml:3: subsystem.ipc: is an integer; true or false"),
        ("<H><A>system = false\n", "m.toml:7: actor \"fm\".system: is false for a supervisor; privilege = \"user\""),
        ("<H><A>needs = [1]\n", "m.toml:7: actor \"fm\".needs: element 1 is an integer; "),
        ("<H><A>needs = [\"DISK\"]\n", "m.toml:3: actor \"fm\".needs: \"DISK\" is in no [[actor]]; known are FILE, fm"),
        ("<H><A><A>", "m.toml:7: actor \"fm\": the name \"fm\" is taken on line 3; another name"),
        ("<H><A>[[mount]]\nat = \"x\"\ntype = \"tmpfs\"\n", "m.toml:8: mount[0].at: \"x\" is not absolute; "),
        ("<H><A>[init]\nprogram = []\n", "m.toml:8: init.program: names no program; an array such as"),
        ("<H><A>[[driver]]\nobject = \"d.so\"\n", "m.toml:7: driver: no actor serves group DRIVER"),
        (
            "<H><A><D>[[driver]]\nobject = \"d.so\"\nrestart = \"often\"\n",
            "m.toml:13: driver[0].restart: \"often\" is not known; "
        ),
        (
            "<H><A><D>[[driver]]\nobject = \"d.so\"\nrestart = 3\n",
            "m.toml:13: driver[0].restart: is for a driver with a"
        ),
        (
            "<H><A><D>[[driver]]\nobject = \"d.so\"\ndevice = \"x\"\n",
            "m.toml:13: driver[0].device: \"x\" is no [[device]]; a [["
        ),
        (
            "<H><A><D>privilege = \"user\"\n[[driver]]\nobject = \"d.so\"\nprivilege = \"supervisor\"\n",
            "m.toml:14: driver[0].privilege: is \"supervisor\" while"
        ),
        ("<H>[[actor]]\nname = \"a b\"\n", "m.toml:4: actor[0].name: \"a b\" is no name; "),
        ("<H><A>options = { a = [1] }\n", "m.toml:7: actor \"fm\".options.a: is an array; "),
        (
            "<H>[[actor]]\nname = \"fm\"\nobject = \"libA.so\"\ngroup = \"file\"\n",
            "m.toml:6: actor \"fm\".group: \"file\" is no group; PROCESS, FILE"
        ),
    ]

    @Test(arguments: refused)
    func refusals(_ text: String, _ message: String) {
        let whole = text.replacing("<H>", with: Self.head).replacing("<A>", with: Self.actor)
            .replacing("<D>", with: "[[actor]]\nname = \"drivers\"\nobject = \"libD.so\"\ngroup = \"DRIVER\"\n")
        let answer = error(whole)
        #expect(answer.hasPrefix(message))
    }

    @Test func driversOfTheirOwn() throws {
        let text = """
            \(Self.head)\(Self.actor)[[actor]]
            name = "drivers"
            object = "libD.so"
            group = "DRIVER"
            [[device]]
            name = "disk0"
            model = "virtio-blk"
            [[driver]]
            object = "a.so"
            [[driver]]
            object = "b.so"
            privilege = "user"
            device = "disk0"
            restart = "always"
            [[driver]]
            object = "c.so"
            privilege = "user"
            restart = 3
            """
        let drivers = try Manifest.parse(text, file: "m.toml").drivers
        #expect(drivers.map(\.privilege) == [nil, .user, .user])
        #expect(drivers.map(\.device) == [nil, "disk0", nil])
        #expect(drivers.map(\.restarts) == [0, .max, 3])
    }

    @Test func aMissingFileIsNamed() {
        #expect(throws: ManifestError.self) { try Manifest.load("/nonexistent/m.toml") }
    }

    static let sizeCases: [(String, UInt64?)] = [
        ("1B", 1), ("256MiB", 268_435_456), ("2 GiB", 2_147_483_648), ("1KiB", 1024), ("1TiB", 1 << 40), ("MiB", nil),
        ("5", nil), ("-1B", nil), ("1.5GiB", nil), ("99999999999TiB", nil), ("", nil), ("1mib", nil),
    ]

    @Test(arguments: sizeCases)
    func sizes(_ text: String, _ bytes: UInt64?) { #expect(Quantity.bytes(text) == bytes) }

    static let durationCases: [(String, UInt64?)] = [
        ("500ms", 500), ("30s", 30_000), ("2min", 120_000), ("5", nil), ("1h", nil),
    ]

    @Test(arguments: durationCases)
    func durations(_ text: String, _ milliseconds: UInt64?) { #expect(Quantity.milliseconds(text) == milliseconds) }
}
