import CChorus
import Synchronization

extension Site {
    /// A new group whose key is random; the name follows from the key.
    func allocateGroup() -> Group {
        while true {
            let group = Group(newGroupCap())
            if groups.insert(group.cap.ui.raw, group) { return group }
        }
    }

    /// The capability of the static group of `stamp`. Its key is a keyed hash (SipHash-2-4) of the stamp under the
    /// domain's secret, so it is the same after every restart and on every site of the domain.
    func staticCap(_ type: UiType, _ stamp: UInt32) -> KnCap {
        let word = UInt64(type.rawValue) &<< 32 | UInt64(stamp)
        let key = KnKey(raw: SipHash.hash(secret.0, secret.1, word) | 1)
        return KnCap(ui: KnUniqueId(type, groupKey: key), key: key)
    }

    func staticGroup(_ type: UiType, _ stamp: UInt32) -> Group {
        let cap = staticCap(type, stamp)
        while true {
            if let group = groups.find(cap.ui.raw) { return group }
            let group = Group(cap)
            if groups.insert(cap.ui.raw, group) { return group }
        }
    }

    func group(_ cap: KnCap) throws(KnError) -> Group {
        guard let group = groups.find(cap.ui.raw) else { throw .unknown }
        guard group.cap.key == cap.key else { throw .privilege }
        return group
    }

    func insert(_ port: Port, _ group: Group) throws(KnError) {
        let result = port.withRoom { _, owner -> Int32 in
            if !owner.isPrivileged, port.groups.count >= Int(K_USR_GRPMAX) { return K_ENOMEM }
            guard group.insert(port) else { return K_EEXIST }
            port.groups.append(group)
            return K_OK
        }
        guard let result else { throw .unknown }
        sites.changed(group)
        if result != K_OK { throw KnError(rawValue: result) }
    }

    func remove(_ port: Port, _ group: Group) throws(KnError) {
        let found = port.withRoom { _, _ in
            port.groups.removeAll { $0 === group }
            return leave(port, group)
        }
        guard found == true else { throw .unknown }
    }
}
