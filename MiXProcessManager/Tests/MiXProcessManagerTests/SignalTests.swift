import Testing

@testable import MiXProcessManager

@Test func standardSignalsArePendingOnce() {
    var queue = SignalQueue()
    #expect(queue.post(SignalInfo(signal: 10, code: 0)))
    #expect(queue.post(SignalInfo(signal: 10, code: 0)))
    #expect(queue.take(SignalSet(bits: .max))?.signal == 10)
    #expect(queue.take(SignalSet(bits: .max)) == nil)
}
