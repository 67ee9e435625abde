import CToolHost
import Glibc

/// A site's control socket: one question a connection, a word and its arguments on a line; the answer is text to the
/// end of the stream, its first line "ok" or "error WHY". Only the site's own user is answered.
final class ControlServer: Sendable {
    private let site: Site
    let path: String
    private let listener: Int32

    /// Nil where no socket can be made: the site runs without.
    init?(site: Site) {
        guard let directory = ControlSocket.directory(create: true) else { return nil }
        self.site = site
        path = "\(directory)/\(site.name).sock"
        // Also removes what killed sites left.
        if ControlSocket.sites().contains(site.name) { return nil }  // a live site of this name keeps its socket
        listener = tool_listen(path)
        if listener < 0 { return nil }
    }

    func start() {
        startThread {
            while true {
                let client = tool_accept(self.listener)
                if client < 0 {
                    if errno == EINTR || errno == ECONNABORTED { continue }
                    return
                }
                self.serve(client)
                Glibc.close(client)
            }
        }
    }

    private func serve(_ client: Int32) {
        var peer = ToolPeer()
        guard tool_peer(client, &peer) == 0, peer.uid == getuid() else { return }
        var patience = timeval(tv_sec: 2, tv_usec: 0)  // nobody holds the thread by saying nothing
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard let line = Stream.read(client, line: true, most: 4096) else { return }
        let words = line.split(separator: " ").map(String.init)
        do {
            Stream.write(client, "ok\n" + (try SiteReport(site: site).answer(words)))
        } catch {
            Stream.write(client, "error \(error)\n")
        }
    }

    /// Takes the name away first, so that nobody connects to a site that is going down.
    func close() {
        unlink(path)
        Glibc.shutdown(listener, Int32(SHUT_RDWR))
    }
}

/// The asking side.
public enum ControlClient {
    public static func ask(site: String, _ question: String) throws(LoadError) -> String {
        guard let path = ControlSocket.path(site) else { throw LoadError("no site \"\(site)\" is running") }
        let descriptor = tool_connect(path)
        if descriptor < 0 {
            let known = ControlSocket.sites()
            throw LoadError(
                "no site \"\(site)\" answers" + (known.isEmpty ? "" : "; running are \(known.joined(separator: ", "))"))
        }
        defer { close(descriptor) }
        Stream.write(descriptor, question + "\n")
        guard let text = Stream.read(descriptor, line: false, most: 16 << 20), let end = text.firstIndex(of: "\n")
        else {
            throw LoadError("site \"\(site)\" gave no answer")
        }
        let head = text[..<end]
        if head != "ok" { throw LoadError("site \"\(site)\": \(head.dropFirst(6))") }
        return String(text[text.index(after: end)...])
    }
}
