import CChorus
import CMiXFile
import Glibc
import Manifest
import Testing

@testable import Loader

/// The built servers on a real nucleus, through kn_boot alone: the state of each goes from one instance to the next.
@Suite(.serialized) struct StateTests {
    /// `build/` of this tree, which `make unit` has made before.
    static let tree: InstallTree = {
        if let given = getenv("CHORUS_BUILD") { return InstallTree(root: String(cString: given)) }
        return InstallTree(root: #filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 } + "/build")
    }()

    static func plan(_ privilege: String) throws -> LoadPlan {
        var text = "[subsystem]\nname = \"state\"\n"
        for (name, object, group) in [
            ("files", "libMiXFileManager.so", "FILE"), ("devices", "libMiXDeviceManager.so", "DEVICE"),
            ("processes", "libMiXProcessManager.so", "PROCESS"),
        ] {
            text += "[[actor]]\nname = \"\(name)\"\nobject = \"\(object)\"\ngroup = \"\(group)\"\n"
            text += "privilege = \"\(privilege)\"\n"
        }
        for (place, type) in [("/", "tmpfs"), ("/dev", "devfs")] {
            text += "[[mount]]\nat = \"\(place)\"\ntype = \"\(type)\"\n"
        }
        return try LoadPlan(Manifest.parse(text, file: "state.toml"), tree: tree)
    }

    func file(_ site: Site, _ op: UInt32, _ path: String) throws -> Int64 {
        var request = MixObjRequest()
        request.op = op
        request.arg.2 = op == UInt32(FILE_MKDIR) ? 0o755 : 0
        request.cred.capabilities = UInt32(MIX_CAP_ROOT)
        return try site.call(K_STAMP_FILE, request, body: Array(path.utf8) + [0]).reply.diag
    }

    @Test(arguments: ["supervisor", "user"]) func stateOutlivesTheInstance(_ privilege: String) throws {
        let library = try NucleusLibrary.open(Self.tree.nucleus)
        let site = try Site(library: library, name: "state", tree: Self.tree, log: SiteLog(level: .warning))
        defer { site.close() }
        let plan = try Self.plan(privilege)
        for step in plan.steps { try site.load(step.entry, object: step.object, options: step.options) }
        try site.started()
        for server in site.loaded { #expect(site.heartbeat(server.cap) == K_OK, "\(server.entry.name)") }
        #expect(try file(site, UInt32(FILE_MKDIR), "/made") >= 0)
        var window = MixObjRequest()
        window.op = 302  // DEV_CONSOLE_WINSIZE
        window.arg.0 = 33 << 16 | 77
        _ = try site.call(K_STAMP_DEVICE, window)

        for step in plan.steps {
            let old = try #require(site.loaded.first { $0.entry.name == step.entry.name })
            let state = try site.exportState(old.cap)
            #expect(!state.isEmpty, "\(step.entry.name)")
            #expect(throws: LoadError.self) { try site.importState(old.cap, [[1, 2, 3]]) }
            try site.unload(old.cap)
            #expect(site.heartbeat(old.cap) < 0, "it is gone")
            try site.load(step.entry, object: step.object, options: step.options)
            let new = try #require(site.loaded.last)
            if step.entry.name == "files" { #expect(try file(site, UInt32(FILE_ACCESS), "/made") == -Int64(ENOENT)) }
            try site.importState(new.cap, state)
            if step.entry.name == "devices" { #expect(try site.exportState(new.cap) == state, "the same window") }
            if step.entry.name == "processes" { #expect(try site.exportState(new.cap) == state, "the same table") }
        }
        #expect(try file(site, UInt32(FILE_ACCESS), "/made") >= 0)
    }
}
