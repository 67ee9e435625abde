/// `Actor.guest` of a server in user privilege: the host process it lives in.
public protocol ServerHost: AnyObject, Sendable {
    /// The actor is being deleted: the host process has to go, and with it every call that is inside. The nucleus
    /// drains the actor's handlers afterwards.
    func actorDeleted()
    /// Hands it the descriptor of a local cache that it is about to map. K_OK, or why not.
    func send(cache: Int32, readOnly: Bool) -> Int32
}
