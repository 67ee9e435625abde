import CDriverGuard
import Glibc

/// What happened inside a driver, and where.
func faultText(_ fault: DrvFault, budget: UInt64) -> String {
    var text = [CChar](repeating: 0, count: 256)
    drv_symbol(fault.pc, &text, text.count)
    let place = text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    return fault.signal == DRV_LATE
        ? "took longer than \(budget / 1_000_000_000) s and was cut off in \(place)"
        : "\(signalName(fault.signal)) at address 0x\(String(fault.address, radix: 16)) in \(place)"
}

private func signalName(_ number: Int32) -> String {
    switch number {
    case SIGSEGV: "SIGSEGV"
    case SIGBUS: "SIGBUS"
    case SIGFPE: "SIGFPE"
    case SIGILL: "SIGILL"
    case SIGABRT: "SIGABRT"
    default: "signal \(number)"
    }
}
