import CChorus
import CLane
import Glibc

// The frame of a return: the result, then what travels back, each piece padded to eight: first buffers of fixed size,
// then variable ones (of a `K_LEN_REF` buffer as many units as its count says afterwards, never more than the capacity
// it was called with). A failed call returns its in-out arguments alone, so what it left alone stays as it was.

extension CallPlan {
    @inline(__always)
    private func travelsBack(_ arg: KnArg, _ failed: Bool) -> Bool {
        arg.type == K_ARG_BUF && (failed ? UInt32(arg.dir) == K_INOUT : UInt32(arg.dir) & K_OUT != 0)
    }

    /// What is valid of a variable buffer now: never more than `capacity` bytes.
    private func filled(_ arg: KnArg, _ slots: UnsafeMutablePointer<UInt64>, _ capacity: UInt32) -> Int {
        guard arg.len == K_LEN_REF, let reference = UnsafeRawPointer(bitPattern: UInt(slots[Int(arg.lenArg)])) else {
            return Int(capacity)
        }
        return Int(min(UInt64(reference.loadUnaligned(as: UInt32.self)) * UInt64(arg.size), UInt64(capacity)))
    }

    /// Callee's side: writes the frame of the return and gives its size.
    func writeReply(
        _ result: Int64,
        _ slots: UnsafeMutablePointer<UInt64>,
        _ lengths: Lengths,
        to frame: UnsafeMutableRawPointer
    ) -> Int {
        CallPlan.store(UInt64(bitPattern: result), frame, 0)
        var offset = 8
        if isFlat { return offset }
        let failed = result < 0
        for index in 0..<count {
            let arg = argument(index)
            guard travelsBack(arg, failed), arg.len == K_LEN_FIXED,
                let pointer = UnsafeRawPointer(bitPattern: UInt(slots[index]))
            else { continue }
            memcpy(frame + offset, pointer, Int(arg.size))
            offset += padded(Int(arg.size))
        }
        for index in 0..<count {
            let arg = argument(index)
            guard travelsBack(arg, failed), arg.len != K_LEN_FIXED,
                let pointer = UnsafeRawPointer(bitPattern: UInt(slots[index]))
            else { continue }
            let length = filled(arg, slots, lengths[index])
            guard UInt64(offset + padded(length)) <= CallPlan.limit else { continue }
            memcpy(frame + offset, pointer, length)
            offset += padded(length)
        }
        return offset
    }

    /// Caller's side: takes the return from `frame`, which may be shared memory and is read once: every length comes
    /// from the caller's own `lengths` or from the count it has just copied. The result, or nil if the frame is short.
    func readReply(
        _ frame: UnsafeRawPointer,
        _ size: Int,
        _ slots: UnsafeMutablePointer<UInt64>,
        _ lengths: Lengths
    ) -> Int64? {
        guard size >= 8, size <= Int(CallPlan.limit) else { return nil }
        var result = Int64(bitPattern: kn_lane_load64(frame.assumingMemoryBound(to: UInt64.self)))
        if signature.pointee.ret == K_ARG_I32 { result = Int64(Int32(truncatingIfNeeded: result)) }
        if isFlat { return result }
        let failed = result < 0
        var offset = 8
        for index in 0..<count {
            let arg = argument(index)
            guard travelsBack(arg, failed), arg.len == K_LEN_FIXED,
                let pointer = UnsafeMutableRawPointer(bitPattern: UInt(slots[index]))
            else { continue }
            guard padded(Int(arg.size)) <= size - offset else { return nil }
            memcpy(pointer, frame + offset, Int(arg.size))
            offset += padded(Int(arg.size))
        }
        for index in 0..<count {
            let arg = argument(index)
            guard travelsBack(arg, failed), arg.len != K_LEN_FIXED,
                let pointer = UnsafeMutableRawPointer(bitPattern: UInt(slots[index]))
            else { continue }
            let length = filled(arg, slots, lengths[index])
            guard padded(length) <= size - offset else { return nil }
            memcpy(pointer, frame + offset, length)
            offset += padded(length)
        }
        return result
    }
}
