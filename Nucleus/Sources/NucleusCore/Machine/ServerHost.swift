/// `Actor.guest` of a server in user privilege: the host process it lives in.
public protocol ServerHost: AnyObject, Sendable {
    /// The actor is deleted: the host process has to go. Handlers are drained by then.
    func actorDeleted()
}
