import Testing
@testable import NucleusCore
@Test func placeholder() { #expect(true) }
