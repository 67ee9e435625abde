/// What carries frames between sites. A link promises this: frames from one site to another arrive in the order in which
/// they were sent, each at most once, or else the link says that the site is down. It is not trusted with more: what
/// arrives is checked, and what was lost or repeated is noticed.
public protocol SiteLink: AnyObject, Sendable {
    /// Takes a frame for `site` and returns at once. Called with locks of the nucleus held: it may neither wait, nor call
    /// the site, nor deliver on the calling thread. `pressing` frames are answers and whatever else keeps the others
    /// going: no load is a reason to refuse them.
    func send(_ frame: Frame, to site: UInt32, pressing: Bool) -> LinkResult

    /// Frames from `site` have been lost. The link tells both sides that the other is down, and up again once it is.
    func reset(_ site: UInt32)

    /// The site leaves; the others are told that it is down.
    func close()
}

public enum LinkResult: Sendable { case sent, full, down }

/// What a link tells the site that opened it: one thing after the other, on a thread of the nucleus, as
/// `Sites.siteUp`, `Sites.siteDown` and `Sites.deliver`.
enum LinkEvent: Sendable {
    case up(UInt32)
    case down(UInt32)
    case frame(Frame, from: UInt32)
}
