import CMiXDriver
import CMiXFile
import Glibc

/// A network link as a character device: read(2) takes one frame, cut to the buffer as recv(2) does with a datagram, write(2)
/// sends one. What it is called and where it is, as tun devices answer it (netdevice(7)).
extension DeviceManager {
    /// struct ifreq.
    private struct InterfaceRequest: BitwiseCopyable {
        var name: (UInt64, UInt64) = (0, 0)
        var value: (UInt64, UInt64, UInt64) = (0, 0, 0)
    }

    func linkIoctl(_ device: AttachedDevice, _ command: UInt32, _ exchange: inout Exchange) -> Int64 {
        let (flagsCommand, mtuCommand, addressCommand): (UInt32, UInt32, UInt32) = (0x8913, 0x8921, 0x8927)  // SIOCGIF*
        guard [flagsCommand, mtuCommand, addressCommand].contains(command) else { return failure(ENOTTY) }
        var info = MixNetInfo()
        let answer = withUnsafeMutableBytes(of: &info) {
            driverCall(DRV_CONTROL, device, arg: (UInt64(DRV_NET_INFO), 0), room: $0)
        }
        guard answer.diag >= 0 else { return answer.diag }
        guard answer.size == MemoryLayout<MixNetInfo>.size else { return failure(EIO) }
        var reply = InterfaceRequest()
        withUnsafeMutableBytes(of: &reply.name) { $0.copyBytes(from: device.name.utf8.prefix(15)) }
        withUnsafeMutableBytes(of: &reply.value) { bytes in
            switch command {
            case mtuCommand: bytes.storeBytes(of: Int32(info.mtu), as: Int32.self)
            case addressCommand:
                bytes.storeBytes(of: 1, as: UInt16.self)  // ARPHRD_ETHER
                withUnsafeBytes(of: &info.address) { bytes[2..<8].copyBytes(from: $0) }
            default:
                // IFF_UP, IFF_BROADCAST, IFF_MULTICAST, and IFF_RUNNING where there is a far end.
                bytes.storeBytes(of: 0x1003 | (info.flags & MIX_NET_UP != 0 ? 0x40 : 0), as: UInt16.self)
            }
        }
        return exchange.put(reply)
    }
}
