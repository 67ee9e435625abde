import CChorus

extension Actor {
    /// An exception of the calling thread, in code of this actor at `place`. Whether the thread goes on, with the
    /// context that `exception` has then; else its host process ends, and the log says of what.
    public func decide(_ exception: inout KnException, at place: String) -> Bool {
        let thread = Thread.current(site, in: self)
        exception.service = KN_EXCEPTION
        exception.answer = 0
        exception.actor = cap.ui
        exception.thread = thread.li
        let began = site.trace.begin()
        thread.waitsAs = "exception"
        let code = ask(&exception, thread)
        thread.waitsAs = nil
        site.trace.add(
            K_TR_FAULT, exception.address,
            UInt64(UInt32(bitPattern: exception.code)) << 32 | UInt64(UInt32(bitPattern: exception.number)),
            exception.context.rip, cap.ui.raw, thread: thread.li, since: began)
        if code == K_CONTEXT { return true }
        site.report(
            0,
            "\(name): \(Self.signal(exception.number)) at address \(Self.hex(exception.address)), thread \(thread.li)"
                + (thread.name.isEmpty ? "" : " (\(thread.name))") + ", in \(Self.printable(place))")
        return false
    }

    /// A connected handler, else the exception port, else nobody.
    private func ask(_ exception: inout KnException, _ thread: Thread) -> Int32 {
        if let handler = site.exceptions.find(cap.ui.raw) {
            let before = exception
            let code = handler.ask(&exception, thread)
            // Its actor has gone, or goes: nobody has decided.
            let isOver = code == K_EUNKNOWN || code == K_EDEADSERVER || handler.owner.isDeleted
            if code == K_CONTEXT || !isOver { return code }
            exception = before
        }
        guard let port = state.withLock({ $0.exceptionPort }) else { return K_OK }
        return ask(port, &exception)
    }

    private func ask(_ port: KnUniqueId, _ exception: inout KnException) -> Int32 {
        withUnsafeTemporaryAllocation(byteCount: Int(K_CMSGANNEXSIZE), alignment: 16) { annex in
            guard let base = annex.baseAddress else { return K_ENOMEM }
            annex.initializeMemory(as: UInt8.self, repeating: 0)
            base.storeBytes(of: exception, as: KnException.self)
            let request = Request(
                source: K_DEFAULTPORT, dest: KnIpcDest(target: port, coTarget: KnUniqueId()), mode: K_FUNCMODE,
                annex: UnsafeRawPointer(base), body: nil, bodySize: 0)
            let code: Int32
            do throws(KnError) {
                code = try site.kernel.ipcCall(
                    request, ReplyPlace(annex: base, body: nil, size: nil), flags: K_ABORTABLE, delay: K_NOTIMEOUT)
            } catch {
                site.report(1, "\(name): the exception port does not answer (\(error.rawValue))")
                return error.rawValue
            }
            guard code == K_OK else {
                site.report(1, "\(name): the exception port does not answer (\(code))")
                return code
            }
            let answer = base.load(as: KnException.self)
            if answer.answer == K_CONTEXT { exception.context = answer.context }
            return answer.answer
        }
    }

    func setExceptionPort(_ port: KnUniqueId?) throws(KnError) {
        if let port {
            guard let type = port.type, type == .port || type.isGroup else { throw .invalid }
        }
        state.withLock { $0.exceptionPort = port }
    }

    // MARK: words

    private static func signal(_ number: Int32) -> String {
        switch number {
        case 4: "SIGILL"
        case 5: "SIGTRAP"
        case 7: "SIGBUS"
        case 8: "SIGFPE"
        case 11: "SIGSEGV"
        default: "signal \(number)"
        }
    }

    private static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

    /// What an actor says of itself may be anything.
    private static func printable(_ text: String) -> String {
        String(decoding: text.utf8.map { $0 > 32 && $0 < 127 ? $0 : 63 }, as: UTF8.self)
    }
}
