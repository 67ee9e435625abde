import CChorus

/// A call as the sites name it. The number is random: who does not know it can neither answer nor cancel the call.
struct WireCall: BitwiseCopyable, Hashable {
    /// 0: none, the message is asynchronous.
    var id: UInt64 = 0
    /// The client's site.
    var origin: UInt32 = 0
    private var pad: UInt32 = 0

    init() {}
    init(id: UInt64, origin: UInt32) { (self.id, self.origin) = (id, origin) }

    /// Whatever was in the gap.
    var named: WireCall { WireCall(id: id, origin: origin) }
}

/// A request or an asynchronous message; the annex and the body follow.
struct MessageFields: BitwiseCopyable {
    /// As the sender's nucleus stamped it.
    var head: KnMsgHead
    var call = WireCall()
    /// The port it is for; none: any member of the group `head.target` on the destination's site, as `mode` says.
    var port: KnUniqueId
    /// Longest answer that the client takes.
    var capacity: UInt32
    var mode: UInt32
    /// Epoch of the port's stay that the sender knew of; 0 if it went by the name alone.
    var believed: UInt32 = 0
    /// Sites that passed it on.
    var hops: UInt32 = 0

    static var mostHops: UInt32 { 64 }
}

/// The answer of a call; annex and body follow.
struct ReplyFields: BitwiseCopyable {
    var call: WireCall
    var size: UInt32
    var pad: UInt32 = 0
}

/// How a call ended without an answer, or (cancel) why its client has gone.
struct EndFields: BitwiseCopyable {
    var call: WireCall
    var code: Int32
    /// 0: nobody has had the request.
    var tried: UInt32 = 1
}

/// A call has been passed on to `site`, with its port, or after it; epoch of the port's stay there, 0 where that is not why.
struct PassedFields: BitwiseCopyable {
    var call: WireCall
    var site: UInt32
    var epoch: UInt32
}

/// Where a port is now, or (gone) until when it was there.
struct PlaceFields: BitwiseCopyable {
    var ui: KnUniqueId
    var site: UInt32
    var epoch: UInt32
}

/// Follows, on their way, all messages that `origin` has sent to a port; answered from where the port is.
struct FlushFields: BitwiseCopyable {
    var ui: KnUniqueId
    var token: UInt64
    var origin: UInt32
    /// Of the port's stay: as believed, or (flushed) as it is; 0 if there is no port.
    var epoch: UInt32
    var hops: UInt32 = 0
    var pad: UInt32 = 0
}

/// A site has members of a group, or has none any more.
struct GroupFields: BitwiseCopyable {
    var cap: KnCap
    var member: UInt32
    var pad: UInt32 = 0
}

/// A port is to migrate to an actor.
struct PrepareFields: BitwiseCopyable {
    var id: UInt64
    var ui: KnUniqueId
    var actor: KnCap
}

/// Answers of migration: a code, or the new LI.
struct MigrationFields: BitwiseCopyable {
    var id: UInt64
    var code: Int32
    var pad: UInt32 = 0
}

/// A message that migrates with its port, as MessageFields.
struct CarriedFields: BitwiseCopyable {
    var id: UInt64
    var message: MessageFields
}

/// The port is the other site's from now on; capabilities of its groups and the sites it has been at follow.
struct CommitFields: BitwiseCopyable {
    var id: UInt64
    var epoch: UInt32
    var protection: KnProtId
    var groups: UInt32
    var trail: UInt32
    var pad: UInt32 = 0
}
