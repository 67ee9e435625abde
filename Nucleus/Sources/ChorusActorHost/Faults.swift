import CChorus
import CLane
import Glibc
import KnLane

/// Exceptions of the server's code: the nucleus decides, on the lane of the thread that faulted.
extension ActorHost {
    /// From now on. The host lives as long as the process.
    func catchFaults() {
        kn_lane_catch_faults(
            { own, exception, place in
                guard let own, let exception, let place else { return K_OK }
                return Unmanaged<ActorHost>.fromOpaque(own)._withUnsafeGuaranteedRef { $0.fault(exception, place) }
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// In a signal handler: takes no lock and allocates nothing, as long as the nucleus can be asked.
    private func fault(_ exception: UnsafeMutablePointer<KnException>, _ place: UnsafePointer<CChar>) -> Int32 {
        guard let lane = currentLane else {
            complain(exception, place, "in a thread not made by threadCreate")
            return K_OK
        }
        return lane._withUnsafeGuaranteedRef { lane in
            // The lane is in use: its frames would be overwritten.
            guard !lane.isCalling else {
                complain(exception, place, "by an argument of a nucleus call")
                return K_OK
            }
            return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Int(K_SIG_ARGMAX)) { slots in
                guard let base = slots.baseAddress else { return K_OK }
                base[0] = UInt64(UInt(bitPattern: exception))
                base[1] = UInt64(UInt(bitPattern: place))
                return Int32(truncatingIfNeeded: lane.call(KN_LANE_FAULT, 0, plans.fault, base, self))
            }
        }
    }

    private func complain(_ exception: UnsafeMutablePointer<KnException>, _ place: UnsafePointer<CChar>, _ how: String)
    {
        let address = String(exception.pointee.address, radix: 16)
        kn_lane_complain(
            "chorus-actor-host: \(name): signal \(exception.pointee.number) at address 0x\(address) \(how), in "
                + String(cString: place) + "\n")
    }
}
