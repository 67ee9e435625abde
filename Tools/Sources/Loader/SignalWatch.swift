import CChorus
import CMiXDevice
import CMiXFile
import CToolHost
import Glibc

/// The thread that waits for the host's signals: the end of the site, and the size of its window. They were blocked
/// before any thread was made, so they arrive nowhere else.
final class SignalWatch: Sendable {
    private let site: Site

    init(site: Site) { self.site = site }

    func start() {
        _ = startThread {
            var signals = sigset_t()
            sigemptyset(&signals)
            for number in [SIGTERM, SIGINT, SIGHUP, SIGWINCH] { sigaddset(&signals, number) }
            while true {
                var number: Int32 = 0
                if sigwait(&signals, &number) != 0 { continue }
                if number == SIGWINCH { self.tellWindow() } else { self.site.shutdown(128 + number) }
            }
        }
    }

    /// Tells the Device Manager how large the host's window is.
    func tellWindow() {
        let size = tool_window(0)
        if size == 0 { return }
        var request = MixObjRequest()
        request.op = UInt32(DEV_CONSOLE_WINSIZE)
        request.arg.0 = UInt64(size)
        site.send(K_STAMP_DEVICE, request)
    }
}

/// A detached thread with a small stack.
@discardableResult
func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 256 << 10)
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    let result = pthread_create(
        &thread, &attributes,
        { argument in
            guard let argument else { return nil }
            Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
    if result != 0 { box.release() }
    return result == 0
}
