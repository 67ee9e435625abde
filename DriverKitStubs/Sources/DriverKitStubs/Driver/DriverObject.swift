import CChorus
import CDriverGuard
import Glibc
import SimulatedBus

/// A driver that was loaded, and its instances: one for each device that it drives, or one without a device. Its code is here,
/// or in a host process of its own.
final class DriverObject: @unchecked Sendable {
    // Sendable: the list of instances is behind the lock; the rest never changes.
    /// With `@DEVICE` where it was loaded for one device.
    let name: String
    let path: String
    let server: DriverServer
    let code: Code
    /// The one device that it is for.
    let only: String?
    private let matching: [DriverMatch]
    private let lock = Lock()
    private var list: [DriverInstance] = []

    typealias Problem = DriverImage.Problem

    enum Code {
        case here(DriverImage)
        case host(DriverHost)
    }

    init(_ code: Code, path: String, only: String?, _ server: DriverServer) {
        let name: String
        switch code {
        case .here(let image): (name, matching) = (image.name, image.matches)
        case .host(let host): (name, matching) = (host.driver.name, host.driver.matches)
        }
        self.name = only.map { "\(name)@\($0)" } ?? name
        self.code = code
        self.path = path
        self.only = only
        self.server = server
    }

    var instances: [DriverInstance] { lock.with { list } }
    func add(_ instance: DriverInstance) { lock.with { list.append(instance) } }
    func remove(_ instance: DriverInstance) { lock.with { list.removeAll { $0 === instance } } }

    func makeInstance(_ device: BusDevice?) -> DriverInstance {
        switch code {
        case .here(let image): LocalInstance(self, image, device)
        case .host(let host): HostedInstance(self, host, device)
        }
    }

    var file: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// Whether it is for this device, by class and id.
    func matches(_ device: BusDevice) -> Bool {
        guard only == nil || device.name == only else { return false }
        return matching.contains { $0.model == device.kind && ($0.id == 0 || $0.id == device.id) }
    }

    var needsDevice: Bool { !matching.isEmpty }

    /// The very code of another driver.
    func isSame(_ other: DriverObject) -> Bool {
        if case .here(let mine) = code, case .here(let theirs) = other.code { return mine.driver == theirs.driver }
        return false
    }

    /// True where the object is really gone from memory.
    func close() -> Bool {
        switch code {
        case .here(let image):
            // Another one that is loaded from the same file keeps it.
            image.close() || server.allDrivers.contains { $0 !== self && isSame($0) }
        case .host(let host):
            host.end()
        }
    }

    /// The site ends: devices are quiesced, nothing is waited for.
    func shutdown() {
        for instance in instances { instance.event(DRV_EVENT_SHUTDOWN) }
        if case .host(let host) = code { _ = host.end() }
    }
}
