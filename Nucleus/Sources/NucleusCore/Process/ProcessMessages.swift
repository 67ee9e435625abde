import CChorus
import Synchronization

/// Calls of processes about messages. What a descriptor says is copied once, then used.
extension ProcessCall {
    func messageCall() throws(KnError) -> Int32 {
        switch op {
        case K_USR_IPCSEND: return try send()
        case K_USR_IPCCALL: return try call()
        case K_USR_IPCRECEIVE: return try receive()
        case K_USR_IPCREPLY:
            return try withMessage(word(0)) { (message) throws(KnError) in
                try actor.ipcReply(message.annex, message.body, message.size)
            }
        case K_USR_IPCGETDATA: return try getData()
        case K_USR_IPCSAVE: return try actor.ipcSave()
        case K_USR_IPCRESTORE: return try actor.ipcRestore(int(0))
        default:
            try memory.write(actor.ipcSysInfo(), to: word(0))
            return K_OK
        }
    }

    private func send() throws(KnError) -> Int32 {
        let dest = try memory.read(KnIpcDest(), from: word(2))
        return try withMessage(word(0)) { (message) throws(KnError) in
            try actor.ipcSend(message.request(int(1), dest, uint(3)))
        }
    }

    private func call() throws(KnError) -> Int32 {
        let dest = try memory.read(KnIpcDest(), from: word(2))
        var reply = try memory.read(KnMsgDesc(), from: word(4))
        let room = reply.bodyAddr == nil ? 0 : min(reply.bodySize, UInt32(K_CMSGSIZEMAX))
        let annexSize = Int(K_CMSGANNEXSIZE)
        // The annex, the size, and the body at the next multiple of 16.
        let body = annexSize + 16
        let answer = UnsafeMutableRawPointer.allocate(byteCount: body + Int(room), alignment: 16)
        defer { answer.deallocate() }
        answer.initializeMemory(as: UInt8.self, repeating: 0, count: annexSize)
        let size = (answer + annexSize).bindMemory(to: UInt32.self, capacity: 1)
        size.initialize(to: room)
        let code = try withMessage(word(0)) { (message) throws(KnError) in
            try actor.ipcCall(
                message.request(int(1), dest, uint(3)),
                ReplyPlace(annex: answer, body: room > 0 ? answer + body : nil, size: size),
                flags: UInt32(K_ABORTABLE), delay: int(5))
        }
        guard code == K_OK else { return code }
        if reply.annexAddr != nil {
            try memory.write(UnsafeRawBufferPointer(start: answer, count: annexSize), to: address(reply.annexAddr))
        }
        let count = room > 0 ? size.pointee : 0
        if count > 0 {
            let bytes = UnsafeRawBufferPointer(start: answer + body, count: Int(count))
            try memory.write(bytes, to: address(reply.bodyAddr))
        }
        reply.bodySize = count
        try memory.write(reply, to: word(4))
        return K_OK
    }

    /// The body goes to the process straight from the message; until it has arrived the message keeps it.
    private func receive() throws(KnError) -> Int32 {
        var desc = try memory.read(KnMsgDesc(), from: word(0))
        let li = try actor.ipcReceive(int(1), nil, nil, nil, nil, int(2))
        guard let message = thread.message else { throw .noMessage }
        if let annex = desc.annexAddr {
            let bytes = UnsafeRawBufferPointer(start: message.annex, count: Int(K_CMSGANNEXSIZE))
            try memory.write(bytes, to: address(annex))
        }
        let capacity = desc.bodySize
        desc.bodySize = message.bodySize
        try memory.write(desc, to: word(0))
        if let body = desc.bodyAddr { try deliver(message, address(body), capacity) }
        return li
    }

    private func getData() throws(KnError) -> Int32 {
        var desc = try memory.read(KnMsgDesc(), from: word(0))
        guard let message = thread.current, !message.bodyTaken else { throw .noMessage }
        let capacity = desc.bodySize
        desc.bodySize = message.bodySize
        try memory.write(desc, to: word(0))
        if message.bodySize > 0, desc.bodyAddr == nil { throw .fault }
        try deliver(message, address(desc.bodyAddr), capacity)
        return Int32(message.bodySize)
    }

    private func deliver(_ message: Message, _ to: UInt64, _ capacity: UInt32) throws(KnError) {
        guard capacity >= message.bodySize else { throw .tooBig }
        if message.bodySize > 0 {
            try memory.write(UnsafeRawBufferPointer(start: message.body, count: Int(message.bodySize)), to: to)
        }
        message.bodyTaken = true
    }

    // MARK: what a process sends

    private struct Outgoing {
        var annex: UnsafeRawPointer?
        var body: UnsafeRawPointer?
        var size: UInt32

        func request(_ source: KnPortLid, _ dest: KnIpcDest, _ mode: UInt32) -> Request {
            Request(source: source, dest: dest, mode: mode, annex: annex, body: body, bodySize: size)
        }
    }

    /// Runs `body` with the nucleus' own copy of a message; a body that is moved leaves the process once that went well.
    private func withMessage(
        _ descriptor: UInt64, _ body: (Outgoing) throws(KnError) -> Int32
    ) throws(KnError) -> Int32 {
        let desc = try memory.read(KnMsgDesc(), from: descriptor)
        guard desc.flags & ~UInt32(K_ABORTABLE | K_MSG_MOVE) == 0 else { throw .invalid }
        guard desc.bodySize <= UInt32(K_CMSGSIZEMAX) else { throw .tooBig }
        if desc.bodySize > 0, desc.bodyAddr == nil { throw .fault }
        let annexSize = Int(K_CMSGANNEXSIZE)
        let size = Int(desc.bodySize)
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: annexSize + size, alignment: 16)
        defer { copy.deallocate() }
        let annex = UnsafeMutableRawBufferPointer(rebasing: copy[..<annexSize])
        let data = UnsafeMutableRawBufferPointer(rebasing: copy[annexSize...])
        if let from = desc.annexAddr { try memory.read(into: annex, from: address(from)) }
        if size > 0 { try memory.read(into: data, from: address(desc.bodyAddr)) }
        let result = try body(
            Outgoing(
                annex: desc.annexAddr == nil ? nil : UnsafeRawPointer(annex.baseAddress),
                body: size > 0 ? UnsafeRawPointer(data.baseAddress) : nil, size: desc.bodySize))
        if desc.flags & UInt32(K_MSG_MOVE) != 0, result >= 0 {
            memory.release(address(desc.bodyAddr), UInt64(desc.bodySize))
        }
        return result
    }

    private func address(_ pointer: UnsafeMutableRawPointer?) -> UInt64 { UInt64(UInt(bitPattern: pointer)) }
}
