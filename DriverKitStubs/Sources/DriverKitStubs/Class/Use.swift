import CChorus
import CDriverGuard
import CMiXDriver
import CMiXFile
import Glibc

/// Requests on a registered device.
extension DriverServer {
    func use(_ registration: Registration, _ exchange: inout Exchange) -> Int64 {
        switch exchange.request.op {
        case DRV_OPEN: return open(registration, &exchange)
        case DRV_CLOSE:
            registration.link?.close()
            // The last one leaves nothing behind that is still to be written.
            let result = registration.openCount == 1 ? registration.cache.flush() : K_OK
            registration.close()
            return result < 0 ? -Int64(EIO) : 0
        default: break
        }
        switch registration.class_ {
        case DRV_CLASS_BLOCK: return useBlock(registration, &exchange)
        case DRV_CLASS_CHAR: return useChar(registration, &exchange)
        case DRV_CLASS_TTY: return useTty(registration, &exchange)
        case DRV_CLASS_ENTROPY: return useEntropy(registration, &exchange)
        case DRV_CLASS_CLOCK: return useClock(registration, &exchange)
        default:
            guard let link = registration.link else { return -Int64(ENOSYS) }
            return useLink(registration, link, &exchange)
        }
    }

    private func open(_ registration: Registration, _ exchange: inout Exchange) -> Int64 {
        exchange.reply.value.0 = UInt64(registration.class_)
        if registration.class_ == DRV_CLASS_BLOCK {
            switch BlockDevice(registration: registration).geometry() {
            case .failure(let error): return error.diag
            case .success(let geometry):
                let writes = exchange.request.flags & UInt32(O_ACCMODE) != UInt32(O_RDONLY)
                if writes, geometry.flags & DRV_BLOCK_READONLY != 0 { return -Int64(EACCES) }
                exchange.reply.size = geometry.sectors * 512
                (exchange.reply.segUiHead, exchange.reply.segUiTail) = (portName.uiHead, portName.uiTail)
                exchange.reply.segKeyHead = UInt32(truncatingIfNeeded: registration.handle >> 32)
                exchange.reply.segKeyTail = UInt32(truncatingIfNeeded: registration.handle)
            }
        } else if let link = registration.link {
            let result = openLink(registration, link, &exchange)
            if result < 0 { return result }
        } else if registration.target() == nil {
            return -Int64(ENXIO)
        }
        registration.open()
        return 0
    }

    private func useBlock(_ registration: Registration, _ exchange: inout Exchange) -> Int64 {
        let block = BlockDevice(registration: registration)
        let request = exchange.request
        switch request.op {
        case DRV_READ:
            let target = UnsafeMutableRawBufferPointer(
                rebasing: exchange.room[..<min(exchange.room.count, Int(clamping: request.size))])
            // Past the cache: what it has and the device has not comes first.
            guard registration.cache.flush(range(request.offset, target.count)) >= 0 else { return -Int64(EIO) }
            let result = block.read(request.offset, target)
            exchange.replied = Int(max(0, result))
            return result
        case DRV_WRITE:
            return pastCache(registration, range(request.offset, exchange.body.count)) {
                block.write(request.offset, exchange.body)
            }
        case DRV_FLUSH:
            let code = request.flags & 1 != 0 ? registration.cache.invalidate() : registration.cache.flush()
            let result = block.flush()
            return code < 0 ? -Int64(EIO) : result
        case DRV_DISCARD:
            return pastCache(registration, range(request.offset, Int(clamping: request.size))) {
                block.discard(request.offset, request.size)
            }
        default: return -Int64(ENOTTY)
        }
    }

    private func range(_ offset: UInt64, _ size: Int) -> Range<UInt64> {
        let start = min(offset, UInt64(Int64.max))
        return start..<min(start + UInt64(size), UInt64(Int64.max))
    }

    /// Changes the device behind the cache's back, which forgets what it had, and what it is reading meanwhile.
    private func pastCache(_ registration: Registration, _ range: Range<UInt64>, _ change: () -> Int64) -> Int64 {
        if range.isEmpty { return change() }
        guard registration.cache.invalidate(range) >= 0 else { return -Int64(EIO) }
        let result = change()
        registration.cache.invalidate(range)
        return result
    }

    private func useChar(_ registration: Registration, _ exchange: inout Exchange) -> Int64 {
        let request = exchange.request
        let room = exchange.room
        let body = exchange.body
        let count = UInt32(clamping: min(UInt64(room.count), request.size))
        let result: Int32
        switch request.op {
        case DRV_READ:
            result = registration.call(DrvCharOps.self) { own, ops, instance, fault in
                drv_call_read(own, ops, instance, room.baseAddress, count, request.offset, &fault)
            }
            // Bytes that the driver did not put there are not its to give away.
            if result > Int32(clamping: count) { return tooMuch(registration) }
            exchange.replied = Int(max(0, result))
        case DRV_WRITE:
            result = registration.call(DrvCharOps.self) { own, ops, instance, fault in
                drv_call_write(own, ops, instance, body.baseAddress, UInt32(body.count), request.offset, &fault)
            }
            if result > Int32(clamping: body.count) { return tooMuch(registration) }
        case DRV_CONTROL:
            // _IOC_SIZE of the command: in and out share the bytes.
            let command = UInt32(truncatingIfNeeded: request.arg.1)
            let size = Int(command >> 16 & 0x3fff)
            guard size <= room.count, body.count <= size else { return -Int64(EFAULT) }
            room.copyMemory(from: body)
            for index in body.count..<size { room[index] = 0 }
            result = registration.call(DrvCharOps.self) { own, ops, instance, fault in
                drv_call_control(own, ops, instance, command, room.baseAddress, UInt32(size), &fault)
            }
            if result == DRV_ENOTSUP { return -Int64(ENOTTY) }
            exchange.replied = result >= 0 ? size : 0
        default: return -Int64(ENOSYS)
        }
        return result >= 0 ? Int64(result) : DriverError(result).diag
    }

    private func tooMuch(_ registration: Registration) -> Int64 {
        nucleus.sysLog(1, "\(registration.name): its driver claims to have moved more than it was asked to")
        return -Int64(EIO)
    }

    private func useTty(_ registration: Registration, _ exchange: inout Exchange) -> Int64 {
        let request = exchange.request
        let body = exchange.body
        switch request.op {
        case DRV_READ:
            let bytes = registration.takeInput(min(exchange.room.count, Int(clamping: request.size)))
            exchange.room.copyBytes(from: bytes)
            exchange.replied = bytes.count
            return bytes.isEmpty ? -Int64(EAGAIN) : Int64(bytes.count)
        case DRV_WRITE:
            var pending: Int32 = 0
            let result = registration.call(DrvTtyOps.self) { own, ops, instance, fault in
                let result = drv_call_output(own, ops, instance, body.baseAddress, UInt32(body.count), &fault)
                if fault.signal == 0 { pending = drv_call_pending(own, ops, instance, &fault) }
                return result
            }
            exchange.reply.value.0 = UInt64(max(0, pending))
            return result >= 0 ? Int64(min(result, Int32(clamping: body.count))) : DriverError(result).diag
        case DRV_TTY_SETTINGS: return setLine(registration, &exchange)
        case DRV_MODEM, DRV_BREAK:
            let (first, second) = (UInt32(truncatingIfNeeded: request.arg.1), UInt32(truncatingIfNeeded: request.arg.2))
            let result = registration.call(DrvTtyOps.self) { own, ops, instance, fault in
                request.op == DRV_MODEM
                    ? drv_call_modem(own, ops, instance, first, second, &fault)
                    : drv_call_break(own, ops, instance, first, &fault)
            }
            if result == DRV_ENOTSUP { return -Int64(ENOTTY) }
            exchange.reply.value.0 = UInt64(max(0, result))
            return result >= 0 ? 0 : DriverError(result).diag
        default: return 0
        }
    }

    /// The line as termios(3) wants it; the answer has the window of lines that have one.
    private func setLine(_ registration: Registration, _ exchange: inout Exchange) -> Int64 {
        let (baud, cflag) = (exchange.request.arg.1, exchange.request.arg.2)
        var (rows, columns): (UInt16, UInt16) = (0, 0)
        let result = registration.call(DrvTtyOps.self) { own, ops, instance, fault in
            if drv_call_window(own, ops, instance, &rows, &columns, &fault) < 0 { (rows, columns) = (0, 0) }
            if fault.signal != 0 { return DRV_EIO }
            return drv_call_settings(
                own, ops, instance, UInt32(truncatingIfNeeded: baud), UInt32(truncatingIfNeeded: cflag), &fault)
        }
        (exchange.reply.value.0, exchange.reply.value.1) = (UInt64(rows), UInt64(columns))
        return result >= 0 || result == DRV_ENOTSUP ? 0 : DriverError(result).diag
    }

    private func useEntropy(_ registration: Registration, _ exchange: inout Exchange) -> Int64 {
        guard exchange.request.op == DRV_READ else { return -Int64(EINVAL) }
        let room = exchange.room
        let count = UInt32(clamping: min(UInt64(room.count), exchange.request.size))
        // A driver that has to ask its device first says so; it is asked again when it has it.
        for _ in 0..<1000 {
            let result = registration.call(DrvEntropyOps.self) { own, ops, instance, fault in
                drv_call_entropy(own, ops, instance, room.baseAddress, count, &fault)
            }
            if result == DRV_EAGAIN {
                nucleus.threadDelay(1)
                continue
            }
            if result > Int32(clamping: count) { return tooMuch(registration) }
            exchange.replied = Int(max(0, result))
            return result >= 0 ? Int64(exchange.replied) : DriverError(result).diag
        }
        return -Int64(EIO)
    }

    private func useClock(_ registration: Registration, _ exchange: inout Exchange) -> Int64 {
        var seconds: Int64 = 0
        let result: Int32
        switch exchange.request.op {
        case DRV_READ:
            result = registration.call(DrvClockOps.self) { own, ops, instance, fault in
                drv_call_clock_get(own, ops, instance, &seconds, &fault)
            }
            exchange.reply.value.1 = UInt64(bitPattern: seconds)
        case DRV_WRITE:
            seconds = Int64(bitPattern: exchange.request.arg.1)
            result = registration.call(DrvClockOps.self) { own, ops, instance, fault in
                drv_call_clock_set(own, ops, instance, seconds, &fault)
            }
        default: return -Int64(ENOTTY)
        }
        return result >= 0 ? 0 : DriverError(result).diag
    }
}
