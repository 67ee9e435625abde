import Glibc
import Manifest
import Testing

@testable import Loader

@Suite struct LoaderTests {
    @Test func programsAreSearchedAsAShellDoes() {
        func candidates(_ name: String, _ path: String?) -> [String] {
            let environment = path.map { ["PATH": $0] } ?? [:]
            return ProgramStart(words: [name], environment: environment, directory: "/").candidates(name)
        }
        #expect(candidates("ls", "/a:/b") == ["/a/ls", "/b/ls"])
        #expect(candidates("ls", "/a:") == ["/a/ls", "ls"])
        #expect(candidates("./ls", "/a") == ["./ls"])
        #expect(candidates("ls", nil) == ["/bin/ls", "/usr/bin/ls"])
    }

    @Test func mountsBecomeSortedOptionLines() throws {
        var text = "[subsystem]\nname = \"m\"\n[[actor]]\nname = \"fm\"\nobject = \"a.so\"\ngroup = \"FILE\"\n"
        text += "options = { zeta = 1, alpha = 2 }\n"
        text += "[[mount]]\nat = \"/\"\ntype = \"overlay\"\nlower = \"host:/\"\n"
        text += "[[mount]]\nat = \"/dev\"\ntype = \"devfs\"\n"
        let manifest = try Manifest.parse(text, file: "m")
        #expect(
            LoadPlan.options(manifest.actors[0], manifest, tree: InstallTree(root: "/x"))
                == "alpha=2\nmount.000=/ overlay host:/\nmount.001=/dev devfs\nzeta=1\n")
    }

    @Test func devicesBecomeOptionLines() throws {
        var text = "[subsystem]\nname = \"m\"\n[[actor]]\nname = \"d\"\nobject = \"a.so\"\ngroup = \"DRIVER\"\n"
        text += "[[device]]\nname = \"net0\"\nmodel = \"virtio-net\"\ncable = \"c0\"\nmtu = 9000\npcap = \"a b.pcap\"\n"
        text += "address = \"52:54:00:00:00:01\"\n"
        text += "[[device]]\nname = \"hvc0\"\nmodel = \"virtio-console\"\nfar = \"/s\"\ncolumns = 132\nrows = 50\n"
        let manifest = try Manifest.parse(text, file: "/d/m")
        let (net, console) = (
            "net0 virtio-net address=52:54:00:00:00:01 cable=c0 mtu=9000 pcap=/d/a\\040b.pcap",
            "hvc0 virtio-console columns=132 far=/s rows=50"
        )
        #expect(
            LoadPlan.options(manifest.actors[0], manifest, tree: InstallTree(root: "/x"))
                == "device.000=\(net)\ndevice.001=\(console)\n")
        for wrong in ["mtu = 67", "mtu = \"x\"", "cable = 7", "columns = 0", "nonsense = 1"] {
            #expect(throws: ManifestError.self) {
                _ = try Manifest.parse(text + "[[device]]\nname = \"x\"\nmodel = \"virtio-net\"\n\(wrong)\n", file: "m")
            }
        }
    }

    @Test func objectsAreFoundBesideTheTreeOrTheManifest() {
        let tree = InstallTree(root: "/t")
        #expect(tree.object("liba.so", manifest: "/m/x.toml") == "/t/lib/liba.so")
        #expect(tree.object("./liba.so", manifest: "/m/x.toml") == "/m/./liba.so")
        #expect(tree.object("/o/liba.so", manifest: "/m/x.toml") == "/o/liba.so")
        #expect(tree.manifest("/m/x.toml") == "/m/x.toml")
    }

    @Test func tablesAlign() {
        var table = TextTable(["PID", "NAME"])
        table.add(["7", "sh"])
        table.add(["123", "a longer one"])
        #expect(table.text == "PID  NAME\n  7  sh\n123  a longer one\n")
    }

    @Test func aMissingNucleusIsNamed() {
        #expect {
            _ = try NucleusLibrary.open("/nonexistent/libNucleus.so")
        } throws: {
            "\($0)".hasPrefix("/nonexistent/libNucleus.so: cannot be opened: ")
        }
    }

    @Test func logLevelsByWord() {
        #expect(SiteLog.Level(word: "warning") == .warning)
        #expect(SiteLog.Level(word: "loud") == nil)
    }

    @Test func askingWhereNoSiteRuns() {
        #expect(throws: LoadError.self) { try ControlClient.ask(site: "no-such-site-\(getpid())", "ps") }
    }
}
