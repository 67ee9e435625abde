import CToolHost
import Glibc
import Loader

/// Runs a program and gives what it wrote to its standard output.
enum ChildOutput {
    static func of(_ words: [String]) throws(LoadError) -> String {
        var ends: [Int32] = [0, 0]
        guard tool_pipe(&ends) == 0 else { throw LoadError("no pipe: \(String(cString: strerror(errno)))") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, words[0], &actions, nil, &arguments, tool_environment())
        close(ends[1])
        defer { close(ends[0]) }
        if result != 0 { throw LoadError("\(words[0]): \(String(cString: strerror(result)))") }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(ends[0], &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { break }
            text.append(contentsOf: buffer[..<count])
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        if status != 0 {
            throw LoadError("\(words.joined(separator: " ")) ended with status \(tool_exit_status(status))")
        }
        return String(decoding: text, as: UTF8.self)
    }
}
