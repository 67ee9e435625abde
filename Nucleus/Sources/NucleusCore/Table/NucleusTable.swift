import CChorus

/// Fills the table of nucleus calls of an actor. Each entry finds its actor in `self` and goes on in Swift.
enum NucleusTable {
    static func fill(_ table: UnsafeMutablePointer<KnNucleus>, for actor: Actor) {
        table.initialize(to: KnNucleus())
        table.pointee.size = UInt32(MemoryLayout<KnNucleus>.size)
        table.pointee.abiMajor = UInt16(K_ABI_MAJOR)
        table.pointee.abiMinor = UInt16(K_ABI_MINOR)
        table.pointee.`self` = Unmanaged.passUnretained(actor).toOpaque()
    }

    /// Runs `body` with the actor that `me` names; a thrown error becomes the call's result.
    @inline(__always)
    static func call(_ me: UnsafeMutableRawPointer?, _ body: (Actor) throws(KnError) -> Int32) -> Int32 {
        guard let me else { return K_EINVAL }
        return Unmanaged<Actor>.fromOpaque(me)._withUnsafeGuaranteedRef { actor in
            do throws(KnError) { return try body(actor) } catch { return error.rawValue }
        }
    }
}
