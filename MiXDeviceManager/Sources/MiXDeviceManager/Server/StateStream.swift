import CChorus
import Glibc
import TerminalLine

/// What survives a restart or an upgrade of this server: the console's settings, window, session, and its key.
/// Message 0 is the console. A newer version only appends fields.
private struct ConsoleStateV1: BitwiseCopyable {
    var version: UInt32 = 1
    var size = UInt32(MemoryLayout<ConsoleStateV1>.size)
    var termios: TermiosImage
    var window: Terminal.Window
    var session: Int32
    var foreground: Int32
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    var exclusive: UInt32
    var reserved: UInt32 = 0  // padding would carry whatever the stack held
    var opens: UInt64
    var secret: UInt64
    var generation: UInt64
}

extension DeviceManager {
    func exportState(
        _ sequence: UInt32, _ message: UnsafeMutableRawPointer?, _ size: UnsafeMutablePointer<UInt32>
    ) -> Int32 {
        guard sequence == 0 else {
            size.pointee = 0
            return K_OK
        }
        let length = UInt32(MemoryLayout<ConsoleStateV1>.size)
        guard let message, size.pointee >= length else { return K_ETOOBIG }
        let state = console.terminal.state.withLock { state in
            ConsoleStateV1(
                termios: TermiosImage(state.line.termios), window: state.window, session: state.session,
                foreground: state.foreground, mode: state.mode, uid: state.uid, gid: state.gid,
                exclusive: state.exclusive ? 1 : 0, opens: UInt64(state.opens), secret: state.secret,
                generation: state.generation)
        }
        message.storeBytes(of: state, as: ConsoleStateV1.self)
        size.pointee = length
        return K_OK
    }

    func importState(_ sequence: UInt32, _ message: UnsafeRawPointer?, _ size: UInt32) -> Int32 {
        if size == 0 { return K_OK }
        guard sequence == 0, let message, size >= UInt32(MemoryLayout<ConsoleStateV1>.size) else { return K_EINVAL }
        let saved = message.loadUnaligned(as: ConsoleStateV1.self)
        guard saved.version >= 1, saved.size <= size, saved.secret >> 63 == 0 else { return K_EINVAL }
        let terminal = console.terminal
        terminals.withLock { table in
            if saved.session != 0 { table.bind(saved.session, saved.foreground, terminal) }
        }
        terminal.state.withLock { state in
            state.line.setTermios(saved.termios.termios)
            state.window = saved.window
            state.mode = saved.mode
            state.uid = saved.uid
            state.gid = saved.gid
            state.exclusive = saved.exclusive != 0
            state.opens = Int(truncatingIfNeeded: saved.opens)
            state.secret = saved.secret
            state.generation = saved.generation
        }
        if saved.opens > 0 { terminal.far.opened(terminal) }
        return K_OK
    }
}
