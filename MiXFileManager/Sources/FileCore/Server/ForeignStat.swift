import ActorKit
import CChorus
import CMiXFile

extension FileServer {
    /// stat(2) through a magic link: the object's own server answers.
    func foreignStat(_ other: MixObjReply, _ request: Request, _ reply: inout Reply) throws(Errno) {
        var ask = MixObjRequest()
        ask.op = OBJ_STAT
        ask.key = other.key
        ask.cred = request.caller.cred.pointee
        var destination = KnIpcDest(
            target: KnUniqueId(uiHead: other.serverHead, uiTail: other.serverTail), coTarget: KnUniqueId())
        var code: Int32 = 0
        var answer = MixObjReply()
        var stat = MixStat()
        withUnsafeTemporaryAllocation(byteCount: 2 * Int(K_CMSGANNEXSIZE), alignment: 16) { memory in
            memory.initializeMemory(as: UInt8.self, repeating: 0)
            guard let base = memory.baseAddress else { return }
            base.storeBytes(of: ask, as: MixObjRequest.self)
            var size = UInt32(MemoryLayout<MixStat>.size)
            code = nucleus.ipcCall(
                K_DEFAULTPORT, &destination, K_FUNCMODE, base, nil, 0, base + Int(K_CMSGANNEXSIZE), &stat, &size, 0,
                5000)
            answer = (base + Int(K_CMSGANNEXSIZE)).load(as: MixObjReply.self)
        }
        if code < 0 { throw .EIO }
        if answer.diag < 0 { throw Errno(Int32(truncatingIfNeeded: -answer.diag)) }
        // A device server knows no file system: its device is the node that it registered, as fstat(2) has it.
        if let device = devices.find(type: stat.mode & Linux.S_IFMT, rdev: stat.rdev),
            device.serverHead == other.serverHead, device.serverTail == other.serverTail
        {
            stat.dev = devfs.dev
            stat.ino = device.ino
        }
        reply.annex.mode = stat.mode
        reply.annex.size = stat.size
        reply.annex.ino = stat.ino
        try reply.put(struct: stat, request)
    }
}
