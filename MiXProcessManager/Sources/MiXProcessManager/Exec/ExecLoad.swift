import CChorus
import CProcessHost
import Glibc

/// Filling an empty UNIX actor with a program.
extension ProcessManager {
    /// Maps the images and the stack of `plan` and sets the thread's registers. After a failure the actor is in no state
    /// to run: the caller ends the process.
    func load(_ plan: ExecPlan, into process: Process, _ actor: KnCap, _ task: Task) throws(Errno) -> AddressSpace {
        let space = AddressSpace()
        let loader = ImageLoader(manager: self, actor: actor, thread: task.thread, space: space)
        layOut(space, process)
        space.vdso = findVdso(actor)

        var bias: UInt64 = 0
        if plan.image.isPositionIndependent {
            let base = 0x5555_5555_4000 + scatter(process, 0xf_ffff)
            bias = base - plan.image.lowest
        }
        try loader.map(plan.image, plan.file, bias: bias)
        space.codeStart = plan.image.lowest + bias
        space.codeEnd = plan.image.highest + bias
        space.breakStart = space.codeEnd
        space.breakEnd = space.codeEnd

        var entry = plan.image.entry &+ bias
        var interpreterBase: UInt64 = 0
        if let (file, image) = plan.interpreter {
            if image.isPositionIndependent {
                guard
                    let base = space.map.gap(
                        image.highest - image.lowest, low: AddressSpace.lowest, high: space.mmapTop)
                else { throw .ENOMEM }
                interpreterBase = base - image.lowest
            }
            try loader.map(image, file, bias: interpreterBase)
            entry = image.entry &+ interpreterBase
        }

        let stackProtection = UInt32(PROT_READ | PROT_WRITE) | (plan.image.wantsExecutableStack ? UInt32(PROT_EXEC) : 0)
        try loader.anonymous(
            space.stackBottom, space.stackTop, stackProtection, label: .stack, extra: K_GROWSDOWN)

        var seed = [UInt8](repeating: 0, count: 16)
        _ = nucleus.sysRandom(&seed, 16)
        let stack = ExecStack.build(
            top: space.stackTop, arguments: plan.arguments, environment: plan.environment, path: plan.path,
            random: seed, auxiliary: auxiliary(plan, process, space, bias: bias, interpreterBase: interpreterBase),
            hardware: pm_auxval(26))
        try check(
            nucleus.svCopyOut(task.thread, stack.bytes, stack.pointer, UInt32(stack.bytes.count), 0), memory: true)
        space.argumentsStart = stack.argumentsStart
        space.argumentsEnd = stack.argumentsEnd
        space.environmentStart = stack.environmentStart
        space.environmentEnd = stack.environmentEnd

        var context = KnThreadCtx()
        context.rip = entry
        context.rsp = stack.pointer
        context.eflags = 0x202
        try check(nucleus.threadContext(task.thread, nil, &context))
        nucleus.threadFpuSet(task.thread, nil, 0)
        let line = Self.joined(plan.arguments)
        let strings = Self.joined(plan.environment)
        tree.withLock {
            process.commandLine = line
            process.environment = strings
            process.auxiliary = stack.auxiliary
        }
        return space
    }

    /// As /proc/PID/cmdline and environ show them.
    private static func joined(_ texts: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        for text in texts {
            bytes.append(contentsOf: text)
            bytes.append(0)
        }
        return bytes
    }

    /// Where things lie is not to be guessed: a random number of pages, unless ADDR_NO_RANDOMIZE says none.
    private func scatter(_ process: Process, _ most: UInt64) -> UInt64 {
        process.personality & Personality.noRandomize != 0 ? 0 : (random(UInt64.self) & most) * AddressSpace.page
    }

    private func layOut(_ space: AddressSpace, _ process: Process) {
        let page = AddressSpace.page
        let soft = process.limits[.stack].soft
        let stackSize = AddressSpace.pageDown(min(max(soft, 128 << 10), 64 << 20))
        space.stackTop = AddressSpace.highest - scatter(process, 0xfff) - page
        space.stackBottom = space.stackTop - stackSize
        space.mmapTop = space.stackBottom - scatter(process, 0xffff) - (1 << 20)
    }

    /// The nucleus publishes the vDSO of the address space as a region it marks so; 0 where there is none.
    private func findVdso(_ actor: KnCap) -> UInt64 {
        var actor = actor
        return withUnsafeTemporaryAllocation(of: KnRgnStat.self, capacity: 16) { stats in
            var count: UInt32 = 16
            guard nucleus.rgnStat(&actor, 0, &count, stats.baseAddress) >= 0 else { return 0 }
            for stat in stats.prefix(min(Int(count), 16)) where stat.rgn.opaque == 0x76 { return stat.rgn.startAddr }
            return 0
        }
    }

    /// What Linux gives (getauxval(3)), less rseq.
    private func auxiliary(
        _ plan: ExecPlan, _ process: Process, _ space: AddressSpace, bias: UInt64, interpreterBase: UInt64
    ) -> [(UInt64, UInt64)] {
        let credentials = process.credentials
        let isSecure = credentials.uid != credentials.euid || credentials.gid != credentials.egid
        var vector: [(UInt64, UInt64)] = []
        if space.vdso != 0 { vector.append((33, space.vdso)) }
        vector += [
            (51, pm_auxval(51)),  // AT_MINSIGSTKSZ
            (16, pm_auxval(16)),  // AT_HWCAP
            (6, AddressSpace.page), (17, 100),
            (3, plan.image.headersAddress == 0 ? 0 : plan.image.headersAddress &+ bias),
            (4, UInt64(ElfImage.entrySize)), (5, plan.image.headerCount), (7, interpreterBase), (8, 0),
            (9, plan.image.entry &+ bias),
            (11, UInt64(credentials.uid)), (12, UInt64(credentials.euid)),
            (13, UInt64(credentials.gid)), (14, UInt64(credentials.egid)),
            (23, isSecure ? 1 : 0),
        ]
        return vector
    }
}

/// Maps segments and anonymous memory of one exec, and notes them in the new address space.
struct ImageLoader {
    let manager: ProcessManager
    let actor: KnCap
    let thread: Int32
    let space: AddressSpace

    func map(_ image: ElfImage, _ file: ExecutableFile, bias: UInt64) throws(Errno) {
        for segment in image.segments {
            let address = segment.address &+ bias
            let start = AddressSpace.pageDown(address)
            let fileEnd = address + segment.fileSize
            let end = segment.pageEnd &+ bias
            var mapped = start
            if segment.fileSize > 0 {
                mapped = (fileEnd + AddressSpace.page - 1) & ~(AddressSpace.page - 1)
                let tail = segment.memorySize > segment.fileSize ? mapped - fileEnd : 0
                let isWritable = segment.protection & 2 != 0
                try self.file(
                    start, mapped, segment.protection | (tail > 0 ? 2 : 0), file,
                    offset: AddressSpace.pageDown(segment.offset))
                if tail > 0 {
                    // The rest of the last file page, up to its end: programs use it as zeroed memory.
                    let zeros = [UInt8](repeating: 0, count: Int(tail))
                    try manager.check(
                        manager.nucleus.svCopyOut(thread, zeros, fileEnd, UInt32(tail), isWritable ? K_COPY_DEFER : 0),
                        memory: true)
                    if !isWritable { try protect(start, mapped, segment.protection) }
                }
            }
            if end > mapped { try anonymous(mapped, end, segment.protection) }
        }
    }

    private func file(
        _ start: UInt64, _ end: UInt64, _ protection: UInt32, _ file: ExecutableFile, offset: UInt64
    ) throws(Errno) {
        var actor = actor
        var region = KnRgnDesc()
        region.startAddr = start
        region.size = end - start
        region.options = MemoryCalls.options(protection)
        var object = KnObjDesc(dataObject: file.segment, startOffset: offset, size: end - start)
        try manager.check(manager.nucleus.rgnInit(&actor, &region, &object))
        space.map.insert(
            MappedArea(start: start, end: end, protection: protection, file: file, offset: offset))
    }

    func anonymous(
        _ start: UInt64, _ end: UInt64, _ protection: UInt32, label: MappedArea.Label = .none, extra: UInt32 = 0
    ) throws(Errno) {
        var actor = actor
        var region = KnRgnDesc()
        region.startAddr = start
        region.size = end - start
        region.options = MemoryCalls.options(protection) | K_FILLZERO | extra
        try manager.check(manager.nucleus.rgnAllocate(&actor, &region))
        space.map.insert(MappedArea(start: start, end: end, protection: protection, label: label))
    }

    private func protect(_ start: UInt64, _ end: UInt64, _ protection: UInt32) throws(Errno) {
        var actor = actor
        var region = KnRgnDesc()
        region.startAddr = start
        region.size = end - start
        region.options = MemoryCalls.options(protection)
        try manager.check(manager.nucleus.rgnSetProtect(&actor, &region))
    }
}
