import ActorKit
import CChorus

/// Asks the site's Actor Manager to load an actor, and to end one (chorus/knActorManager.h).
struct ActorManagerClient {
    let nucleus: Nucleus

    struct Refusal: Error { let why: String }

    /// An actor without privileges, in a host process of its own.
    func load(_ name: String, object: String, options: String) -> Result<(cap: KnCap, hostPid: Int32), Refusal> {
        var request = KnAmRequest()
        request.op = K_AM_LOAD
        request.privilege = K_USERACTOR | K_LOAD_UNPRIVILEGED
        let (code, reply, why) = ask(request, [name, object, options])
        if code >= 0, reply.result >= 0 { return .success((reply.cap, reply.hostPid)) }
        if code < 0 { return .failure(Refusal(why: "nobody loads actors on this site (\(code))")) }
        return .failure(Refusal(why: why.isEmpty ? "it cannot be loaded (\(reply.result))" : why))
    }

    func unload(_ cap: KnCap) {
        var request = KnAmRequest()
        request.op = K_AM_UNLOAD
        request.cap = cap
        _ = ask(request, [])
    }

    private func ask(_ request: KnAmRequest, _ texts: [String]) -> (code: Int32, reply: KnAmReply, why: String) {
        var destination = KnIpcDest()
        let named = nucleus.grpName(K_STAMP_ACTOR, &destination.target)
        guard named >= 0 else { return (named, KnAmReply(), "") }
        let body = texts.reduce(into: [UInt8]()) { $0 += Array($1.utf8) + [0] }
        let annex = Annex(request)
        var reply = Annex(KnAmReply())
        var room = [UInt8](repeating: 0, count: 256)
        var size = UInt32(room.count)
        let code = annex.withBytes { bytes in
            reply.withMutableBytes { replyBytes in
                nucleus.ipcCall(
                    K_DEFAULTPORT, &destination, K_FUNCMODE, bytes, body, UInt32(body.count), replyBytes, &room, &size,
                    0,
                    30_000)
            }
        }
        return (code, reply.value, code >= 0 ? String(decoding: room.prefix(Int(size)), as: UTF8.self) : "")
    }
}
