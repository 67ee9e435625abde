import CChorus

extension ProcessManager {
    /// Builds the frame on the guest's stack and points its registers at the handler. False: the stack cannot take it.
    func enterHandler(_ task: Task, _ info: SignalInfo, _ action: SignalAction, mask: SignalSet) -> Bool {
        guard action.has(SignalAction.restorerGiven) else { return false }
        var context = KnThreadCtx()
        guard nucleus.threadContext(task.thread, &context, nil) >= 0 else { return false }
        return withUnsafeTemporaryAllocation(byteCount: Int(K_FPUCTXMAX), alignment: 64) { fpu in
            var imageSize = UInt32(K_FPUCTXMAX)
            if nucleus.threadFpuGet(task.thread, fpu.baseAddress, &imageSize) < 0 { imageSize = 0 }
            let stack = task.altStack
            let wasOnStack = stack.contains(context.rsp)
            var top = context.rsp &- SignalFrame.redZone
            if action.has(SignalAction.onStack), stack.isEnabled, !wasOnStack { top = stack.base &+ stack.size }
            guard let (frame, image) = SignalFrame.place(below: top, imageSize: Int(imageSize)) else { return false }
            // Overflow of the alternate stack is a fault, not a write below it.
            if (wasOnStack || top == stack.base &+ stack.size) && stack.isEnabled && frame < stack.base { return false }
            var shown = stack
            if stack.isEnabled && wasOnStack { shown.flags |= UInt32(AltStack.onStack) }
            if image != 0, nucleus.svCopyOut(task.thread, fpu.baseAddress, image, imageSize, 0) < 0 { return false }
            let written = withUnsafeTemporaryAllocation(byteCount: SignalFrame.size, alignment: 16) { bytes in
                SignalFrame.encode(
                    bytes, context: context, image: image, stack: shown, mask: mask, restorer: action.restorer,
                    info: info)
                return nucleus.svCopyOut(task.thread, bytes.baseAddress, frame, UInt32(SignalFrame.size), 0)
            }
            guard written >= 0 else { return false }
            if stack.flags & AltStack.autoDisarm != 0 { task.altStack = AltStack() }
            context.rsp = frame
            context.rip = action.handler
            context.rdi = UInt64(UInt32(bitPattern: info.signal))
            context.rsi = frame + UInt64(SignalFrame.infoOffset)
            context.rdx = frame + UInt64(SignalFrame.contextOffset)
            context.rax = 0
            context.eflags &= ~0x1_0500  // TF, DF, RF
            nucleus.threadContext(task.thread, nil, &context)
            if imageSize > 0 { nucleus.threadFpuSet(task.thread, nil, 0) }
            return true
        }
    }

    /// rt_sigreturn(2): everything back from the frame at rsp. Bad frames cost SIGSEGV.
    func sigreturn(_ call: Call) -> Outcome {
        let task = call.task
        var context = KnThreadCtx()
        nucleus.threadContext(task.thread, &context, nil)
        let good = withUnsafeTemporaryAllocation(byteCount: SignalFrame.contextSize, alignment: 16) { bytes in
            guard nucleus.svCopyIn(task.thread, context.rsp, bytes.baseAddress, UInt32(bytes.count)) >= 0 else {
                return false
            }
            let (mask, image) = SignalFrame.decode(UnsafeRawBufferPointer(bytes), into: &context)
            guard restoreFpu(task, image), context.rip < 1 << 47 else { return false }
            guard nucleus.threadContext(task.thread, nil, &context) >= 0 else { return false }
            // uc_stack: as sigaltstack, errors ignored (kernel: restore_altstack).
            let stack = AltStack(
                base: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
                size: bytes.loadUnaligned(fromByteOffset: 32, as: UInt64.self),
                flags: bytes.loadUnaligned(fromByteOffset: 24, as: UInt32.self) & ~UInt32(AltStack.onStack))
            withTree {
                if stack.flags & ~(AltStack.autoDisarm | UInt32(AltStack.disable)) == 0 { task.altStack = stack }
                setMaskLocked(task, mask)
            }
            return true
        }
        if !good { withTree { forceLocked(.kernel(Signal.segv), on: task) } }
        return .context
    }

    private func restoreFpu(_ task: Task, _ image: UInt64) -> Bool {
        guard image != 0 else { return nucleus.threadFpuSet(task.thread, nil, 0) >= 0 }
        return withUnsafeTemporaryAllocation(byteCount: Int(K_FPUCTXMAX), alignment: 64) { fpu in
            let legacy = SignalFrame.legacySize
            guard nucleus.svCopyIn(task.thread, image, fpu.baseAddress, UInt32(legacy)) >= 0 else { return false }
            let size = SignalFrame.imageSize(legacy: UnsafeRawBufferPointer(rebasing: fpu[0..<legacy]))
            if size > legacy {
                let rest = (fpu.baseAddress.unsafelyUnwrapped + legacy)
                guard nucleus.svCopyIn(task.thread, image + UInt64(legacy), rest, UInt32(size - legacy)) >= 0 else {
                    return false
                }
            }
            return nucleus.threadFpuSet(task.thread, fpu.baseAddress, UInt32(size)) >= 0
        }
    }
}
