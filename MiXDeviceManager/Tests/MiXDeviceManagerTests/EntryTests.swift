import CChorus
import CMiXDevice
import CMiXFile
import Testing

@testable import MiXDeviceManager

@Suite struct EntryTests {
    @Test func entryFillsTheOperations() {
        let fake = FakeNucleus()
        var args = KnActorArgs()
        args.size = UInt32(MemoryLayout<KnActorArgs>.size)
        args.groupStamp = K_STAMP_DEVICE
        var ops = KnActorOps()
        #expect(deviceManagerMain(fake.table, &args, &ops) == K_OK)
        #expect(ops.heartbeat?(ops.instance) == K_OK)
        #expect(ops.started?(ops.instance) == K_OK)
        #expect(fake.with { $0.nodes["zero"] } == deviceKey(1, 5))
        #expect(ops.shutdown?(ops.instance) == K_OK)
        #expect(fake.with { $0.handler == nil })
        #expect(deviceManagerMain(nil, &args, &ops) == K_EINVAL)
    }

    @Test func structsHaveTheirSizes() {
        #expect(MemoryLayout<TermiosImage.Short>.size == 36)
        #expect(MemoryLayout<TermiosImage>.size == 44)
        #expect(MemoryLayout<Terminal.Window>.size == 8)
        #expect(MemoryLayout<MixObjRequest>.size <= 256)
    }
}
