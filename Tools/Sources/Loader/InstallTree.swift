import CToolHost
import Glibc

/// The relocatable tree that this executable belongs to: bin/, lib/, manifests/ side by side.
public struct InstallTree: Sendable {
    public let root: String

    public var library: String { root + "/lib" }
    public var programs: String { root + "/bin" }
    public var manifests: String { root + "/manifests" }
    public var nucleus: String { library + "/libNucleus.so" }
    public var zygote: String { library + "/chorus-zygote" }
    public var actorHost: String { programs + "/chorus-actor-host" }

    public init(root: String) { self.root = root }

    /// The tree around the running executable.
    public static func here() throws(LoadError) -> InstallTree {
        guard let path = Self.executable() else { throw LoadError("/proc/self/exe cannot be read: is /proc mounted?") }
        let parts = path.split(separator: "/").dropLast(2)
        return InstallTree(root: "/" + parts.joined(separator: "/"))
    }

    public static func executable() -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = tool_executable(&buffer, UInt(buffer.count))
        return length > 0 ? String(decoding: buffer[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }

    /// The file of a manifest's `object`: a bare name stands in lib/, a path is taken from the manifest's directory.
    public func object(_ name: String, manifest: String) -> String {
        if name.hasPrefix("/") { return name }
        if !name.contains("/") { return library + "/" + name }
        return beside(manifest, name)
    }

    /// The file of a manifest's `[[driver]]`: a bare name stands in drivers/, a path is taken from the manifest's directory.
    public func driver(_ name: String, manifest: String) -> String {
        name.contains("/") ? beside(manifest, name) : root + "/drivers/" + name
    }

    public func beside(_ manifest: String, _ name: String) -> String {
        if name.hasPrefix("/") { return name }
        return absolute(manifest).split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/" + name
    }

    private func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let raw = getcwd(nil, 0) else { return path }
        defer { free(raw) }
        return String(cString: raw) + "/" + path
    }

    /// A manifest by path, or by the bare name of a shipped one ("mix-user").
    public func manifest(_ name: String) -> String {
        if name.contains("/") || name.hasSuffix(".toml") && access(name, F_OK) == 0 { return name }
        let shipped = manifests + "/" + name + (name.hasSuffix(".toml") ? "" : ".toml")
        return access(shipped, F_OK) == 0 ? shipped : name
    }
}
