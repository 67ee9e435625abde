import CChorus

/// Names of nucleus results, for messages to people.
public func nucleusCode(_ code: Int32) -> String {
    switch code {
    case K_OK: "K_OK"
    case K_EINVAL: "K_EINVAL (bad argument)"
    case K_ENOMEM: "K_ENOMEM (out of memory or over a limit)"
    case K_EBUSY: "K_EBUSY (in use)"
    case K_EFAULT: "K_EFAULT (bad address)"
    case K_EABORT: "K_EABORT (aborted)"
    case K_EPRIV: "K_EPRIV (not privileged)"
    case K_EUNKNOWN: "K_EUNKNOWN (no such object)"
    case K_ETIMEOUT: "K_ETIMEOUT (the delay is over)"
    case K_EFULL: "K_EFULL (queue full)"
    case K_EDEADSERVER: "K_EDEADSERVER (the server died)"
    case K_EPORTDELETED: "K_EPORTDELETED (the port was deleted)"
    case K_EMIGRATED: "K_EMIGRATED (the port moved)"
    case K_ETOOBIG: "K_ETOOBIG (too big)"
    case K_ENOSYS: "K_ENOSYS (not in this nucleus)"
    case K_EEXIST: "K_EEXIST (already taken)"
    case K_ENOMSG: "K_ENOMSG (no message)"
    case K_EUNREACHABLE: "K_EUNREACHABLE (no member of the group can be reached)"
    case K_EHOST: "K_EHOST (the host refused)"
    case K_ELINKFAILURE: "K_ELINKFAILURE (the link to another site failed)"
    case K_EDEADACTOR: "K_EDEADACTOR (the actor's host process is gone)"
    default: "code \(code)"
    }
}
