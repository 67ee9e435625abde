import ActorKit
import CChorus
import CDriverGuard
import CMiXDriver
import CMiXFile
import SimulatedBus

/// What the Device Manager is told: it makes the nodes. Never inside a call of a driver.
extension DriverServer {
    func announce(_ registration: Registration, isNew: Bool) {
        if registration.class_ == DRV_CLASS_BUS { return isNew ? attachRaw(registration) : () }
        guard isNew else { return tell(DEV_READY, registration) }
        let result = registration.announcement.begins {
            call(DEV_ATTACH, registration, body: Array(registration.name.utf8) + [0])
        }
        guard let result, result < 0 else { return }
        nucleus.sysLog(1, "\(registration.name): the Device Manager refuses it with errno \(-result)")
    }

    func announceEnd(_ registration: Registration) {
        if registration.class_ == DRV_CLASS_BUS { return detachRaw(registration) }
        registration.announcement.ends { _ = call(DEV_DETACH, registration) }
        if registration.link?.opener != nil { tell(DEV_READY, registration) }
        // Nobody reads what is no longer there; what was not written is lost, and its writers have been or will be told.
        registration.cache.invalidate()
    }

    /// The Device Manager's answer; 0 where there is none.
    private func call(_ op: UInt32, _ registration: Registration, body: [UInt8] = []) -> Int64 {
        guard var destination = devices(), port > 0 else { return 0 }
        let request = Self.request(op, registration)
        var reply = Annex<MixObjReply>(MixObjReply())
        var size: UInt32 = 0
        let result = request.withBytes { bytes in
            reply.withMutableBytes { replyBytes in
                nucleus.ipcCall(
                    port, &destination, K_FUNCMODE, bytes, body, UInt32(body.count), replyBytes, nil, &size, 0, 5000)
            }
        }
        return result >= 0 ? reply.value.diag : 0
    }

    /// `ready`: DRV_READY_*; 0 where it is not known.
    func tell(_ op: UInt32, _ registration: Registration, _ ready: UInt32 = 0) {
        let opener = registration.link?.opener
        guard var destination = opener.map({ KnIpcDest(target: $0, coTarget: KnUniqueId()) }) ?? devices(), port > 0
        else { return }
        var request = Self.request(op, registration)
        request.value.arg.2 = UInt64(ready)
        let result = request.withBytes { bytes in
            nucleus.ipcSend(port, &destination, K_FUNCMODE, bytes, nil, 0)
        }
        // Who opened it is gone, and did not close it.
        if result == K_EUNKNOWN, opener != nil {
            registration.link?.close()
            registration.close()
        }
    }

    private func devices() -> KnIpcDest? {
        var name = KnUniqueId()
        guard nucleus.grpName(K_STAMP_DEVICE, &name) >= 0 else { return nil }
        return KnIpcDest(target: name, coTarget: KnUniqueId())
    }

    private static func request(_ op: UInt32, _ registration: Registration) -> Annex<MixObjRequest> {
        var annex = Annex<MixObjRequest>(MixObjRequest())
        annex.value.op = op
        annex.value.arg.0 = registration.handle
        annex.value.arg.1 = UInt64(registration.class_)
        return annex
    }
}

/// That a device is there, and that it is gone, are told in this order, whoever is faster: one that has ended does not begin.
final class Announcement: @unchecked Sendable {
    // Sendable: what changes is behind the lock, which is held while the Device Manager answers, and inside no other.
    private let lock = Lock()
    private var hasBegun = false
    private var hasEnded = false

    /// nil: it has ended.
    func begins(_ tell: () -> Int64) -> Int64? {
        lock.with {
            guard !hasEnded else { return nil }
            hasBegun = true
            return tell()
        }
    }

    func ends(_ tell: () -> Void) {
        lock.with {
            if hasBegun, !hasEnded { tell() }
            hasEnded = true
        }
    }
}
