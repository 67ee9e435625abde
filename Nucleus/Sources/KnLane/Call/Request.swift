import CChorus
import CLane
import Glibc

// The frame of a call: one 64-bit slot an argument, then the bytes that travel towards the callee, each piece padded to
// eight: first the buffers of fixed size (so that a receiver knows every `K_LEN_REF` count), then strings and buffers
// of variable length. The slot of a buffer is 1 or 0 (NULL), of a string its length with the NUL or 0 (NULL). No other
// length travels: it follows from the signature and the arguments, so there is none that could contradict them.

/// Byte lengths of the buffer arguments of one call, as they were when it was made.
public typealias Lengths = UnsafeMutablePointer<UInt32>

@inline(__always) func padded(_ size: Int) -> Int { (size + 7) & ~7 }

extension CallPlan {
    /// Longest frame, and the most that variable buffers may add to one; the rest is room for the fixed ones.
    static var limit: UInt64 { UInt64(KN_LANE_PAYLOAD) }
    static var variableLimit: UInt64 { limit - 64 * 1024 }

    @inline(__always)
    static func store(_ value: UInt64, _ frame: UnsafeMutableRawPointer, _ offset: Int) {
        frame.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }

    /// Byte length of variable buffer `arg`, from the scalars and counts of the call; nil when over the limit.
    private func variable(_ arg: KnArg, _ slots: UnsafeMutablePointer<UInt64>) -> Int? {
        var units = slots[Int(arg.lenArg)]
        if arg.len == K_LEN_REF {
            guard let reference = UnsafeRawPointer(bitPattern: UInt(units)) else { return 0 }
            units = UInt64(reference.loadUnaligned(as: UInt32.self))
        } else {
            units = UInt64(UInt32(truncatingIfNeeded: units))
        }
        let bytes = units * UInt64(arg.size)  // 32 bits times 32 bits
        return bytes <= CallPlan.variableLimit ? Int(bytes) : nil
    }

    /// Caller's side: writes the frame of a call with `slots` and returns its size, or a `K_*` code.
    func writeRequest(
        _ slots: UnsafeMutablePointer<UInt64>,
        _ lengths: Lengths,
        to frame: UnsafeMutableRawPointer
    ) -> Int {
        var offset = count * 8
        for index in 0..<count {
            let arg = argument(index)
            if arg.type == K_ARG_BUF {
                let pointer = UnsafeRawPointer(bitPattern: UInt(slots[index]))
                CallPlan.store(pointer == nil ? 0 : 1, frame, index * 8)
                guard arg.len == K_LEN_FIXED, let pointer, UInt32(arg.dir) & K_IN != 0 else { continue }
                memcpy(frame + offset, pointer, Int(arg.size))
                offset += padded(Int(arg.size))
            } else {
                CallPlan.store(CallPlan.normalized(arg.type, slots[index]), frame, index * 8)
            }
        }
        if isFlat { return offset }
        var returned = UInt64(0)
        for index in 0..<count {
            let arg = argument(index)
            guard let pointer = UnsafeRawPointer(bitPattern: UInt(slots[index])) else {
                lengths[index] = 0
                continue
            }
            if arg.type == K_ARG_STR {
                // Longer strings are cut: what takes one keeps no more of it.
                let length = strnlen(pointer.assumingMemoryBound(to: CChar.self), Int(arg.size) - 1)
                guard UInt64(offset + length + 1) <= CallPlan.limit else { return Int(K_ETOOBIG) }
                memcpy(frame + offset, pointer, length)
                frame.storeBytes(of: 0, toByteOffset: offset + length, as: UInt8.self)
                CallPlan.store(UInt64(length + 1), frame, index * 8)
                offset += padded(length + 1)
            } else if arg.type == K_ARG_BUF, arg.len != K_LEN_FIXED {
                guard let length = variable(arg, slots) else { return Int(K_ETOOBIG) }
                lengths[index] = UInt32(length)
                if UInt32(arg.dir) & K_IN != 0 {
                    guard UInt64(offset + length) <= CallPlan.limit else { return Int(K_ETOOBIG) }
                    memcpy(frame + offset, pointer, length)
                    offset += padded(length)
                } else {
                    returned += UInt64(padded(length))
                    guard returned <= CallPlan.variableLimit else { return Int(K_ETOOBIG) }
                }
            }
        }
        return offset
    }

    /// Callee's side: turns a private copy of a frame into `slots` to call with. Nothing in the frame is believed.
    /// Buffers point into the copy or into `scratch`. A handler argument stays the number it is; a descriptor stays as
    /// it travelled. `K_OK` or a `K_*` code.
    func readRequest(
        _ frame: UnsafeMutableRawPointer,
        _ size: Int,
        _ scratch: inout Scratch,
        _ slots: UnsafeMutablePointer<UInt64>,
        _ lengths: Lengths
    ) -> Int32 {
        var offset = count * 8
        guard size >= offset, size <= Int(CallPlan.limit) else { return K_EINVAL }
        for index in 0..<count {
            let arg = argument(index)
            let slot = frame.load(fromByteOffset: index * 8, as: UInt64.self)
            lengths[index] = 0
            guard arg.type == K_ARG_BUF else {
                slots[index] = CallPlan.normalized(arg.type, slot)
                continue
            }
            guard slot <= 1 else { return K_EINVAL }
            slots[index] = slot
            guard slot == 1, arg.len == K_LEN_FIXED else { continue }
            let length = Int(arg.size)
            if UInt32(arg.dir) & K_IN != 0 {
                guard padded(length) <= size - offset else { return K_EINVAL }
                slots[index] = UInt64(UInt(bitPattern: frame + offset))
                offset += padded(length)
            } else {
                guard let room = scratch.take(length) else { return K_ENOMEM }
                memset(room, 0, length)
                slots[index] = UInt64(UInt(bitPattern: room))
            }
        }
        return isFlat ? K_OK : readVariable(frame, size, offset, &scratch, slots, lengths)
    }

    private func readVariable(
        _ frame: UnsafeMutableRawPointer,
        _ size: Int,
        _ start: Int,
        _ scratch: inout Scratch,
        _ slots: UnsafeMutablePointer<UInt64>,
        _ lengths: Lengths
    ) -> Int32 {
        var offset = start
        var returned = 0
        for index in 0..<count {
            let arg = argument(index)
            if arg.type == K_ARG_STR {
                let length = slots[index]
                guard length > 0 else { continue }
                guard length <= UInt64(arg.size), length <= UInt64(size - offset) else { return K_EINVAL }
                let end = offset + Int(length)
                guard frame.load(fromByteOffset: end - 1, as: UInt8.self) == 0, offset + padded(Int(length)) <= size
                else { return K_EINVAL }
                slots[index] = UInt64(UInt(bitPattern: frame + offset))
                offset += padded(Int(length))
            } else if arg.type == K_ARG_BUF, arg.len != K_LEN_FIXED, slots[index] == 1 {
                guard let length = variable(arg, slots) else { return K_ETOOBIG }
                lengths[index] = UInt32(length)
                if UInt32(arg.dir) & K_IN != 0 {
                    guard padded(length) <= size - offset else { return K_EINVAL }
                    slots[index] = UInt64(UInt(bitPattern: frame + offset))
                    offset += padded(length)
                } else {
                    returned += padded(length)
                    guard returned <= Int(CallPlan.variableLimit) else { return K_ETOOBIG }
                    guard let room = scratch.take(length) else { return K_ENOMEM }
                    slots[index] = UInt64(UInt(bitPattern: room))
                }
            }
        }
        return K_OK
    }
}
