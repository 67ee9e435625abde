import CChorus

/// A failed nucleus call: one of the `K_E*` codes of `knErrors.h`.
public struct KnError: RawRepresentable, Error, Hashable, Sendable {
    public let rawValue: Int32
    @inlinable public init(rawValue: Int32) { self.rawValue = rawValue }

    public static var invalid: KnError { KnError(rawValue: K_EINVAL) }
    public static var noMemory: KnError { KnError(rawValue: K_ENOMEM) }
    public static var busy: KnError { KnError(rawValue: K_EBUSY) }
    public static var fault: KnError { KnError(rawValue: K_EFAULT) }
    public static var aborted: KnError { KnError(rawValue: K_EABORT) }
    public static var privilege: KnError { KnError(rawValue: K_EPRIV) }
    public static var unknown: KnError { KnError(rawValue: K_EUNKNOWN) }
    public static var timeout: KnError { KnError(rawValue: K_ETIMEOUT) }
    public static var full: KnError { KnError(rawValue: K_EFULL) }
    public static var deadServer: KnError { KnError(rawValue: K_EDEADSERVER) }
    public static var portDeleted: KnError { KnError(rawValue: K_EPORTDELETED) }
    public static var migrated: KnError { KnError(rawValue: K_EMIGRATED) }
    public static var tooBig: KnError { KnError(rawValue: K_ETOOBIG) }
    public static var notProvided: KnError { KnError(rawValue: K_ENOSYS) }
    public static var exists: KnError { KnError(rawValue: K_EEXIST) }
    public static var noMessage: KnError { KnError(rawValue: K_ENOMSG) }
    public static var unreachable: KnError { KnError(rawValue: K_EUNREACHABLE) }
    public static var host: KnError { KnError(rawValue: K_EHOST) }
    public static var linkFailure: KnError { KnError(rawValue: K_ELINKFAILURE) }
    public static var deadActor: KnError { KnError(rawValue: K_EDEADACTOR) }
}
