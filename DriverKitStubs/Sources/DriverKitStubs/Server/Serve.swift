import CChorus
import CDriverGuard
import CMiXDriver
import CMiXFile
import Glibc
import SimulatedBus

/// One request: what came, and where the answer goes.
struct Exchange {
    let request: MixObjRequest
    let body: UnsafeRawBufferPointer
    let room: UnsafeMutableRawBufferPointer
    var reply = MixObjReply()
    var replied = 0

    /// The NUL-ended text in the body.
    var text: String? {
        guard let end = body.firstIndex(of: 0) else { return nil }
        return String(decoding: body[..<end], as: UTF8.self)
    }

    mutating func put(_ text: String) {
        let bytes = Array(text.utf8.prefix(room.count))
        room.copyBytes(from: bytes)
        replied = bytes.count
    }

    /// Records, as many as there is room for. Their bytes.
    mutating func put<Record: BitwiseCopyable>(_ records: [Record]) -> Int64 {
        let size = MemoryLayout<Record>.stride
        let count = min(records.count, min(room.count, Int(clamping: request.size)) / size)
        for index in 0..<count { room.storeBytes(of: records[index], toByteOffset: index * size, as: Record.self) }
        replied = count * size
        return Int64(replied)
    }
}

let driverMessage: KnMsgHdl = { cookie, _, annex, body, bodySize, replyAnnex, replyBody, replySize in
    guard let cookie, let annex, let replyAnnex, let replySize else { return K_EINVAL }
    return Unmanaged<DriverServer>.fromOpaque(cookie)._withUnsafeGuaranteedRef { server in
        let body = UnsafeRawBufferPointer(start: body, count: body == nil ? 0 : Int(bodySize))
        let room = UnsafeMutableRawBufferPointer(
            start: replyBody, count: replyBody == nil ? 0 : Int(replySize.pointee))
        if DriverServer.isMapperRequest(annex.loadUnaligned(as: UInt32.self)) {
            replySize.pointee = UInt32(server.map(annex, body, replyAnnex, room))
            return K_OK
        }
        var exchange = Exchange(
            request: annex.loadUnaligned(as: MixObjRequest.self), body: body, room: room)
        exchange.reply.diag = server.serve(&exchange)
        replyAnnex.storeBytes(of: exchange.reply, as: MixObjReply.self)
        replySize.pointee = UInt32(exchange.replied)
        return K_OK
    }
}

extension DriverServer {
    fileprivate func serve(_ exchange: inout Exchange) -> Int64 {
        switch exchange.request.op {
        case DRV_LOAD, DRV_UNLOAD, DRV_DEVICE_ADD, DRV_DEVICE_REMOVE, DRV_DEVICE_FAULTS:
            let answer = manage(exchange)
            exchange.put(answer.text)
            return answer.diag
        case DRV_FIND:
            guard let found = exchange.text.flatMap({ name in allRegistrations.first { $0.name == name } }) else {
                return -Int64(ENOENT)
            }
            (exchange.reply.value.0, exchange.reply.value.1) = (found.handle, UInt64(found.class_))
            return 0
        case DRV_LIST: return exchange.put(driverEntries)
        case DRV_DEVICE_LIST: return exchange.put(deviceEntries)
        case DRV_BUS_TRACE: return busEvents(&exchange)
        case DRV_OPEN...DRV_BREAK:
            guard let registration = registration(exchange.request.arg.0) else { return -Int64(ENXIO) }
            let result = use(registration, &exchange)
            registration.count(result)
            return result
        default: return -Int64(ENOSYS)
        }
    }

    private func manage(_ exchange: Exchange) -> Answer {
        guard let text = exchange.text, !text.isEmpty else { return (-Int64(EINVAL), "the request names nothing") }
        switch exchange.request.op {
        case DRV_LOAD: return load(order(exchange, text))
        case DRV_UNLOAD: return unload(text)
        case DRV_DEVICE_ADD:
            switch addDevice(text) {
            case .success(let device): return (Int64(device.line), "")
            case .failure(let problem): return (-Int64(EINVAL), problem.description)
            }
        case DRV_DEVICE_REMOVE: return removeDevice(text, bySurprise: exchange.request.flags & 1 != 0)
        default:
            let words = text.split(separator: " ", maxSplits: 1).map(String.init)
            guard let device = device(words[0]) else { return (-Int64(ENOENT), "no device \"\(words[0])\"") }
            guard words.count == 2 else {
                device.setFaults(nil)
                return (0, "")
            }
            guard let faults = Faults(words[1]) else {
                let kinds = Faults.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                return (
                    -Int64(EINVAL),
                    "\"\(words[1])\" names no faults; KIND:PERMILLE with \(kinds), remove-after:N and seed:N would do"
                )
            }
            device.setFaults(faults)
            return (0, "")
        }
    }

    private func order(_ exchange: Exchange, _ path: String) -> LoadOrder {
        let flags = exchange.request.flags
        let device = String(decoding: exchange.body.dropFirst(path.utf8.count + 1).prefix { $0 != 0 }, as: UTF8.self)
        return LoadOrder(
            path: path, device: device.isEmpty ? nil : device, replaces: flags & DRV_REPLACE != 0,
            isUser: flags & DRV_USER != 0 ? true : flags & DRV_SUPERVISOR != 0 ? false : nil,
            restarts: exchange.request.arg.0)
    }

    private var driverEntries: [MixDriverEntry] {
        var entries: [MixDriverEntry] = []
        let masked = Set(lineStats.filter { $0.masked != 0 }.map(\.line))
        for object in allDrivers {
            let instances = object.instances
            if instances.isEmpty { entries.append(entry(object, nil, nil, masked)) }
            for instance in instances {
                let registered = allRegistrations.filter { $0.instance === instance }
                if registered.isEmpty { entries.append(entry(object, instance, nil, masked)) }
                for registration in registered { entries.append(entry(object, instance, registration, masked)) }
            }
        }
        return entries
    }

    private func entry(
        _ object: DriverObject, _ instance: DriverInstance?, _ registration: Registration?, _ masked: Set<UInt32>
    ) -> MixDriverEntry {
        var entry = MixDriverEntry()
        copyText(object.name, &entry.name)
        copyText(object.file, &entry.object)
        copyText(instance?.device?.name ?? "", &entry.device)
        copyText(registration?.name ?? "", &entry.registered)
        var state = instance?.state ?? "no device"
        if state == "ok", let line = instance?.device?.line, masked.contains(line) {
            state = "interrupt line \(line) is masked"
        }
        copyText(state, &entry.state)
        entry.class_ = registration?.class_ ?? 0
        entry.opens = UInt32(clamping: registration?.openCount ?? 0)
        entry.requests = registration?.served ?? 0
        entry.errors = (registration?.errors ?? 0) &+ (registration?.link?.info.dropped ?? 0)
        let usage = instance?.usage ?? (memory: 0, dma: 0)
        (entry.memory, entry.dma) = (UInt64(usage.memory), UInt64(usage.dma))
        switch object.code {
        case .here: (entry.privilege, entry.hostPid) = (isUserActor ? DRV_USER : DRV_SUPERVISOR, getpid())
        case .host(let host):
            (entry.privilege, entry.hostPid, entry.restarts) = (DRV_USER, host.life.hostPid, host.restarts)
        }
        return entry
    }

    private func busEvents(_ exchange: inout Exchange) -> Int64 {
        guard exchange.request.flags & 1 == 0 else {
            trace.end()
            return 0
        }
        let from = exchange.request.arg.0
        let room = min(exchange.room.count, Int(clamping: exchange.request.size))
        let fetched = trace.fetch(
            from: from == .max ? nil : from, most: room / MemoryLayout<MixBusEvent>.stride, now: monotonicNow())
        exchange.reply.value.0 = fetched.next
        exchange.reply.value.1 = fetched.lost
        return exchange.put(
            fetched.events.map { event in
                var entry = MixBusEvent()
                (entry.sequence, entry.time) = (event.sequence, event.time)
                (entry.kind, entry.width) = (event.kind.rawValue, event.width)
                (entry.place, entry.value) = (event.place, event.value)
                copyText(event.device, &entry.device)
                copyText(event.text, &entry.text)
                return entry
            })
    }

    private var deviceEntries: [MixBusDeviceEntry] {
        allDevices.map { device in
            var entry = MixBusDeviceEntry()
            let status = device.status
            copyText(device.name, &entry.name)
            copyText(device.id == 0 ? device.kind : "\(device.kind) \(device.id)", &entry.model)
            copyText(instance(of: device)?.object.name ?? "", &entry.driver)
            entry.line = device.line
            entry.removed = status.isRemoved ? 1 : 0
            (entry.accesses, entry.strays) = (status.accesses, status.strays)
            copyText(status.faults, &entry.faults)
            copyText(status.notes, &entry.notes)
            return entry
        }
    }
}
