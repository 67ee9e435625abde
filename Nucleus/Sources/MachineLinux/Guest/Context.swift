import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// Registers of held threads: read from the signal frame in the mailbox, written into a context of our own there.
extension LinuxGuests {
    /// Flags that a program may set itself: CF PF AF ZF SF TF DF OF NT RF AC ID; IF is always on.
    private static var eflagsMask: UInt64 { 0x25_4dd5 }

    public func threadContext(
        _ thread: Thread, _ old: UnsafeMutablePointer<KnThreadCtx>?, _ now: UnsafePointer<KnThreadCtx>?
    ) -> Int32 {
        guard let guest = guest(thread), guest.isHeld else { return K_EINVAL }
        return guest.commanded(else: K_EDEADACTOR) {
            old?.pointee = readContext(guest)
            guard let now = now?.pointee else { return K_OK }
            if now.fsBase != guest.fsBase {
                let limit = MB_GUEST_TOP
                guard now.fsBase < limit, guest.reserve(operations: 1) else { return K_EINVAL }
                _ = guest.queue(OP_SYSCALL, number: HOST_arch_prctl, 0x1002, now.fsBase)  // ARCH_SET_FS
                guest.fsBase = now.fsBase
            }
            if now.gsBase != guest.gsBase {
                guard now.gsBase < MB_GUEST_TOP, guest.reserve(operations: 1) else { return K_EINVAL }
                _ = guest.queue(OP_SYSCALL, number: HOST_arch_prctl, 0x1001, now.gsBase)  // ARCH_SET_GS
                guest.gsBase = now.gsBase
            }
            guest.replaced = now
            return K_OK
        }
    }

    func readContext(_ guest: GuestThread) -> KnThreadCtx {
        if let replaced = guest.replaced { return replaced }
        var context = KnThreadCtx()
        context.fsBase = guest.fsBase
        context.gsBase = guest.gsBase
        guard guest.frame != 0 else { return context }
        let words = (UnsafeRawPointer(guest.area) + Int(guest.frame)).assumingMemoryBound(to: UInt64.self)
        withUnsafeMutableBytes(of: &context) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: words + Ucontext.registers, count: 18 * 8))
        }
        context.err = words[Ucontext.err]
        context.trapno = words[Ucontext.trapno]
        context.cr2 = words[Ucontext.cr2]
        return context
    }

    /// Puts the context to resume into the mailbox; its offset. Needs the dialogue.
    func writeContext(_ guest: GuestThread) -> UInt32 {
        _ = guest.saveFpu()
        if guest.replaced == nil, guest.replacedFpu == nil, guest.frame != 0 { return guest.frame }
        let context = readContext(guest)
        var fpstate: UInt64 = 0
        if let size = guest.replacedFpu {
            fpstate = size == 0 ? 0 : guest.guestArea + UInt64(MB_FPU)
        } else if guest.frame != 0 {
            let words = (UnsafeRawPointer(guest.area) + Int(guest.frame)).assumingMemoryBound(to: UInt64.self)
            fpstate =
                guest.frame == UInt32(MB_GATE_FRAME) ? guest.guestArea + MB_GATE_FPU : words[Ucontext.fpstate]
        }
        let to = (UnsafeMutableRawPointer(guest.area) + Int(MB_FRAME)).assumingMemoryBound(to: UInt64.self)
        (UnsafeMutableRawPointer(to)).initializeMemory(as: UInt8.self, repeating: 0, count: Ucontext.words * 8)
        // UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS, and UC_FP_XSTATE with an image.
        to[Ucontext.flags] = fpstate == 0 ? 6 : 7
        to[Ucontext.stackPointer] = guest.guestArea + UInt64(MB_STACK)
        to[Ucontext.stackSize] = MB_AREA_SIZE - UInt64(MB_STACK)
        withUnsafeBytes(of: context) {
            UnsafeMutableRawPointer(to + Ucontext.registers).copyMemory(from: $0.baseAddress!, byteCount: 18 * 8)
        }
        to[Ucontext.registers + 17] = context.eflags & Self.eflagsMask | 0x202
        to[Ucontext.segments] = 0x002b_0000_0000_0033  // cs, gs 0, fs 0, ss
        to[Ucontext.fpstate] = fpstate
        return UInt32(MB_FRAME)
    }

    public func threadFpuGet(_ thread: Thread, _ image: UnsafeMutableRawBufferPointer, _ size: inout UInt32) -> Int32 {
        guard let guest = guest(thread), guest.isHeld else { return K_EINVAL }
        return guest.commanded(else: K_EDEADACTOR) {
            var offset = 0
            if let own = guest.replacedFpu {
                guard own != 0 else {
                    size = 0
                    return K_OK
                }
                offset = Int(MB_FPU)
            } else if guest.frame != 0 {
                guard guest.saveFpu(), guest.flush() else { return K_EDEADACTOR }
                let words = (UnsafeRawPointer(guest.area) + Int(guest.frame)).assumingMemoryBound(to: UInt64.self)
                let address = words[Ucontext.fpstate]
                // The image ends where the area does, and without AVX-512 it is shorter than 1 KiB: ask for the legacy part.
                guard address >= guest.guestArea, address - guest.guestArea <= MB_AREA_SIZE - 512 else {
                    size = 0
                    return K_OK
                }
                offset = Int(address - guest.guestArea)
            }
            guard offset != 0 else {
                size = 0
                return K_OK
            }
            let from = UnsafeRawPointer(guest.area) + offset
            let claimed = Int((from + 468).loadUnaligned(as: UInt32.self))  // sw_reserved.extended_size
            let length = min(claimed, Int(K_FPUCTXMAX), Int(MB_AREA_SIZE) - offset)
            guard length >= 512, length <= image.count else { return K_ETOOBIG }
            image.baseAddress?.copyMemory(from: from, byteCount: length)
            size = UInt32(length)
            return K_OK
        }
    }

    public func threadFpuSet(_ thread: Thread, _ image: UnsafeRawBufferPointer) -> Int32 {
        guard let guest = guest(thread), guest.isHeld else { return K_EINVAL }
        guard image.count > 0 else {
            return guest.commanded(else: K_EDEADACTOR) {
                guest.replacedFpu = 0
                return K_OK
            }
        }
        guard FpuImage.isValid(image, supported: xfeatures) else { return K_EINVAL }
        return guest.commanded(else: K_EDEADACTOR) {
            let to = UnsafeMutableRawPointer(guest.area) + Int(MB_FPU)
            to.copyMemory(from: image.baseAddress!, byteCount: image.count)
            guest.replacedFpu = UInt32(image.count)
            return K_OK
        }
    }
}

/// Checks an XSAVE image as signal frames hold it, so that rt_sigreturn cannot fail on it.
enum FpuImage {
    static func isValid(_ image: UnsafeRawBufferPointer, supported: UInt64) -> Bool {
        guard image.count >= 512 + 64 + 4, image.count <= Int(K_FPUCTXMAX) else { return false }
        func u32(_ offset: Int) -> UInt32 { image.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
        func u64(_ offset: Int) -> UInt64 { image.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        guard u32(24) & ~0xffff == 0 else { return false }  // mxcsr: reserved bits fault
        let size = Int(u32(480)), extended = Int(u32(468))  // sw_reserved: xstate_size, extended_size
        guard u32(464) == 0x4650_5853, extended == image.count, size + 4 <= image.count, size >= 576 else {
            return false
        }
        guard u32(size) == 0x4650_5845 else { return false }  // magic2 behind the state
        let features = u64(472)
        guard features & ~supported == 0, u64(512) & ~features == 0, u64(520) == 0 else { return false }
        for offset in stride(from: 528, to: 576, by: 8) where u64(offset) != 0 { return false }
        return true
    }
}
