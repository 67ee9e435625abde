import ActorKit
import CChorus
import Synchronization

@testable import NucleusCore

/// Some sites of one process, joined with each other.
final class Joined: Sendable {
    let net = InProcessNet()
    let benches: [Bench]

    init(_ count: Int = 2) {
        benches = (1...count).map { Bench(number: UInt32($0)) }
        for bench in benches { precondition(net.join(bench.site) == K_OK) }
    }

    var a: Bench { benches[0] }
    var b: Bench { benches[1] }

    /// Ends what two sites know of each other, and lets them begin anew.
    func restart(_ one: Int, _ other: Int) -> Bool {
        let (a, b) = (UInt32(one), UInt32(other))
        let (sites, others) = (benches[one - 1].site.sites, benches[other - 1].site.sites)
        guard let sites, let others else { return false }
        // Another new start may be under way.
        guard eventually({ sites.isUp(b) && others.isUp(a) }), net.cut(a, b) else { return false }
        guard eventually({ !sites.isUp(b) && !others.isUp(a) }), net.heal(a, b) else { return false }
        return eventually { sites.isUp(b) && others.isUp(a) }
    }
}

/// Whom an abort is for.
extension Bench {
    func blocked(_ actor: Actor, _ call: String) -> KnThreadLid {
        site.threads.all.first { $0.actor === actor && $0.blockedOn == call }?.li ?? -1
    }

    /// Calls out and in that have not ended.
    var remoteCalls: Int { site.sites.state.withLock { $0.calls.count + $0.served.count } }
}

extension Nucleus {
    /// With whole buffers: what came back, annex first.
    func callWhole(
        _ target: KnUniqueId, annex: [UInt8], body: [UInt8], capacity: Int, mode: UInt32 = K_FUNCMODE
    ) -> (code: Int32, annex: [UInt8], body: [UInt8]) {
        var dest = KnIpcDest(target: target, coTarget: KnUniqueId())
        var replyAnnex = [UInt8](repeating: 0xee, count: Int(K_CMSGANNEXSIZE))
        var reply = [UInt8](repeating: 0, count: capacity + 1)
        var size = UInt32(capacity)
        let code = ipcCall(
            0, &dest, mode, annex, body, UInt32(body.count), &replyAnnex, &reply, &size, 0, -1)
        return (code, replyAnnex, code == K_OK ? Array(reply.prefix(Int(size))) : [])
    }
}
