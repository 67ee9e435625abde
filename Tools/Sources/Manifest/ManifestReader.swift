import Toml

extension Manifest {
    /// Parses and checks the text of a manifest; `file` is only what errors call it.
    public static func parse(_ text: String, file: String) throws(ManifestError) -> Manifest {
        let table: TomlTable
        do throws(TomlError) {
            table = try TomlParser.parse(text)
        } catch {
            throw Place(file: file, line: error.line, key: "").error(error.problem, "")
        }
        var root = Section(table, at: Place(file: file, line: 0, key: ""))
        guard var head = try root.section("subsystem", "a table [subsystem]") else {
            throw root.place("subsystem").error("is missing", "a table [subsystem] with name = \"mix\" would do")
        }
        let subsystem = try Subsystem(&head)
        var actors: [ActorEntry] = []
        for var section in try root.sections("actor") { actors.append(try ActorEntry(&section)) }
        var mounts: [MountEntry] = []
        var mountPlaces: [Place] = []
        for var section in try root.sections("mount") {
            mounts.append(try MountEntry(&section))
            mountPlaces.append(section.place("at"))
        }
        var devices: [DeviceEntry] = []
        for var section in try root.sections("device") {
            let place = section.place("name")
            let device = try DeviceEntry(&section)
            if devices.contains(where: { $0.name == device.name }) {
                throw place.error("the name \"\(device.name)\" is taken", "another name would do")
            }
            devices.append(device)
        }
        var drivers: [DriverEntry] = []
        let home = actors.first { $0.group?.name == "DRIVER" }
        for var section in try root.sections("driver") {
            drivers.append(try DriverEntry(&section, home: home?.privilege, devices: devices.map(\.name)))
        }
        if !devices.isEmpty || !drivers.isEmpty, home == nil {
            throw root.place(devices.isEmpty ? "driver" : "device")
                .error("no actor serves group DRIVER", "an [[actor]] with object = \"libDriverKitStubs.so\" would do")
        }
        var start: StartEntry?
        if var section = try root.section("init", "a table [init]") { start = try StartEntry(&section) }
        try root.finish()
        let manifest = Manifest(
            file: file, subsystem: subsystem, actors: actors, mounts: mounts, devices: devices, drivers: drivers,
            start: start)
        try manifest.check(mountPlaces)
        return manifest
    }

    /// What only shows between actors.
    private func check(_ mountPlaces: [Place]) throws(ManifestError) {
        if actors.isEmpty {
            throw Place(file: file, line: 0, key: "actor").error("no actor is named", "at least one [[actor]] would do")
        }
        var names: [String: Int] = [:]
        var groups: [GroupName: String] = [:]
        for actor in actors {
            if let line = names.updateValue(actor.place.line, forKey: actor.name) {
                throw actor.place.error("the name \"\(actor.name)\" is taken on line \(line)", "another name would do")
            }
            guard let group = actor.group else { continue }
            if let other = groups.updateValue(actor.name, forKey: group) {
                throw actor.place.error("group \(group.name) already has \(other)", "one actor a group would do")
            }
        }
        var places: Set<String> = []
        for (mount, place) in zip(mounts, mountPlaces) where !places.insert(mount.at).inserted {
            throw place.error("two mounts at \(mount.at)", "one of them would do")
        }
        if let place = mountPlaces.first, !actors.contains(where: { $0.group?.name == "FILE" }) {
            throw place.error("no actor serves group FILE", "an [[actor]] with group = \"FILE\" would do")
        }
        _ = try loadOrder()
    }

    public var runsPrograms: Bool { actors.contains { $0.group?.name == "PROCESS" } }

    /// A program needs who makes processes; a manifest that is only checked need not have it.
    public func checkRunsPrograms() throws(ManifestError) {
        if runsPrograms { return }
        throw Place(file: file, line: actors.last?.place.line ?? 0, key: "actor")
            .error(
                "no actor serves group PROCESS, which runs programs", "an [[actor]] with group = \"PROCESS\" would do")
    }
}

extension Subsystem {
    init(_ section: inout Section) throws(ManifestError) {
        name = try section.required("name", "a name such as \"mix\"")
        if name.utf8.count > 31 || !name.utf8.allSatisfy(isNameByte) {
            throw section.place("name").error("\"\(name)\" is no name", "up to 31 letters, digits and - would do")
        }
        memory = try section.size("memory") ?? 0
        ipc = try section.flag("ipc") ?? true
        rewrite = try section.flag("rewrite") ?? true
        try section.finish()
    }
}

extension ActorEntry {
    init(_ section: inout Section) throws(ManifestError) {
        name = try section.required("name", "a name such as \"file-manager\"")
        if name.utf8.count > 31 || !name.utf8.allSatisfy(isNameByte) {
            throw section.place("name").error("\"\(name)\" is no name", "up to 31 letters, digits and - would do")
        }
        place = Place(file: section.place.file, line: section.place.line, key: "actor \"\(name)\"")
        section = Section(section.table, at: place)
        _ = try section.string("name")
        object = try section.required("object", "a file in lib/ such as \"libMiXFileManager.so\", or a path")
        objectPlace = section.place("object")
        privilege = try section.word("privilege", Privilege.self) ?? .supervisor
        isSystem = try section.flag("system") ?? true
        if privilege == .supervisor && !isSystem {
            throw section.place("system").error("is false for a supervisor", "privilege = \"user\" would do")
        }
        if let word = try section.string("group", GroupName.accepted) {
            guard let known = GroupName(word) else {
                throw section.place("group").error("\"\(word)\" is no group", "\(GroupName.accepted) would do")
            }
            group = known
        } else {
            group = nil
        }
        needs = try section.strings("needs", "an array of group and actor names") ?? []
        limits = ActorLimits()
        if var inner = try section.section("limits", "a table such as { memory = \"256MiB\", threads = 64 }") {
            limits.memory = try inner.size("memory") ?? 0
            limits.threads = try inner.count("threads", 1...65_536) ?? 0
            limits.ports = try inner.count("ports", 1...1_048_576) ?? 0
            try inner.finish()
        }
        restart = RestartPolicy()
        if var inner = try section.section("restart", "a table such as { policy = \"on-failure\" }") {
            restart.when = try inner.word("policy", RestartPolicy.When.self) ?? .never
            restart.heartbeatMilliseconds = try inner.duration("heartbeat") ?? 0
            restart.backoffMilliseconds = try inner.duration("backoff") ?? 0
            restart.most = try inner.count("max", 1...1_000_000) ?? 0
            try inner.finish()
        }
        options = try section.stringTable("options", "a table of the server's own settings") ?? [:]
        try section.finish()
    }
}

extension MountEntry {
    init(_ section: inout Section) throws(ManifestError) {
        at = try section.required("at", "an absolute path such as \"/\"")
        type = try section.required("type", "a file system type such as \"overlay\", \"host\", \"tmpfs\"")
        let lower = try section.string("lower", "a source such as \"host:/\"")
        let plain = try section.string("source", "a source such as \"host:/srv\"")
        if lower != nil && plain != nil {
            throw section.place("lower").error("is given beside source", "one of the two would do")
        }
        source = lower ?? plain ?? ""
        options = try section.string("options", "text such as \"mode=1777,size=64m\"") ?? ""
        for (key, text) in [("at", at), ("type", type), ("source", source), ("options", options)]
        where text.contains(" ") {
            throw section.place(key).error("holds a blank", "\\\\040 in its place would do")
        }
        if !at.hasPrefix("/") {
            throw section.place("at").error("\"\(at)\" is not absolute", "a path that starts with / would do")
        }
        try section.finish()
    }
}

extension DeviceEntry {
    init(_ section: inout Section) throws(ManifestError) {
        name = try section.required("name", "a name such as \"disk0\"")
        if name.isEmpty || name.utf8.count > 31 || !name.utf8.allSatisfy(isNameByte) {
            throw section.place("name").error("\"\(name)\" is no name", "up to 31 letters, digits and - would do")
        }
        model = try section.required("model", "a model such as \"virtio-blk\"")
        if model.isEmpty || !model.utf8.allSatisfy(isNameByte) {
            throw section.place("model").error("\"\(model)\" is no model", "a model such as \"virtio-blk\" would do")
        }
        settings = [:]
        for key in Self.paths { settings[key] = try section.string(key, "a file") }
        settings["cable"] = try section.string("cable", "a name such as \"c0\"")
        settings["address"] = try section.string("address", "an address such as \"52:54:00:12:34:56\"")
        for (key, range) in [("mtu", 68...9216), ("columns", 1...1000), ("rows", 1...1000)]
            as [(String, ClosedRange<Int64>)]
        {
            settings[key] = try section.count(key, range).map { "\($0)" }
        }
        if let size = try section.size("size") { settings["size"] = "\(size)" }
        if let line = try section.count("line", 0...255) { settings["line"] = "\(line)" }
        if try section.flag("readonly") == true { settings["readonly"] = "yes" }
        if let faults = try section.string("faults", "text such as \"seed:7,read-error:10\"") {
            settings["faults"] = faults
        }
        try section.finish()
    }

    /// As the drivers' home wants it: "NAME MODEL KEY=VALUE ...".
    public var line: String {
        let words = settings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.replacing(" ", with: "\\040"))" }
        return ([name, model] + words).joined(separator: " ")
    }
}

extension DriverEntry {
    init(_ section: inout Section, home: Privilege?, devices: [String]) throws(ManifestError) {
        object = try section.required("object", "a file in drivers/ such as \"virtio-blk.so\", or a path")
        place = section.place("object")
        privilege = try section.word("privilege", Privilege.self)
        if privilege == .supervisor, home == .user {
            throw section.place("privilege")
                .error("is \"supervisor\" while the actor of group DRIVER is \"user\"", "\"user\" would do")
        }
        if let name = try section.string("device", "the name of a [[device]]") {
            guard devices.contains(name) else {
                let known = devices.isEmpty ? "a [[device]] of that name" : devices.joined(separator: " or ")
                throw section.place("device").error("\"\(name)\" is no [[device]]", "\(known) would do")
            }
            device = name
        }
        if let most = try section.restarts("restart") {
            if most > 0, privilege != .user {
                throw section.place("restart")
                    .error("is for a driver with a process of its own", "privilege = \"user\" beside it would do")
            }
            restarts = most
        }
        try section.finish()
    }
}

extension StartEntry {
    init(_ section: inout Section) throws(ManifestError) {
        let wanted = "an array such as [\"/bin/sh\"]"
        guard let words = try section.strings("program", wanted), let first = words.first, !first.isEmpty else {
            throw section.place("program").error("names no program", "\(wanted) would do")
        }
        program = words
        environment = try section.stringTable("env", "a table such as { TERM = \"xterm\" }") ?? [:]
        directory = try section.string("cwd", "an absolute path") ?? "/"
        if !directory.hasPrefix("/") {
            throw section.place("cwd").error("\"\(directory)\" is not absolute", "a path that starts with / would do")
        }
        try section.finish()
    }
}

/// Names of subsystems and actors also name sockets and host processes.
private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
    default: false
    }
}
