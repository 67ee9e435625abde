import CChorus
import CDriverGuard
import CMiXDriver
import Glibc

/// Requests on network links (mix/mixDriver.h).
extension DriverServer {
    func openLink(_ registration: Registration, _ link: Link, _ exchange: inout Exchange) -> Int64 {
        let info: DrvNetInfo
        switch linkInfo(registration) {
        case .success(let found): info = found
        case .failure(let error): return error.diag
        }
        let arg = exchange.request.arg
        let opener = KnUniqueId(
            uiHead: UInt32(truncatingIfNeeded: arg.1), uiTail: UInt32(truncatingIfNeeded: arg.2))
        guard link.open(Int(info.mtu), opener) else { return -Int64(EBUSY) }
        exchange.reply.size = UInt64(info.mtu)
        return 0
    }

    func useLink(_ registration: Registration, _ link: Link, _ exchange: inout Exchange) -> Int64 {
        let body = exchange.body
        switch exchange.request.op {
        case DRV_READ:
            let room = exchange.room.count
            let (put, size, left) = link.take(
                UnsafeMutableRawBufferPointer(
                    rebasing: exchange.room[..<min(room, Int(clamping: exchange.request.size))]))
            (exchange.reply.size, exchange.reply.value.0) = (UInt64(size), UInt64(left))
            exchange.replied = Int(max(0, put))
            return put
        case DRV_WRITE:
            let refusal = link.mayBeSent(body)
            guard refusal == 0 else { return refusal }
            let result = registration.call(DrvNetOps.self) { own, ops, instance, fault in
                drv_call_send(own, ops, instance, body.baseAddress, UInt32(body.count), &fault)
            }
            guard result >= 0 else { return DriverError(result).diag }
            link.sent(body.count)
            return Int64(body.count)
        case DRV_CONTROL where exchange.request.arg.1 == UInt64(DRV_NET_INFO):
            guard exchange.room.count >= MemoryLayout<MixNetInfo>.size else { return -Int64(EFAULT) }
            switch linkInfo(registration) {
            case .failure(let error): return error.diag
            case .success(let found):
                var info = link.info
                (info.address, info.mtu, info.flags) = (found.address, found.mtu, found.flags & DRV_NET_UP)
                exchange.room.storeBytes(of: info, as: MixNetInfo.self)
                exchange.replied = MemoryLayout<MixNetInfo>.size
                return 0
            }
        default: return -Int64(ENOTTY)
        }
    }

    private func linkInfo(_ registration: Registration) -> Result<DrvNetInfo, DriverError> {
        var info = DrvNetInfo()
        info.size = UInt32(MemoryLayout<DrvNetInfo>.size)
        info.flags = DRV_NET_UP  // of drivers that do not know the member
        let result = registration.call(DrvNetOps.self) { own, ops, instance, fault in
            drv_call_net_info(own, ops, instance, &info, &fault)
        }
        return result >= 0 ? .success(info) : .failure(DriverError(result))
    }
}
