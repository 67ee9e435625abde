import ActorKit
import CChorus
import Glibc
import NucleusCore
import Synchronization

/// A mapper of one segment in memory, at a port of `actor`, that keeps count of what it is asked.
public final class TestMapper: @unchecked Sendable {
    // Sendable: locked, or set up before the port has a handler.
    public struct State: Sendable {
        public var bytes: [UInt8]
        public var asked: [UInt32] = []
        public var lccap = KnCap()
        public var wantedBytes: UInt64 = 0
        public var order: UInt64 = 1
        /// Segments that were made and released.
        public var made: [KnKey] = []
        public var released: [KnKey] = []
        /// Done once, before the answer to the next pull-in.
        public var beforeAnswer: (@Sendable (TestMapper) -> Void)?
    }
    /// What it does wrong, by request.
    public enum Fault: Sendable {
        case none, refuses, refusesData, shortData, shiftedData, greedyRights, nonsense, silent
    }

    public let state: Mutex<State>
    public let segment: KnCap
    public let fault = Mutex(Fault.none)
    public let grantsWriting = Atomic<Bool>(true)
    private let cluster: UInt64
    /// Of its segments.
    private let options: UInt32
    public let hold = Atomic<Bool>(false)
    /// Before rights are granted to a cache: takes from others what contradicts them. What it returns is called when the
    /// answer is made.
    public var sharing: (@Sendable (_ lccap: KnCap, _ access: UInt32) -> (@Sendable () -> Void))?

    public init(_ actor: Actor, _ bytes: [UInt8], cluster: UInt64 = 65536, options: UInt32 = 0) {
        state = Mutex(State(bytes: bytes))
        self.cluster = cluster
        self.options = options
        let nucleus = Nucleus(actor.table)
        var ui = KnUniqueId()
        let li = nucleus.portCreate(nil, &ui)
        segment = KnCap(ui: ui, key: KnKey(keyHead: 77, keyTail: 1))
        // Kept for good: its handler stays connected, and the nucleus may ask when the test is over.
        _ = nucleus.svMsgHandler(li, Self.handler, Unmanaged.passRetained(self).toOpaque())
    }

    public func count(_ service: UInt32) -> Int { state.withLock { $0.asked.count { $0 == service } } }

    private static let handler: KnMsgHdl = { cookie, _, annex, body, size, replyAnnex, replyBody, replySize in
        guard let cookie, let annex, let replyAnnex, let replySize else { return K_EFAULT }
        let mapper = Unmanaged<TestMapper>.fromOpaque(cookie).takeUnretainedValue()
        while mapper.hold.load(ordering: .sequentiallyConsistent) { usleep(500) }
        if annex.load(as: UInt32.self) == KN_MPPULLIN {
            let before = mapper.state.withLock { state in
                defer { state.beforeAnswer = nil }
                return state.beforeAnswer
            }
            before?(mapper)
        }
        let given = UnsafeRawBufferPointer(start: body, count: Int(size))
        let room = UnsafeMutableRawBufferPointer(start: replyBody, count: replyBody == nil ? 0 : Int(replySize.pointee))
        var granted: (@Sendable () -> Void)?
        let service = annex.load(as: UInt32.self)
        if service == KN_MPPULLIN || service == KN_MPGETACCESS {
            // The two have these at the same place.
            let ask = annex.load(as: KnMpGetAccess.self)
            granted = mapper.sharing?(ask.lccap, ask.requiredAccess)
        }
        replySize.pointee = mapper.answer(annex, given, replyAnnex, room)
        granted?()
        return K_OK
    }

    private func answer(
        _ annex: UnsafeRawPointer, _ body: UnsafeRawBufferPointer, _ reply: UnsafeMutableRawPointer,
        _ room: UnsafeMutableRawBufferPointer
    ) -> UInt32 {
        let service = annex.load(as: UInt32.self), fault = fault.withLock { $0 }
        return state.withLock { state in
            state.asked.append(service)
            if fault == .refuses || fault == .refusesData && service == KN_MPPUSHOUT {
                reply.storeBytes(of: KnMpDone(diag: K_EPRIV, size: 8), as: KnMpDone.self)
                return 0
            }
            if fault == .nonsense {
                reply.initializeMemory(as: UInt8.self, repeating: 0x5a, count: Int(K_CMSGANNEXSIZE))
                reply.storeBytes(of: 0, as: Int32.self)
                return 0
            }
            switch service {
            case KN_MPSTAT:
                state.lccap = annex.load(as: KnMpStat.self).lccap
                reply.storeBytes(
                    of: KnMpAttributes(
                        diag: 0, size: UInt32(MemoryLayout<KnMpAttributes>.size),
                        segmentSize: UInt64(state.bytes.count),
                        inClusterSize: cluster, outClusterSize: cluster, options: options, pad: 0),
                    as: KnMpAttributes.self)
            case KN_MPPULLIN:
                let ask = annex.load(as: KnMpPullIn.self)
                state.wantedBytes = ask.dataSize
                var start = ask.dataOffset
                let end = min(ask.dataOffset + ask.dataSize, UInt64(state.bytes.count))
                var size = end - start
                if fault == .shortData { size -= 4096 }
                if fault == .shiftedData { start += 100 }
                for i in 0..<Int(min(size, UInt64(room.count))) {
                    room[i] = state.bytes[Int(start) + i - Int(start - ask.dataOffset)]
                }
                grant(reply, ask.requiredAccess, ask.accessOffset, ask.accessSize, start, size, &state, fault)
                return UInt32(size)
            case KN_MPGETACCESS:
                let ask = annex.load(as: KnMpGetAccess.self)
                grant(reply, ask.requiredAccess, ask.accessOffset, ask.accessSize, 0, 0, &state, fault)
            case KN_MPPUSHOUT:
                let ask = annex.load(as: KnMpPushOut.self)
                let end = Int(ask.dataOffset) + body.count
                while state.bytes.count < end { state.bytes.append(0) }
                state.bytes.replaceSubrange(Int(ask.dataOffset)..<end, with: body)
                reply.storeBytes(of: KnMpDone(diag: 0, size: 8), as: KnMpDone.self)
            case KN_MPCREATE:
                let made = KnKey(keyHead: 77, keyTail: UInt32(100 + state.made.count))
                state.made.append(made)
                reply.storeBytes(
                    of: KnMpCreated(
                        diag: 0, size: UInt32(MemoryLayout<KnMpCreated>.size),
                        segcap: KnCap(ui: segment.ui, key: made), options: 0, pad: 0), as: KnMpCreated.self)
            case KN_MPRELEASE:
                state.released.append(annex.load(as: KnMpRelease.self).segkey)
                reply.storeBytes(of: KnMpDone(diag: 0, size: 8), as: KnMpDone.self)
            default: reply.storeBytes(of: KnMpDone(diag: 0, size: 8), as: KnMpDone.self)
            }
            return 0
        }
    }

    private func grant(
        _ reply: UnsafeMutableRawPointer, _ required: UInt32, _ offset: UInt64, _ size: UInt64, _ dataOffset: UInt64,
        _ dataSize: UInt64, _ state: inout State, _ fault: Fault
    ) {
        var access = required | K_READABLE
        if required & K_WRITABLE != 0, !grantsWriting.load(ordering: .relaxed) { access = K_READABLE }
        if fault == .greedyRights { access |= 0x8000 }
        state.order += 1
        reply.storeBytes(
            of: KnMpAccess(
                diag: 0, size: UInt32(MemoryLayout<KnMpAccess>.size), grantedAccess: access, pad: 0,
                ordinalNumber: state.order, returnAccessOffset: offset, returnAccessSize: size, inClusterSize: 0,
                outClusterSize: 0, returnDataOffset: dataOffset, returnDataSize: dataSize), as: KnMpAccess.self)
    }
}

extension Nucleus {
    /// Bytes of a segment, or a code.
    public func read(_ segment: KnCap, _ offset: UInt64, _ count: Int) -> (code: Int32, bytes: [UInt8]) {
        var range = KnObjDesc(dataObject: segment, startOffset: offset, size: 0)
        var bytes = [UInt8](repeating: 0xee, count: count)
        var size = UInt32(count)
        let code = sgRead(&range, &bytes, &size)
        return (code, code < 0 ? [] : Array(bytes.prefix(Int(size))))
    }

    public func write(_ segment: KnCap, _ offset: UInt64, _ bytes: [UInt8]) -> Int32 {
        var range = KnObjDesc(dataObject: segment, startOffset: offset, size: 0)
        return sgWrite(&range, bytes, UInt32(bytes.count))
    }
}
