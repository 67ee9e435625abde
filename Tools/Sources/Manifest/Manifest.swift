/// A manifest: which servers make a site, in which privilege, with which mounts, and what runs first.
/// docs/manifest.md is its schema for people.
public struct Manifest: Sendable {
    public var file: String
    public var subsystem: Subsystem
    public var actors: [ActorEntry]
    public var mounts: [MountEntry]
    public var devices: [DeviceEntry] = []
    public var drivers: [DriverEntry] = []
    public var start: StartEntry?
}

public struct Subsystem: Sendable, Equatable {
    public var name: String
    /// Bytes; 0 means no limit.
    public var memory: UInt64
    /// UNIX processes may use CHORUS IPC.
    public var ipc = true
    /// Their call sites may be rewritten.
    public var rewrite = true
}

public enum Privilege: String, Sendable, CaseIterable {
    case supervisor
    case user
}

public struct ActorEntry: Sendable {
    public var name: String
    public var object: String
    public var privilege: Privilege
    /// May issue privileged nucleus calls; supervisors always may.
    public var isSystem: Bool
    public var group: GroupName?
    public var needs: [String]
    public var limits: ActorLimits
    public var restart: RestartPolicy
    /// The server's own settings, passed as "key=value" lines.
    public var options: [String: String]
    public var place: Place
    public var objectPlace: Place
}

public struct ActorLimits: Sendable, Equatable {
    /// 0 means no limit.
    public var memory: UInt64 = 0
    public var threads: UInt32 = 0
    public var ports: UInt32 = 0
}

public struct RestartPolicy: Sendable, Equatable {
    public enum When: String, Sendable, CaseIterable {
        case never
        case onFailure = "on-failure"
        case always
    }
    public var when: When = .never
    public var heartbeatMilliseconds: UInt64 = 0
    public var backoffMilliseconds: UInt64 = 0
    public var most: UInt32 = 0
}

public struct MountEntry: Sendable, Equatable {
    public var at: String
    public var type: String
    public var source: String
    public var options: String

    public init(at: String, type: String, source: String = "", options: String = "") {
        self.at = at
        self.type = type
        self.source = source
        self.options = options
    }
}

/// A device of the simulated bus.
public struct DeviceEntry: Sendable, Equatable {
    public var name: String
    public var model: String
    /// The model's own settings.
    public var settings: [String: String]
    /// Those that are files, from the manifest's directory.
    public static let paths = ["image", "pcap", "far"]
}

/// A driver that is loaded when the servers have started.
public struct DriverEntry: Sendable, Equatable {
    public var object: String
    public var place: Place
    /// nil: where the drivers' home is.
    public var privilege: Privilege?
    /// The one device that it is for.
    public var device: String?
    /// Of its host process in a row; .max for any number.
    public var restarts: UInt64 = 0
}

public struct StartEntry: Sendable, Equatable {
    public var program: [String]
    public var environment: [String: String]
    public var directory: String
}

/// Where something was written: what an error about it names.
public struct Place: Sendable, Equatable {
    public var file: String
    public var line: Int
    public var key: String

    public init(file: String, line: Int, key: String) {
        self.file = file
        self.line = line
        self.key = key
    }

    public func error(_ problem: String, _ remedy: String) -> ManifestError {
        ManifestError(place: self, problem: problem, remedy: remedy)
    }
}

/// `FILE:LINE: KEY: what is wrong; what would do`.
public struct ManifestError: Error, CustomStringConvertible, Equatable {
    public var place: Place
    public var problem: String
    public var remedy: String

    public var description: String {
        let position = place.line > 0 ? "\(place.file):\(place.line): " : "\(place.file): "
        let key = place.key.isEmpty ? "" : "\(place.key): "
        return position + key + problem + (remedy.isEmpty ? "" : "; \(remedy)")
    }
}
