import CChorus
import NucleusCore
import Synchronization

extension BootSite {
    /// siteJoin. Whoever is joined with others already brings them along.
    static func join(_ one: BootSite, _ other: BootSite) -> Int32 {
        guard one !== other else { return K_EINVAL }
        let (first, second) = (one.net.withLock { $0 }, other.net.withLock { $0 })
        if let first, let second { return first === second ? K_EEXIST : K_EBUSY }
        let net = first ?? second ?? InProcessNet()
        for site in [one, other] {
            let code = site.enter(net)
            if code < 0 { return code }
        }
        return K_OK
    }

    /// K_OK if it is in.
    private func enter(_ net: InProcessNet) -> Int32 {
        let now = self.net.withLock { own -> Int32? in
            if let own { return own === net ? K_OK : K_EBUSY }
            own = net
            return nil
        }
        if let now { return now }
        let code = net.join(site)
        if code == K_EEXIST { self.net.withLock { $0 = nil } }
        return code
    }
}
