import CChorus
import Glibc
import ObjectNote

/// libNucleus.so, opened by its C ABI alone.
public struct NucleusLibrary: @unchecked Sendable {  // points to constant memory of an object that is never unmapped
    let boot: UnsafePointer<KnBoot>
    public let note: ObjectNote

    public static func open(_ file: String) throws -> NucleusLibrary {
        let note = try ObjectNote.check(file: file, kind: .nucleus, entry: K_BOOT_ENTRY)
        // NODELETE: a Swift object cannot be unmapped.
        guard let handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) else {
            throw LoadError("\(file): does not load: \(dlerror().map { String(cString: $0) } ?? "no reason given")")
        }
        guard let symbol = dlsym(handle, K_BOOT_ENTRY),
            let boot = unsafeBitCast(symbol, to: (@convention(c) () -> UnsafePointer<KnBoot>?).self)()
        else { throw LoadError("\(file): \(K_BOOT_ENTRY) gives no table") }
        guard boot.pointee.size >= UInt32(MemoryLayout<KnBoot>.size), boot.pointee.abiMajor == UInt16(K_ABI_MAJOR)
        else {
            throw LoadError(
                "\(file): offers ABI \(boot.pointee.abiMajor).\(boot.pointee.abiMinor) in \(boot.pointee.size) bytes; "
                    + "needed: ABI \(K_ABI_MAJOR).\(K_ABI_MINOR) in \(MemoryLayout<KnBoot>.size)")
        }
        return NucleusLibrary(boot: boot, note: note)
    }
}
