import CChorus
import Manifest
import ObjectNote

/// What a manifest comes to in this tree: objects found and checked, options put together, in load order.
public struct LoadPlan: Sendable {
    public struct Step: Sendable {
        public var entry: ActorEntry
        public var object: String
        public var note: ObjectNote
        public var options: String
    }

    public var manifest: Manifest
    public var steps: [Step]

    public init(_ manifest: Manifest, tree: InstallTree) throws {
        self.manifest = manifest
        steps = []
        for entry in try manifest.loadOrder() {
            let object = tree.object(entry.object, manifest: manifest.file)
            do {
                let note = try ObjectNote.check(file: object, kind: .server, entry: K_ACTOR_ENTRY)
                steps.append(
                    Step(entry: entry, object: object, note: note, options: Self.options(entry, manifest, tree: tree)))
            } catch {
                let place = entry.objectPlace
                throw LoadError("\(place.file):\(place.line): \(place.key): \(error)")
            }
        }
    }

    /// "key=value" lines sorted by key; the File Manager's hold the mounts as `mount.000=/at type source options`.
    static func options(_ entry: ActorEntry, _ manifest: Manifest, tree: InstallTree) -> String {
        var all = entry.options
        if entry.group?.stamp == K_STAMP_FILE {
            for (index, mount) in manifest.mounts.enumerated() {
                let number = String(1000 + index).dropFirst()
                let words = [mount.at, mount.type, mount.source, mount.options]
                all["mount.\(number)"] = words.filter { !$0.isEmpty }.joined(separator: " ")
            }
        }
        if entry.group?.stamp == K_STAMP_DRIVER {
            for (index, var device) in manifest.devices.enumerated() {
                for key in DeviceEntry.paths {
                    device.settings[key] = device.settings[key].map { tree.beside(manifest.file, $0) }
                }
                all["device.\(String(1000 + index).dropFirst())"] = device.line
            }
        }
        return all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
    }
}
