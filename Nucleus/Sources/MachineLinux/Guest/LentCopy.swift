import CChorus
import CMachine
import NucleusCore

/// Between a mapper's segment and a held guest's memory, by the host: from the cache's memory to the guest's, in one copy.
extension LinuxGuests {
    /// Bytes moved; fewer than wanted where that is not the way: at the segment's end, or where pages of the guest's must be brought in.
    func lentRead(_ local: LocalCache, _ object: KnObjDesc, _ guest: GuestThread, _ to: VmAddr, _ wanted: Int) -> Int {
        lent(local, object, guest, wanted, write: false) { process, memory, done in
            guest_vm_write(process, to &+ UInt64(done), memory.baseAddress, UInt64(memory.count))
        }
    }

    func lentWrite(_ local: LocalCache, _ object: KnObjDesc, _ guest: GuestThread, _ from: VmAddr, _ wanted: Int) -> Int
    {
        lent(local, object, guest, wanted, write: true) { process, memory, done in
            guest_vm_read(process, from &+ UInt64(done), memory.baseAddress, UInt64(memory.count))
        }
    }

    private func lent(
        _ local: LocalCache, _ object: KnObjDesc, _ guest: GuestThread, _ wanted: Int, write: Bool,
        _ copy: (Int32, UnsafeMutableRawBufferPointer, Int) -> Int64
    ) -> Int {
        // Deferred copies come first: they may be of the same memory.
        guard guest.commanded(else: false, { guest.flush() && !guest.deferredFault }) else { return 0 }
        var done = 0
        while done < wanted {
            let process = guest.process.pid.load(ordering: .relaxed)
            guard guest.isHeld, process > 0 else { break }
            let part = try? local.lending(object.startOffset &+ UInt64(done), wanted - done, write: write) { memory in
                let moved = copy(process, memory, done)
                return moved == Int64(memory.count) ? memory.count : -Int(max(0, moved)) - 1
            }
            guard let part else { break }
            done += part < 0 ? -part - 1 : part
            if part <= 0 { break }
        }
        return done
    }
}
