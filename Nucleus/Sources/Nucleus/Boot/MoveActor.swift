import CChorus
import NucleusCore

/// `chorus move`: a server goes on as another instance of itself, in the same or the other privilege.
extension BootSite {
    /// How often, and for how long each time (milliseconds), it is waited for that nobody is inside the server. Between two
    /// tries its clients are let in: one inside may wait for what only another request to the server brings.
    private static var tries: Int { 8 }
    private static var patience: Int32 { 400 }
    private static var gap: UInt64 { 100_000_000 }

    func move(_ server: any LoadedActor, to privilege: Int32) -> Result<any LoadedActor, Refusal> {
        guard let last = beginMove(server) else {
            return .failure(Refusal(code: K_EBUSY, why: "\(server.actor.name): is being moved already"))
        }
        defer { endMove(server) }
        let request = LoadRequest(last, privilege: privilege)
        if !last.isSystem && privilege == K_SUPACTOR {
            return .failure(Refusal(code: K_EPRIV, why: "\(last.name): an unprivileged actor stays a user actor"))
        }
        let old = server.actor
        if old.hasChildren {
            return .failure(
                Refusal(code: K_EBUSY, why: "\(last.name): has actors of its own, which only this instance knows"))
        }
        guard rest(old) else {
            return .failure(Refusal(code: K_EBUSY, why: "\(last.name): requests do not come to an end"))
        }
        switch successor(of: server, request) {
        case .failure(let refusal):
            old.resume()
            return .failure(refusal)
        case .success(let next):
            site.handOverPorts(from: old, to: next.actor)
            // It lets go of what it did not export; its clients are the other one's already.
            let code = server.operate(.shutdown, [])
            if code < 0, code != K_ENOSYS { site.report(1, "\(last.name): its last instance ended with \(code)") }
            site.handOverSegments(from: old, to: next.actor)
            forget(server)
            next.actor.resume()
            site.deleteActor(old)
            return .success(next)
        }
    }

    /// Paused and empty; or as before, and false.
    private func rest(_ actor: Actor) -> Bool {
        for _ in 0..<Self.tries {
            actor.pause()
            if actor.drain(milliseconds: Self.patience) { return true }
            actor.resume()
            if actor.isDeleted { return false }
            actor.nap(nanoseconds: Self.gap)
        }
        return false
    }

    /// A paused instance that has the state of `server`.
    private func successor(of server: any LoadedActor, _ request: LoadRequest) -> Result<any LoadedActor, Refusal> {
        let state: [[UInt8]]
        switch export(server) {
        case .success(let messages): state = messages
        case .failure(let refusal): return .failure(refusal)
        }
        let made = instance(request, after: server.actor)
        guard case .success(let next) = made else { return made }
        let (code, number) = take(state, next)
        guard code >= 0 else {
            let why =
                code == K_ENOSYS
                ? "\(request.name): takes no state" : "\(request.name): message \(number) of its state is not taken"
            _ = unload(next)
            return .failure(Refusal(code: code, why: why))
        }
        return .success(next)
    }

    private func export(_ server: any LoadedActor) -> Result<[[UInt8]], Refusal> {
        let name = server.actor.name
        var messages: [[UInt8]] = []
        var buffer = [UInt8](repeating: 0, count: Int(K_CMSGSIZEMAX))
        while true {
            var size = K_CMSGSIZEMAX
            let code = buffer.withUnsafeMutableBytes { bytes in
                withUnsafeMutablePointer(to: &size) { size in
                    server.operate(
                        .stateExport, [UInt64(messages.count), Self.slot(bytes.baseAddress), Self.slot(size)])
                }
            }
            guard code >= 0, size <= K_CMSGSIZEMAX else {
                let why =
                    code == K_ENOSYS
                    ? "\(name): exports no state" : "\(name): message \(messages.count) of its state is not given"
                return .failure(Refusal(code: code < 0 ? code : K_EHOST, why: why))
            }
            if size == 0 { return .success(messages) }
            messages.append(Array(buffer.prefix(Int(size))))
        }
    }

    /// The first code below 0, and of which message; the last message is empty.
    private func take(_ state: [[UInt8]], _ server: any LoadedActor) -> (code: Int32, message: Int) {
        for (number, message) in (state + [[]]).enumerated() {
            let code = message.withUnsafeBytes { bytes in
                server.operate(.stateImport, [UInt64(number), Self.slot(bytes.baseAddress), UInt64(bytes.count)])
            }
            if code < 0 { return (code, number) }
        }
        return (K_OK, state.count)
    }

    private static func slot(_ pointer: UnsafeRawPointer?) -> UInt64 { UInt64(UInt(bitPattern: pointer)) }
}
