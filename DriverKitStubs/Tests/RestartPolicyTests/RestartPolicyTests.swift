import RestartPolicy
import Testing

@Suite struct RestartPolicyTests {
    @Test func neverIsNever() {
        var policy = RestartPolicy(most: 0)
        #expect(!policy.restarts(after: .max))
        #expect(policy.next(after: .max) == nil)
    }

    @Test func waitsGrowToABound() {
        var policy = RestartPolicy(most: .max)
        let waits = (0..<100).map { _ in policy.next(after: 0) ?? 0 }
        #expect(waits[..<5] == [100, 200, 400, 800, 1600])
        #expect(waits[9...].allSatisfy { $0 == RestartPolicy.mostDelay })
        #expect(waits == waits.sorted())
    }

    @Test func givesUpAfterSoManyInARow() {
        var policy = RestartPolicy(most: 3)
        #expect((0..<3).allSatisfy { _ in policy.restarts(after: 1) && policy.next(after: 1) != nil })
        #expect(!policy.restarts(after: 1))
        #expect(policy.next(after: 1) == nil)
    }

    @Test func aLongLifeForgives() {
        var policy = RestartPolicy(most: 2)
        _ = policy.next(after: 0)
        _ = policy.next(after: 0)
        #expect(policy.next(after: RestartPolicy.longLife) == RestartPolicy.firstDelay)
        #expect(policy.inARow == 1)
    }

    @Test(arguments: [("never", 0), ("always", UInt64.max), ("3", 3)])
    func words(_ text: String, _ most: UInt64) { #expect(RestartPolicy(text[...])?.most == most) }

    @Test(arguments: ["", "-1", "often", "3 times"])
    func noWords(_ text: String) { #expect(RestartPolicy(text[...]) == nil) }
}
