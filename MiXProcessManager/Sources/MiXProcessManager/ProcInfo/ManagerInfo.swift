import CChorus
import CMiXFile

/// /proc/1: the manager itself, which getppid(2) names to those who have no other parent.
extension ProcessManager {
    func managerInfo(_ request: MixObjRequest, _ reply: inout MixObjReply) throws(Errno) -> [UInt8] {
        let mayLook = request.cred.capabilities & MIX_CAP_ROOT != 0
        switch request.op {
        case PROC_TASKS: return withUnsafeBytes(of: Int32(1)) { Array($0) }
        case PROC_FDS:
            guard mayLook else { throw .EACCES }
            return []
        case PROC_OWNER:
            reply.value.0 = 0
            reply.value.1 = 0
            reply.value.2 = bootRealTime / 1_000_000_000
            return []
        case PROC_FILE: return try managerText(UInt32(truncatingIfNeeded: request.arg.2), mayLook)
        case PROC_LINK, PROC_KEY:
            guard mayLook else { throw .EACCES }
            throw .ENOENT
        default: throw .EPERM
        }
    }

    private func managerText(_ kind: UInt32, _ mayLook: Bool) throws(Errno) -> [UInt8] {
        var now = ProcessSnapshot()
        now.command = "MiX"
        now.group = 1
        now.session = 1
        now.start = bootTime
        now.exitSignal = Signal.chld
        now.ignored = SignalSet.allBits
        switch kind {
        case PROC_F_STAT: return Array(StatText.stat(now).utf8)
        case PROC_F_STATM: return Array(StatText.statm(now).utf8)
        case PROC_F_STATUS: return Array(StatusText.status(now).utf8)
        case PROC_F_CMDLINE: return []  // as a kernel thread: ps shows the name in brackets
        case PROC_F_LIMITS: return Array(LimitsText.limits(Limits()).utf8)
        case PROC_F_COMM: return Array("MiX\n".utf8)
        case PROC_F_OOM: return Array("-1000\n".utf8)
        case PROC_F_WCHAN: return Array("0".utf8)
        default:
            guard mayLook else { throw .EACCES }
            return []
        }
    }
}
