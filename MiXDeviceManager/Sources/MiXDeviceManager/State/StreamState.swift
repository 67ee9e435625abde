import ActorKit
import TerminalLine

extension HostStream {
    func write(_ out: inout StateWriter) {
        out.put(base)
        state.withLock { state in
            out.put(state.input.contents)
            out.put(state.output.contents)
            out.put(state.ended)
            out.put(state.inputError)
            out.put(state.outputError)
        }
    }

    func take(_ input: inout StateReader) -> Bool {
        guard let base: Int64 = input.get(), let read = input.bytes(), let written = input.bytes(),
            let ended = input.flag(), let inputError: Int32 = input.get(), let outputError: Int32 = input.get()
        else { return false }
        start.store(base, ordering: .relaxed)
        return state.withLock { state in
            guard read.count <= state.input.room, written.count <= state.output.room else { return false }
            read.withUnsafeBytes { _ = state.input.append($0) }
            written.withUnsafeBytes { _ = state.output.append($0) }
            state.ended = ended
            state.inputError = inputError
            state.outputError = outputError
            return true
        }
    }
}
