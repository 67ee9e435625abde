import Testing

@testable import Manifest

/// The manifests that are shipped are good, and differ in privileges alone.
@Suite struct ShippedManifests {
    private static func load(_ name: String) throws -> Manifest {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return try Manifest.load("/\(root)/Manifests/\(name).toml")
    }

    @Test func privileges() throws {
        func privileges(_ name: String) throws -> [Privilege] { try Self.load(name).loadOrder().map(\.privilege) }
        #expect(try privileges("mix") == [.supervisor, .supervisor, .supervisor, .supervisor])
        #expect(try privileges("mix-user") == [.user, .user, .user, .user])
        #expect(try privileges("mix-mixed") == [.user, .supervisor, .supervisor, .supervisor])
    }

    @Test func sameObjectsInTheSameOrder() throws {
        let orders = try ["mix", "mix-user", "mix-mixed"].map { try Self.load($0).loadOrder().map(\.object) }
        let names = ["File", "Device", "Socket", "Process"]
        #expect(orders[0] == names.map { "libMiX\($0)Manager.so" })
        #expect(orders[1] == orders[0] && orders[2] == orders[0])
    }
}
