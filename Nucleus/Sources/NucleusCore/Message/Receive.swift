import CChorus
import Synchronization

extension Actor {
    /// The next message becomes the thread's current one. Returns the LI of the port it came in on.
    func ipcReceive(
        _ li: KnPortLid, _ head: UnsafeMutablePointer<KnMsgHead>?, _ annex: UnsafeMutableRawPointer?,
        _ body: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<UInt32>?, _ delay: Int32
    ) throws(KnError) -> Int32 {
        if isDeleted { throw .deadActor }
        let thread = Thread.current(site, in: self)
        guard thread.frame == nil else { throw .invalid }
        if delay != 0, thread.takeAborted() { throw .aborted }
        thread.dropMessage()
        let port: Port?
        do throws(KnError) { port = li == K_ANYENABLED ? nil : try self.port(li) } catch {
            throw isDeleted ? .deadActor : error
        }
        let receiver = Receiver(thread, port)
        thread.arm(abortable: true)
        let now = room.withLock { room -> Int32? in
            if let port {
                guard room.ports[li] === port else { return room.closed ? K_EDEADACTOR : K_EUNKNOWN }
                guard port.connection != .connected else { return K_EINVAL }
            }
            while let from = port ?? room.bestEnabled() {
                if let message = room.take(from, thread) {
                    receiver.message = message
                    return K_OK
                }
                // A queue of which nobody cares for any message is empty now.
                if port != nil { break }
            }
            if delay == 0 { return K_ENOMSG }
            room.receivers.append(receiver)
            return nil
        }
        var code = K_OK
        if let now {
            thread.disarm()
            code = now
        } else {
            code = thread.sleep(self, "ipcReceive", abortable: true, deadline: deadline(site.host, delay))
            if code != K_OK { room.withLock { $0.receivers.removeAll { $0 === receiver } } }
        }
        guard code == K_OK else { throw KnError(rawValue: code) }
        guard let message = receiver.message else { throw .noMessage }
        message.holder = self
        thread.message = message
        head?.pointee = message.head
        annex?.copyMemory(from: message.annex, byteCount: Int(K_CMSGANNEXSIZE))
        let capacity = size?.pointee ?? 0
        size?.pointee = message.bodySize
        if let body, message.bodySize > 0 {
            // The message stays current: ipcGetData fetches the body with more room.
            guard capacity >= message.bodySize else { throw .tooBig }
            body.copyMemory(from: message.body, byteCount: Int(message.bodySize))
            message.bodyTaken = true
        }
        return message.li
    }

    func ipcReply(
        _ annex: UnsafeRawPointer?, _ body: UnsafeRawPointer?, _ size: UInt32
    ) throws(KnError) -> Int32 {
        if size > K_CMSGSIZEMAX { throw .tooBig }
        if size > 0, body == nil { throw .fault }
        let thread = Thread.current(site, in: self)
        // Inside a handler the answer is what the handler leaves in its reply buffers.
        guard thread.frame == nil else { throw .invalid }
        guard let message = thread.current, message.holder === self else { throw .noMessage }
        thread.message = nil
        guard let transaction = message.transaction else { return K_OK }
        message.holder?.room.withLock { _ = $0.held.removeValue(forKey: transaction.id) }
        return transaction.reply(annex, body, size)
    }

    func ipcGetData(_ body: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<UInt32>?) throws(KnError) -> Int32 {
        guard let message = Thread.current(site, in: self).current, message.holder === self else { throw .noMessage }
        guard let size else { throw .fault }
        guard !message.bodyTaken else { throw .noMessage }
        let capacity = size.pointee
        size.pointee = message.bodySize
        guard capacity >= message.bodySize else { throw .tooBig }
        if message.bodySize > 0 {
            guard let body else { throw .fault }
            body.copyMemory(from: message.body, byteCount: Int(message.bodySize))
        }
        message.bodyTaken = true
        return Int32(message.bodySize)
    }

    /// Parks the current message; its id.
    func ipcSave() throws(KnError) -> Int32 {
        let thread = Thread.current(site, in: self)
        guard let message = thread.current, message.holder === self else { throw .noMessage }
        let id = room.withLock { room -> Int32 in
            guard room.saved.count < Int(K_CMSGSAVEDMAX) else { return K_EFULL }
            repeat {
                room.lastSaved = room.lastSaved == Int32.max ? 1 : room.lastSaved + 1
            } while room.saved[room.lastSaved] != nil
            room.saved[room.lastSaved] = message
            return room.lastSaved
        }
        guard id > 0 else { throw KnError(rawValue: id) }
        _ = message.transaction?.serve(nil)
        thread.message = nil
        return id
    }

    func ipcRestore(_ id: Int32) throws(KnError) -> Int32 {
        let thread = Thread.current(site, in: self)
        guard thread.frame == nil else { throw .invalid }
        guard let message = room.withLock({ $0.saved.removeValue(forKey: id) }) else { throw .unknown }
        thread.dropMessage()
        _ = message.transaction?.serve(thread)
        thread.message = message
        return K_OK
    }

    func ipcSysInfo() throws(KnError) -> KnMsgHead {
        let thread = Thread.current(site, in: self)
        if let frame = thread.frame {
            guard let head = frame.pointee.head else { throw .noMessage }
            return head.pointee
        }
        // On a thread of several actors a message is only whose it is.
        guard let message = thread.message, message.holder === self else { throw .noMessage }
        return message.head
    }
}

extension Thread {
    /// The received message, unless the thread is inside a handler, which has none but its own.
    var current: Message? { frame == nil ? message : nil }

    /// The current message goes unanswered: a client that waits must not wait for ever.
    func dropMessage() {
        guard let message else { return }
        self.message = nil
        guard let transaction = message.transaction else { return }
        message.holder?.room.withLock { _ = $0.held.removeValue(forKey: transaction.id) }
        transaction.fail(K_EDEADSERVER)
    }
}
