/// `Actor.guest` of a server in user privilege: the host process it lives in.
public protocol ServerHost: AnyObject, Sendable {
    /// The actor is being deleted: the host process has to go, and with it every call that is inside. The nucleus
    /// drains the actor's handlers afterwards.
    func actorDeleted()
}
