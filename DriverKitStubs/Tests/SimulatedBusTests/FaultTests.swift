import Testing

@testable import SimulatedBus

@Test func faultsAreReproducible() throws {
    let first = try #require(Faults("seed:7,read-error:100"))
    let second = try #require(Faults("seed:7,read-error:100"))
    let strikes = (0..<1000).map { _ in first.strikes(.readError) }
    #expect(strikes == (0..<1000).map { _ in second.strikes(.readError) })
    #expect((50...150).contains(strikes.count { $0 }))
    #expect(!first.strikes(.writeError))
    for bad in ["x", "read-error", "read-error:1001", "nothing:1", "seed:x"] { #expect(Faults(bad) == nil) }
}
