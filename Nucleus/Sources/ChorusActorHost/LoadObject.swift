import CChorus
import CLane
import Glibc

extension ActorHost {
    /// The call of `kn_lane_main_signature`: object, name, options, generation, groupStamp, ops, why.
    func loadObject(_ slots: UnsafeMutablePointer<UInt64>) -> Int32 {
        func pointer(_ index: Int) -> UnsafeMutableRawPointer? { .init(bitPattern: UInt(slots[index])) }
        guard let object = pointer(0), let name = pointer(1), let options = pointer(2), let ops = pointer(5),
            let why = pointer(6), let table
        else { return K_EINVAL }
        // Never unmapped: a Swift object cannot be.
        let handle = dlopen(object.assumingMemoryBound(to: CChar.self), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)
        guard let handle, let entry = dlsym(handle, K_ACTOR_ENTRY) else {
            let room = Int(KN_LANE_WHY)
            if let message = dlerror() { strncpy(why.assumingMemoryBound(to: CChar.self), message, room - 1) }
            return K_EHOST
        }
        var args = KnActorArgs()
        args.size = UInt32(MemoryLayout<KnActorArgs>.size)
        args.privilege = UInt32(K_USERACTOR)
        args.name = UnsafePointer(name.assumingMemoryBound(to: CChar.self))
        args.options = UnsafePointer(options.assumingMemoryBound(to: CChar.self))
        args.generation = UInt32(truncatingIfNeeded: slots[3])
        args.groupStamp = UInt32(truncatingIfNeeded: slots[4])
        let main = unsafeBitCast(entry, to: KnActorMain.self)
        return main(table.table, &args, ops.assumingMemoryBound(to: KnActorOps.self))
    }
}
