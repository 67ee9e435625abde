import CDriverGuard
import CMiXDriver
import CMiXFile
import Glibc

/// Calls of a driver's registered devices, as the home asks for them.
extension HostInstance {
    func use(
        _ request: MixObjRequest, _ body: UnsafeRawBufferPointer, _ reply: inout MixObjReply,
        _ room: UnsafeMutableRawBufferPointer, _ replied: inout Int
    ) -> Int32 {
        let count = UInt32(clamping: min(request.size, UInt64(room.count)))
        let length = UInt32(body.count)
        let device = request.arg.1
        /// What it moved lies in `room`; no more than it was asked for.
        func moved(_ result: Int32) -> Int32 {
            guard result <= Int32(clamping: count) else { return DRV_EIO }
            replied = Int(max(0, result))
            return result
        }
        switch request.op {
        case HOSTED_GEOMETRY: return geometry(device, room, &replied)
        case HOSTED_SUBMIT: return submit(request, body)
        case HOSTED_READ:
            return moved(
                with(device) { (own, ops: UnsafePointer<DrvCharOps>, instance, fault) in
                    drv_call_read(own, ops, instance, room.baseAddress, count, request.offset, &fault)
                })
        case HOSTED_WRITE:
            return with(device) { (own, ops: UnsafePointer<DrvCharOps>, instance, fault) in
                drv_call_write(own, ops, instance, body.baseAddress, length, request.offset, &fault)
            }
        case HOSTED_CONTROL:
            room.copyMemory(from: body)
            let result = with(device) { (own, ops: UnsafePointer<DrvCharOps>, instance, fault) in
                drv_call_control(
                    own, ops, instance, UInt32(truncatingIfNeeded: request.arg.2), room.baseAddress, length, &fault)
            }
            replied = result >= 0 ? body.count : 0
            return result
        case HOSTED_OUTPUT:
            return with(device) { (own, ops: UnsafePointer<DrvTtyOps>, instance, fault) in
                drv_call_output(own, ops, instance, body.baseAddress, length, &fault)
            }
        case HOSTED_SETTINGS:
            return with(device) { (own, ops: UnsafePointer<DrvTtyOps>, instance, fault) in
                drv_call_settings(
                    own, ops, instance, UInt32(truncatingIfNeeded: request.arg.2),
                    UInt32(truncatingIfNeeded: request.arg.3), &fault)
            }
        case HOSTED_WINDOW:
            var (rows, columns): (UInt16, UInt16) = (0, 0)
            let result = with(device) { (own, ops: UnsafePointer<DrvTtyOps>, instance, fault) in
                drv_call_window(own, ops, instance, &rows, &columns, &fault)
            }
            (reply.value.0, reply.value.1) = (UInt64(rows), UInt64(columns))
            return result
        case HOSTED_NET_INFO:
            var info = DrvNetInfo()
            info.size = UInt32(MemoryLayout<DrvNetInfo>.size)
            let result = with(device) { (own, ops: UnsafePointer<DrvNetOps>, instance, fault) in
                drv_call_net_info(own, ops, instance, &info, &fault)
            }
            room.storeBytes(of: info, as: DrvNetInfo.self)
            replied = MemoryLayout<DrvNetInfo>.size
            return result
        case HOSTED_SEND:
            return with(device) { (own, ops: UnsafePointer<DrvNetOps>, instance, fault) in
                drv_call_send(own, ops, instance, body.baseAddress, length, &fault)
            }
        case HOSTED_CLOCK_GET:
            var seconds: Int64 = 0
            let result = with(device) { (own, ops: UnsafePointer<DrvClockOps>, instance, fault) in
                drv_call_clock_get(own, ops, instance, &seconds, &fault)
            }
            reply.value.0 = UInt64(bitPattern: seconds)
            return result
        case HOSTED_CLOCK_SET:
            return with(device) { (own, ops: UnsafePointer<DrvClockOps>, instance, fault) in
                drv_call_clock_set(own, ops, instance, Int64(bitPattern: request.arg.2), &fault)
            }
        case HOSTED_ENTROPY:
            return moved(
                with(device) { (own, ops: UnsafePointer<DrvEntropyOps>, instance, fault) in
                    drv_call_entropy(own, ops, instance, room.baseAddress, count, &fault)
                })
        default: return DRV_ENOTSUP
        }
    }

    private func with<Ops>(
        _ device: UInt64,
        _ body: (UnsafeMutablePointer<DrvSelf>, UnsafePointer<Ops>, UnsafeMutableRawPointer?, inout DrvFault) -> Int32
    ) -> Int32 {
        call { own, instance, fault in
            guard let ops = devices[device] else { return DRV_ENODEV }
            return body(own, ops.assumingMemoryBound(to: Ops.self), instance, &fault)
        }
    }

    private func geometry(_ device: UInt64, _ room: UnsafeMutableRawBufferPointer, _ replied: inout Int) -> Int32 {
        var geometry = DrvBlockGeometry()
        geometry.size = UInt32(MemoryLayout<DrvBlockGeometry>.size)
        let result = with(device) { (own, ops: UnsafePointer<DrvBlockOps>, instance, fault) in
            drv_call_geometry(own, ops, instance, &geometry, &fault)
        }
        room.storeBytes(of: geometry, as: DrvBlockGeometry.self)
        replied = MemoryLayout<DrvBlockGeometry>.size
        return result
    }

    private func submit(_ request: MixObjRequest, _ body: UnsafeRawBufferPointer) -> Int32 {
        let name = request.arg.2
        let hasData = request.flags == DRV_BLOCK_READ || request.flags == DRV_BLOCK_WRITE
        let size = hasData ? Int(clamping: request.size) * 512 : 0
        guard size <= 1 << 20, request.flags != DRV_BLOCK_WRITE || body.count == size else { return DRV_EINVAL }
        // Page-aligned: a driver may hand it to its device as it is.
        let data = UnsafeMutableRawBufferPointer.allocate(byteCount: max(size, 1), alignment: 4096)
        if request.flags == DRV_BLOCK_WRITE { data.copyMemory(from: body) }
        return with(request.arg.1) { (own, ops: UnsafePointer<DrvBlockOps>, instance, fault) in
            requests[name] = Transfer(op: request.flags, data: UnsafeMutableRawBufferPointer(rebasing: data[..<size]))
            var asked = DrvBlockRequest(
                op: request.flags, count: UInt32(clamping: request.size), sector: request.offset,
                data: hasData ? data.baseAddress : nil, request: name)
            let result = drv_call_submit(own, ops, instance, &asked, &fault)
            if result < 0 { requests.removeValue(forKey: name)?.data.deallocate() }
            return result
        }
    }
}
