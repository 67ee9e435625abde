import CChorus
import Glibc
import Manifest

/// `chorus move`: a server goes on in the other privilege.
extension Site {
    /// One line that says what was done.
    func move(_ name: String, to privilege: String) throws(LoadError) -> String {
        guard let server = loaded.first(where: { $0.entry.name == name }) else {
            throw LoadError("no server \"\(name)\"; there are \(loaded.map(\.entry.name).joined(separator: ", "))")
        }
        let target: Privilege
        switch privilege {
        case "user": target = .user
        case "supervisor": target = .supervisor
        default: throw LoadError("a server is moved to user or to supervisor, not to \"\(privilege)\"")
        }
        if server.entry.privilege == target { return "\(name) is in \(privilege) privilege already\n" }
        var (cap, now) = (server.cap, KnCap())
        var why = [CChar](repeating: 0, count: 256)
        let began = monotonic()
        let result =
            boot.pointee.actorMove?(
                handle, &cap, target == .user ? K_USERACTOR : K_SUPACTOR, &now, &why, UInt32(why.count)) ?? K_ENOSYS
        if result < 0 {
            let reason = String(decoding: why.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw LoadError("\(reason.isEmpty ? name : reason): it goes on as it was, \(nucleusCode(result))")
        }
        var entry = server.entry
        entry.privilege = target
        replace(server.cap, by: Loaded(entry: entry, cap: now))
        let tenths = (monotonic() - began) / 100_000
        return "\(name) is in \(privilege) privilege now, after \(tenths / 10).\(tenths % 10) ms\n"
    }

    private func monotonic() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
