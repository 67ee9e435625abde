import CChorus
import CLane
import Glibc

/// Programs that are installed together with libNucleus.so.
enum Neighbours {
    /// `given` if there is one, else `name` beside this library or in ../bin.
    static func find(_ name: String, _ given: UnsafePointer<CChar>?) -> String? {
        if let given { return String(cString: given) }
        guard let directory = ownDirectory() else { return nil }
        for path in ["\(directory)/\(name)", "\(directory)/../bin/\(name)"] where access(path, X_OK) == 0 {
            return path
        }
        return nil
    }

    private static func ownDirectory() -> String? {
        let entry: @convention(c) () -> UnsafePointer<KnBoot>? = bootEntry
        guard let file = kn_lane_object(unsafeBitCast(entry, to: UnsafeRawPointer.self)) else { return nil }
        let path = String(cString: file)
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return String(path[..<slash])
    }
}
