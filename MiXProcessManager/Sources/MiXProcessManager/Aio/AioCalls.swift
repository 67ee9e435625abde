import CChorus

/// io_setup(2) and its kin.
enum AioCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (206, "io_setup", setUp), (207, "io_destroy", destroy), (208, "io_getevents", getEvents),
        (209, "io_submit", submit), (210, "io_cancel", cancel), (333, "io_pgetevents", getEvents),
    ]
    private static let most = 65536  // /proc/sys/fs/aio-max-nr

    private static func context(_ call: Call) throws(Errno) -> AioContext {
        let space = call.process.memory
        guard let context = space.lock.withLock({ space.aio[call[0]] }) else { throw .EINVAL }
        return context
    }

    @Sendable private static func setUp(_ call: Call) throws(Errno) -> Outcome {
        guard try call.readStruct(UInt64.self, at: call[1]) == 0, call.uint(0) > 0 else { throw .EINVAL }
        guard call.uint(0) <= most else { throw .EAGAIN }
        // Programs look for a ring there; zeros say that there is none (libaio asks the system then).
        let place = MapRequest(hint: 0, size: AddressSpace.page, flags: 0, protection: 3, isShared: false)
        let address = try MemoryCalls.map(call, place)
        let space = call.process.memory
        space.lock.withLock { space.aio[address] = AioContext(most: Int(call.uint(0))) }
        try call.writeStruct(address, at: call[1])
        return .zero
    }

    @Sendable private static func destroy(_ call: Call) throws(Errno) -> Outcome {
        let space = call.process.memory
        guard let context = space.lock.withLock({ space.aio.removeValue(forKey: call[0]) }) else { throw .EINVAL }
        context.end()
        space.lock.withLock {
            if MemoryCalls.free(call, call[0], call[0] + AddressSpace.page) >= 0 {
                space.map.remove(call[0], call[0] + AddressSpace.page)
            }
        }
        return .zero
    }

    /// `struct iocb` (linux/aio_abi.h).
    private struct Request: BitwiseCopyable {
        var data: UInt64
        var key: UInt32
        var rwFlags: UInt32
        var operation: UInt16
        var priority: Int16
        var descriptor: Int32
        var buffer: UInt64
        var size: UInt64
        var offset: Int64
        var reserved: UInt64
        var flags: UInt32
        var eventDescriptor: Int32
    }

    @Sendable private static func submit(_ call: Call) throws(Errno) -> Outcome {
        guard call.long(1) >= 0 else { throw .EINVAL }
        let context = try context(call)
        var done = 0
        while done < min(call.long(1), Int64(most)) {
            do throws(Errno) {
                let address = try call.readStruct(UInt64.self, at: call[2] &+ UInt64(done) * 8)
                try start(call, context, address)
            } catch {
                if done == 0 { throw error }
                break
            }
            done += 1
        }
        return .done(value: done)
    }

    private static func start(_ call: Call, _ context: AioContext, _ address: UInt64) throws(Errno) {
        let request = try call.readStruct(Request.self, at: address)
        guard request.reserved == 0, Int64(bitPattern: request.size) >= 0, request.flags & ~3 == 0 else {
            throw .EINVAL
        }
        guard !context.isFull else { throw .EAGAIN }
        let description = try call.openDescription(number: request.descriptor)
        var event: EventFile?
        if request.flags & 1 != 0 {
            guard let found = try call.openDescription(number: request.eventDescriptor) as? EventFile else {
                throw .EINVAL
            }
            event = found
        }
        // Of what may have to be waited for, io_submit would have to wait.
        guard !description.isPollable, request.rwFlags & ~0x1f == 0 else { throw .EINVAL }
        let result = try run(call, request, description)
        context.complete(AioContext.Event(data: request.data, request: address, result: result))
        event?.signal()
    }

    /// What is wrong with the request itself is thrown, what goes wrong with it is its result.
    private static func run(_ call: Call, _ request: Request, _ description: OpenDescription) throws(Errno) -> Int64 {
        let (reads, isVector): (Bool, Bool)
        switch request.operation {
        case 0: (reads, isVector) = (true, false)  // IOCB_CMD_PREAD
        case 1: (reads, isVector) = (false, false)
        case 7: (reads, isVector) = (true, true)  // IOCB_CMD_PREADV
        case 8: (reads, isVector) = (false, true)
        case 2, 3:  // IOCB_CMD_FSYNC, FDSYNC
            do throws(Errno) {
                try SizeCalls.sync(call, description, dataOnly: request.operation == 3 ? 1 : 0)
                return 0
            } catch { return error.result }
        default: throw .EINVAL
        }
        guard reads ? description.isReadable : description.isWritable else { throw .EBADF }
        guard request.offset >= 0 else { throw .EINVAL }
        let ranges: UserRanges
        if isVector {
            ranges = try call.ranges(at: request.buffer, count: request.size)
        } else {
            try UserRanges.check(request.buffer, request.size)
            ranges = UserRanges(request.buffer, request.size)
        }
        if reads, ranges.total == 0 { return 0 }
        do throws(Errno) {
            let outcome =
                try reads
                ? description.read(call, ranges, at: request.offset)
                : description.write(call, ranges, at: request.offset)
            if case .done(let value) = outcome { return value }
            call.task.endWait()
            return Errno.EAGAIN.result
        } catch { return error.result }
    }

    @Sendable private static func cancel(_ call: Call) throws(Errno) -> Outcome {
        _ = try context(call)
        _ = try call.readStruct(UInt32.self, at: call[1] &+ 8)
        throw .EINVAL  // nothing is under way
    }

    @Sendable private static func getEvents(_ call: Call) throws(Errno) -> Outcome {
        if call.number == 333, call[5] != 0 {
            let mask = try call.readStruct((UInt64, UInt64).self, at: call[5])
            try PollCalls.temporaryMask(call, at: mask.0, size: mask.1)
        }
        var deadline = call.task.deadline
        if deadline == nil, call[4] != 0 { deadline = call.deadline(after: try TimeCalls.duration(call, call[4])) }
        let context = if let kept = call.kept as? AioWait { kept.context } else { try context(call) }
        guard call.long(1) >= 0, call.long(2) >= 0, call.long(1) <= call.long(2) else { throw .EINVAL }
        let (least, limit) = (Int(call.long(1)), Int(min(call.long(2), Int64(most))))
        let isOver = call.timedOut || deadline.map { $0 <= call.manager.clock.monotonic() } ?? false
        let taken = try context.lock.withLock { () throws(Errno) -> [AioContext.Event]? in
            guard !context.isGone else { throw .EINVAL }
            if let taken = context.take(least: isOver || call.interrupted ? 0 : least, limit: limit),
                !(taken.isEmpty && call.interrupted)
            {
                return taken
            }
            call.kept = AioWait(context)
            call.enlist(on: context.queue)
            return nil
        }
        guard let taken else {
            return .park(Wait(on: [context.queue], until: deadline, restart: .interrupt, for: "read_events"))
        }
        try call.copyOut(taken.withUnsafeBytes { Array($0) }, to: call[3])
        return .done(value: taken.count)
    }

    private final class AioWait {
        let context: AioContext
        init(_ context: AioContext) { self.context = context }
    }
}
