import Glibc
import Synchronization

/// Where the site's log lines go: standard error, or a file, from a level on.
public final class SiteLog: Sendable {
    public enum Level: Int32, Sendable, CaseIterable {
        case error, warning, info, debug

        public init?(word: String) {
            guard let level = Self.allCases.first(where: { "\($0)" == word }) else { return nil }
            self = level
        }
    }

    public let level: Level
    private let descriptor: Int32
    /// On a raw terminal a line feed alone does not return the carriage.
    private let raw: Atomic<Bool>

    public init(level: Level, file: String? = nil) throws(LoadError) {
        self.level = level
        raw = Atomic(false)
        guard let file else {
            descriptor = 2
            return
        }
        descriptor = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        if descriptor < 0 { throw LoadError("\(file): \(String(cString: strerror(errno)))") }
    }

    public func terminalIsRaw() {
        if descriptor == 2 && isatty(2) == 1 { raw.store(true, ordering: .relaxed) }
    }

    public func line(_ number: Int32, _ text: String) {
        if number > level.rawValue { return }
        let word = Level(rawValue: max(0, number)).map { "\($0)" } ?? "debug"
        let whole = Array("chorus: \(word): \(text)\(raw.load(ordering: .relaxed) ? "\r\n" : "\n")".utf8)
        _ = write(descriptor, whole, whole.count)  // one write: lines of several threads do not mix
    }
}
