import CChorus

/// The rt_sigframe of Linux x86-64 (arch/x86/include/asm/sigframe.h): pretcode, ucontext, siginfo; the XSAVE image above.
struct SignalFrame {
    static let contextOffset = 8
    static let contextSize = 304
    static let machineOffset = 48  // uc_flags, uc_link, uc_stack are in front
    static let fpuPointerOffset = machineOffset + 184
    static let maskOffset = machineOffset + 256  // within ucontext, less the leading pretcode
    static let infoOffset = contextOffset + contextSize
    static let size = infoOffset + SignalInfo.size
    static let redZone: UInt64 = 128
    static let flagXState: UInt64 = 1, flagSegments: UInt64 = 6
    /// FP_XSTATE_MAGIC1 at 464 of the fxsave area, sizes behind it (struct _fpx_sw_bytes).
    static let magic1: UInt32 = 0x4650_5853
    static let magicOffset = 464, imageSizeOffset = 468
    static let legacySize = 512

    /// Where the parts go: the frame itself 16n+8 as after a call instruction, the image 64-byte aligned.
    static func place(below top: UInt64, imageSize: Int) -> (frame: UInt64, image: UInt64)? {
        let room = UInt64(imageSize) + UInt64(size) + 128
        guard top > room else { return nil }
        let image = (top - UInt64(imageSize)) & ~63
        let frame = ((image - UInt64(size)) & ~15) - 8
        return (frame, imageSize == 0 ? 0 : image)
    }

    static func encode(
        _ bytes: UnsafeMutableRawBufferPointer, context: KnThreadCtx, image: UInt64, stack: AltStack, mask: SignalSet,
        restorer: UInt64, info: SignalInfo
    ) {
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        func put(_ value: UInt64, _ offset: Int) { bytes.storeBytes(of: value, toByteOffset: offset, as: UInt64.self) }
        put(restorer, 0)
        put(flagSegments | (image != 0 ? flagXState : 0), 8)
        put(stack.base, 24)
        put(UInt64(stack.flags), 32)
        put(stack.size, 40)
        let machine = machineOffset
        let registers = [
            context.r8, context.r9, context.r10, context.r11, context.r12, context.r13, context.r14, context.r15,
            context.rdi, context.rsi, context.rbp, context.rbx, context.rdx, context.rax, context.rcx, context.rsp,
            context.rip, context.eflags,
        ]
        for (index, register) in registers.enumerated() { put(register, machine + index * 8) }
        put(0x002b_0000_0000_0033, machine + 144)  // cs, gs, fs, ss
        put(context.err, machine + 152)
        put(context.trapno, machine + 160)
        put(mask.bits, machine + 168)
        put(context.cr2, machine + 176)
        put(image, machine + 184)
        put(mask.bits, machine + 256)
        info.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[infoOffset..<size]))
    }

    /// Flags a program may set by rt_sigreturn (FIX_EFLAGS); the others keep what they were.
    static let userFlags: UInt64 = 0x0005_0dd5  // CF PF AF ZF SF TF DF OF RF AC

    /// Registers from the ucontext of a return. Segment registers, fs and gs bases stay as they are.
    static func decode(_ bytes: UnsafeRawBufferPointer, into context: inout KnThreadCtx) -> (SignalSet, UInt64) {
        func get(_ offset: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        let machine = machineOffset - contextOffset
        context.r8 = get(machine)
        context.r9 = get(machine + 8)
        context.r10 = get(machine + 16)
        context.r11 = get(machine + 24)
        context.r12 = get(machine + 32)
        context.r13 = get(machine + 40)
        context.r14 = get(machine + 48)
        context.r15 = get(machine + 56)
        context.rdi = get(machine + 64)
        context.rsi = get(machine + 72)
        context.rbp = get(machine + 80)
        context.rbx = get(machine + 88)
        context.rdx = get(machine + 96)
        context.rax = get(machine + 104)
        context.rcx = get(machine + 112)
        context.rsp = get(machine + 120)
        context.rip = get(machine + 128)
        context.eflags = context.eflags & ~userFlags | get(machine + 136) & userFlags | 0x202
        return (SignalSet(bits: get(machine + 256)), get(machine + 184))
    }

    /// Bytes of an XSAVE image with Linux' software header, or the legacy area alone.
    static func imageSize(legacy: UnsafeRawBufferPointer) -> Int {
        guard legacy.count >= legacySize,
            legacy.loadUnaligned(fromByteOffset: magicOffset, as: UInt32.self) == magic1
        else { return legacySize }
        let size = Int(legacy.loadUnaligned(fromByteOffset: imageSizeOffset, as: UInt32.self))
        return size > legacySize && size <= Int(K_FPUCTXMAX) ? size : legacySize
    }
}
