import CChorus
import CDriver
import CMiXDriver
import CMiXFile
import Manifest
import ObjectNote

/// Drivers and devices of a running site: requests to the drivers' home (mix/mixDriver.h).
extension Site {
    /// Checks the object, whatever its minor ABI number, and has it loaded. How many instances it made.
    @discardableResult
    func loadDriver(_ file: String, _ order: DriverOrder = DriverOrder()) throws(LoadError) -> Int {
        do throws(ObjectError) {
            _ = try ObjectNote.check(
                file: file, kind: .driver, entry: DRV_ENTRY, abi: (UInt16(DRV_ABI_MAJOR), UInt16(DRV_ABI_MINOR)))
        } catch {
            throw LoadError("\(error)")
        }
        return Int(try manage(UInt32(DRV_LOAD), file + "\0" + order.device, flags: order.flags, order.restarts))
    }

    /// How a driver is loaded, beside its file.
    struct DriverOrder {
        var replaces = false
        /// nil: where the drivers' home is.
        var privilege: Privilege?
        /// The one device that it is for; "" for all that it matches.
        var device = ""
        var restarts: UInt64 = 0

        init() {}

        init(_ entry: DriverEntry) {
            (privilege, device, restarts) = (entry.privilege, entry.device ?? "", entry.restarts)
        }

        /// As the control socket has them: new or replace, a privilege or -, a device or -, never, always or a count.
        init(_ words: ArraySlice<String>) throws(LoadError) {
            let words = Array(words) + ["new", "-", "-", "never"].dropFirst(words.count)
            let kinds = ["-": nil, "user": Privilege.user, "supervisor": .supervisor]
            guard words.count == 4, let privilege = kinds[words[1]],
                let restarts = words[3] == "never" ? 0 : words[3] == "always" ? .max : UInt64(words[3])
            else { throw LoadError("load wants a file, new or replace, a privilege, a device and restarts") }
            if restarts > 0, privilege != .user {
                throw LoadError("restarts are for a driver with a process of its own: --privilege user")
            }
            self.privilege = privilege
            (replaces, device, self.restarts) = (words[0] == "replace", words[2] == "-" ? "" : words[2], restarts)
        }

        var flags: UInt32 {
            (replaces ? UInt32(DRV_REPLACE) : 0)
                | (privilege == .user ? UInt32(DRV_USER) : privilege == .supervisor ? UInt32(DRV_SUPERVISOR) : 0)
        }
    }

    /// A request of one line; its diag.
    @discardableResult
    func manage(_ op: UInt32, _ line: String, flags: UInt32 = 0, _ argument: UInt64 = 0) throws(LoadError) -> Int64 {
        var request = MixObjRequest()
        request.op = op
        request.flags = flags
        request.arg.0 = argument
        let answer = try driverCall(request, body: Array(line.utf8) + [0], room: 1024)
        guard answer.reply.diag < 0 else { return answer.reply.diag }
        let why = String(decoding: answer.body, as: UTF8.self)
        throw LoadError(why.isEmpty ? "errno \(-answer.reply.diag)" : why)
    }

    func driverCall(_ request: MixObjRequest, body: [UInt8] = [], room: Int) throws(LoadError) -> Answer {
        guard let home = loaded.first(where: { $0.entry.group?.stamp == K_STAMP_DRIVER }) else {
            throw LoadError("no actor of this site serves group DRIVER, which has the drivers")
        }
        if heartbeat(home.cap) == K_EDEADACTOR {
            throw LoadError("the drivers' home is gone (\(home.entry.name)): there are no devices any more")
        }
        return try call(K_STAMP_DRIVER, request, body: body, room: room, delay: 120_000)
    }

    func driverTable() throws(LoadError) -> String {
        let classes = ["-", "block", "char", "tty", "net", "clock", "entropy", "bus"]
        var table = TextTable([
            "DRIVER", "OBJECT", "PRIVILEGE", "HOST", "RESTARTS", "DEVICE", "REGISTERED", "CLASS", "OPEN", "REQUESTS",
            "ERRORS", "MEMORY", "DMA", "STATE",
        ])
        for entry in try records(UInt32(DRV_LIST), MixDriverEntry()) {
            let class_ = Int(entry.class_)
            table.add([
                fieldText(entry.name), fieldText(entry.object),
                entry.privilege == UInt32(DRV_USER) ? "user" : "supervisor",
                entry.hostPid == 0 ? "-" : "\(entry.hostPid)", "\(entry.restarts)", dash(fieldText(entry.device)),
                dash(fieldText(entry.registered)), class_ < classes.count ? classes[class_] : "?", "\(entry.opens)",
                "\(entry.requests)", "\(entry.errors)", sizeText(entry.memory), sizeText(entry.dma),
                fieldText(entry.state),
            ])
        }
        return table.text
    }

    func deviceTable() throws(LoadError) -> String {
        var table = TextTable(["DEVICE", "MODEL", "LINE", "DRIVER", "ACCESSES", "STRAY DMA", "FAULTS", "NOTES"])
        for entry in try records(UInt32(DRV_DEVICE_LIST), MixBusDeviceEntry()) {
            table.add([
                fieldText(entry.name), fieldText(entry.model), entry.line == .max ? "-" : "\(entry.line)",
                entry.removed != 0 ? "removed" : dash(fieldText(entry.driver)), "\(entry.accesses)", "\(entry.strays)",
                dash(fieldText(entry.faults)), dash(fieldText(entry.notes)),
            ])
        }
        return table.text
    }

    private func dash(_ text: String) -> String { text.isEmpty ? "-" : text }

    private func records<Record: BitwiseCopyable>(_ op: UInt32, _ blank: Record) throws(LoadError) -> [Record] {
        var request = MixObjRequest()
        request.op = op
        request.size = 256 << 10
        let answer = try driverCall(request, room: 256 << 10)
        if answer.reply.diag < 0 { throw LoadError("the drivers' home says -\(-answer.reply.diag)") }
        return answer.records()
    }

    /// Questions of the control socket about drivers and devices; nil for others. Blanks in a word are \\040.
    func answerDrivers(_ words: [String]) throws(LoadError) -> String? {
        let texts = words.map { $0.replacing("\\040", with: " ") }
        switch (words.first, words.count) {
        case ("drivers", 1): return try driverTable()
        case ("devices", 1): return try deviceTable()
        case ("load", 3...6):
            let made = try loadDriver(texts[1], DriverOrder(texts[2...]))
            return "loaded, \(made) \(made == 1 ? "instance" : "instances")\n"
        case ("unload", 2):
            try manage(UInt32(DRV_UNLOAD), texts[1])
            return "unloaded\n"
        case ("device-add", 3...):
            try manage(UInt32(DRV_DEVICE_ADD), words[1...].joined(separator: " "))
            return "added\n"
        case ("device-remove", 3):
            try manage(UInt32(DRV_DEVICE_REMOVE), texts[1], flags: words[2] == "surprise" ? 1 : 0)
            return "removed\n"
        case ("device-faults", 2...):
            try manage(UInt32(DRV_DEVICE_FAULTS), words[1...].joined(separator: " "))
            return "set\n"
        case ("bus-trace", 3): return try busTrace(json: words[1] == "json", from: UInt64(words[2]))
        case ("bus-trace", 2):
            try endBusTrace()
            return "ended\n"
        default: return nil
        }
    }
}

extension Site.Answer {
    /// The body as records, one after the other.
    func records<Record: BitwiseCopyable>() -> [Record] {
        let stride = MemoryLayout<Record>.stride
        return body.withUnsafeBytes { bytes in
            (0..<bytes.count / stride).map { bytes.loadUnaligned(fromByteOffset: $0 * stride, as: Record.self) }
        }
    }
}
