import CChorus
import Testing

@testable import KnLane

@Suite struct PlanTests {
    @Test func everySignatureHasAPlan() throws {
        let plans = try #require(CallPlans())
        #expect(CallPlans.callCount == kn_test_call_count())
        #expect(plans.call(named: "actorCreate") == 0)
        #expect(plans.call(named: "sysTraceRead") == 90)  // the last of ABI 1.0
        #expect(plans.call(named: "sysTr") == nil)
    }

    /// The number of members behind `self`, as the signatures count them.
    private func kn_test_call_count() -> Int {
        var count = 0
        while kn_nucleus_signature(UInt32(count)) != nil { count += 1 }
        return count
    }
}
