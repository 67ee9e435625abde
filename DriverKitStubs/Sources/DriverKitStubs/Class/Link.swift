import CChorus
import CMiXDriver
import Glibc
import SimulatedBus

/// The users' side of a network device: one opener at a time, and a bounded queue of the frames that came for it.
final class Link: @unchecked Sendable {
    // Sendable: state behind the lock.
    private let lock = Lock()
    private var state = State()

    private struct State {
        /// While it is open.
        var frames: FrameRing?
        var mtu = 0
        /// The port that is told (DEV_READY); zeros: the Device Manager.
        var opener = KnUniqueId()
        /// Its driver answers no more.
        var hasFailed = false
        var info = MixNetInfo()
    }

    /// Frames kept for a reader who does not come.
    private static let depth = 256

    /// False: somebody has it.
    func open(_ mtu: Int, _ opener: KnUniqueId) -> Bool {
        lock.with {
            guard state.frames == nil else { return false }
            let most = max(Ethernet.leastMtu, min(mtu, Ethernet.mostMtu))
            state.mtu = most
            state.opener = opener
            state.frames = FrameRing(frames: Self.depth, most: most + Ethernet.header + Ethernet.tag)
            return true
        }
    }

    func close() { lock.with { state.frames = nil } }

    /// nil: the Device Manager.
    var opener: KnUniqueId? {
        lock.with { state.opener.uiHead | state.opener.uiTail == 0 ? nil : state.opener }
    }

    func fail(_ hasFailed: Bool) { lock.with { state.hasFailed = hasFailed } }

    /// Whether the opener is to be told: there was nothing before.
    func keep(_ frame: UnsafeRawBufferPointer) -> Bool {
        lock.with {
            guard let frames = state.frames else { return false }  // nobody wants it
            let wasEmpty = frames.count == 0
            guard frames.append(frame.count, { $0.copyMemory(from: frame) }) else {
                state.info.dropped &+= 1
                return false
            }
            state.info.received &+= 1
            state.info.receivedBytes &+= UInt64(frame.count)
            return wasEmpty
        }
    }

    /// The next frame, cut to the room there is: bytes put there, the frame's own, and how many frames are left. Else -errno.
    func take(_ room: UnsafeMutableRawBufferPointer) -> (put: Int64, size: Int, left: Int) {
        lock.with {
            guard let frames = state.frames else { return (-Int64(EBADF), 0, 0) }
            let taken = frames.take { frame in
                let count = min(frame.count, room.count)
                room.copyMemory(from: UnsafeRawBufferPointer(rebasing: frame[..<count]))
                return (count, frame.count)
            }
            guard let (count, size) = taken else { return (-Int64(state.hasFailed ? EIO : EAGAIN), 0, 0) }
            return (Int64(count), size, frames.count)
        }
    }

    /// 0 where it may be sent, or -errno.
    func mayBeSent(_ frame: UnsafeRawBufferPointer) -> Int64 {
        let mtu = lock.with { state.frames == nil ? nil : state.mtu }
        guard let mtu else { return -Int64(EBADF) }
        if frame.count < Ethernet.header { return -Int64(EINVAL) }
        return frame.count > Ethernet.most(mtu, frame) ? -Int64(EMSGSIZE) : 0
    }

    func sent(_ count: Int) {
        lock.with {
            state.info.sent &+= 1
            state.info.sentBytes &+= UInt64(count)
        }
    }

    /// What it counted, and what waits.
    var info: MixNetInfo {
        lock.with {
            var info = state.info
            info.queued = UInt32(state.frames?.count ?? 0)
            return info
        }
    }
}
