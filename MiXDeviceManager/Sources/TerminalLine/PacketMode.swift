/// Packet mode (ioctl_tty(2), TIOCPKT): the master of a pseudo-terminal is told what happens to the terminal.
package enum Packet {
    static let flushRead: UInt8 = 1
    static let flushWrite: UInt8 = 2
    static let stop: UInt8 = 4
    static let start: UInt8 = 8
    static let noStop: UInt8 = 16
    static let doStop: UInt8 = 32
    static let ioctl: UInt8 = 64
}

extension LineDiscipline {
    package mutating func setPackets(_ on: Bool) {
        if on, !packets { packetStatus = 0 }
        packets = on
    }

    /// What has happened since the last time; 0: nothing.
    package mutating func takePacketStatus() -> UInt8 {
        defer { packetStatus = 0 }
        return packetStatus
    }

    package var hasPacketStatus: Bool { packets && packetStatus != 0 }

    mutating func note(_ bits: UInt8, insteadOf other: UInt8 = 0) {
        if packets { packetStatus = packetStatus & ~other | bits }
    }

    /// New settings: whether STOP and START are ^S and ^Q and act, and, of a terminal with EXTPROC, that anything changed.
    mutating func notePackets(from old: Termios) {
        guard packets else { return }
        if old.hasUsualFlowControl != termios.hasUsualFlowControl {
            let usual = termios.hasUsualFlowControl
            note(usual ? Packet.doStop : Packet.noStop, insteadOf: Packet.doStop | Packet.noStop)
        }
        if (old.lflag | termios.lflag) & Termios.extproc != 0 { note(Packet.ioctl) }
    }
}

extension Termios {
    fileprivate var hasUsualFlowControl: Bool {
        input(Termios.ixon) && cc[Termios.vstop] == 0o23 && cc[Termios.vstart] == 0o21
    }
}
