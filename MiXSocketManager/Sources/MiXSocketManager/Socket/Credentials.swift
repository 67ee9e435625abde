import CMiXFile

/// Who is at the other end (struct ucred).
struct Credentials: Equatable {
    var pid: Int32
    var uid: UInt32
    var gid: UInt32

    init(_ cred: MixCred) { (pid, uid, gid) = (cred.pid, cred.uid, cred.gid) }
    init(pid: Int32, uid: UInt32, gid: UInt32) { (self.pid, self.uid, self.gid) = (pid, uid, gid) }

    /// What is told where nobody is known.
    static let nobody = Credentials(pid: 0, uid: 65534, gid: 65534)
}
