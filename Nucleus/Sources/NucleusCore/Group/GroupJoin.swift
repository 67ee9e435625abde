import CChorus
import Synchronization

/// Membership for actors without privileges, who may ask for any number of groups: a group of theirs exists while it has
/// members, and a port can be in so many.
extension Site {
    func newGroupCap() -> KnCap {
        let key = KnKey(raw: host.random64() | 1)
        return KnCap(ui: KnUniqueId(.dynamicGroup, groupKey: key), key: key)
    }

    /// Who has the key may make the group: the name follows from it.
    func join(_ port: Port, _ cap: KnCap) throws(KnError) {
        guard let type = cap.ui.type, type.isGroup else { throw .unknown }
        while true {
            let group = try joinable(cap, type)
            do throws(KnError) { return try insert(port, group) } catch {
                guard error == .exists, group.isRetired else {
                    if group.retireIfEmpty() { groups.remove(cap.ui.raw, group) }
                    throw error
                }
                groups.remove(cap.ui.raw, group)
            }
        }
    }

    private func joinable(_ cap: KnCap, _ type: UiType) throws(KnError) -> Group {
        while true {
            if let group = groups.find(cap.ui.raw) {
                guard group.cap.key == cap.key else { throw .privilege }
                return group
            }
            guard KnUniqueId(type, groupKey: cap.key) == cap.ui else { throw .unknown }
            let group = Group(cap, transient: true)
            if groups.insert(cap.ui.raw, group) { return group }
        }
    }

    /// False if the port was not in.
    @discardableResult func leave(_ port: Port, _ group: Group) -> Bool {
        let was = group.remove(port)
        if group.retireIfEmpty() { groups.remove(group.cap.ui.raw, group) }
        sites.changed(group)
        return was
    }
}
