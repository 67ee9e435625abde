import Testing

@testable import Manifest

@Suite struct LoadOrderTests {
    private func manifest(_ actors: [(String, String, [String])]) throws -> Manifest {
        var text = ManifestTests.head
        for (name, group, needs) in actors {
            text += "[[actor]]\nname = \"\(name)\"\nobject = \"x.so\"\ngroup = \"\(group)\"\nneeds = \(needs)\n"
        }
        return try Manifest.parse(text, file: "m.toml")
    }

    @Test func needsComeFirst() throws {
        let order = try manifest([("pm", "PROCESS", ["FILE", "dm"]), ("dm", "DEVICE", ["FILE"]), ("fm", "FILE", [])])
            .loadOrder().map(\.name)
        #expect(order == ["fm", "dm", "pm"])
    }

    @Test func withoutNeedsTheManifestsOrderStays() throws {
        let order = try manifest([("c", "CCCC", []), ("a", "AAAA", []), ("b", "BBBB", [])]).loadOrder().map(\.name)
        #expect(order == ["c", "a", "b"])
    }

    @Test func circlesAreNamed() {
        #expect {
            try manifest([("a", "AAAA", ["b"]), ("b", "BBBB", ["c"]), ("c", "CCCC", ["b"])])
        } throws: { error in
            "\(error)".hasPrefix("m.toml:13: actor \"c\".needs: ") == false
                && "\(error)".contains("goes round in a circle: b needs c needs b; ")
        }
        #expect(throws: ManifestError.self) { try manifest([("a", "AAAA", ["a"])]) }
    }
}
