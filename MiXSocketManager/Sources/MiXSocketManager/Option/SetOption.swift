import CMiXFile

extension Socket {
    /// setsockopt(2). EINVAL: too short or out of range; ENOPROTOOPT: not known here.
    func setOption(_ name: Options.Name, _ value: UnsafeRawBufferPointer, isPrivileged: Bool) throws(Errno) {
        func number() throws(Errno) -> Int32 {
            if value.count >= 4 { return value.loadUnaligned(as: Int32.self) }
            // Options of IP take one byte too (ip(7)).
            if value.count >= 1, name.level == 0 { return Int32(value[0]) }
            throw .EINVAL
        }
        switch (name.level, name.name) {
        case (1, 3), (1, 4), (1, 30), (1, 38), (1, 39): throw .ENOPROTOOPT  // SO_TYPE, SO_ERROR, SO_ACCEPTCONN, ...
        case (1, 13):
            guard value.count >= 8 else { throw .EINVAL }
            let (on, seconds) = (
                value.loadUnaligned(as: Int32.self), value.loadUnaligned(fromByteOffset: 4, as: Int32.self)
            )
            state.withLock { $0.options.linger = (on == 0 ? 0 : 1, on == 0 ? 0 : seconds) }
        case (1, 20), (1, 21), (1, 66), (1, 67):
            guard value.count >= 16 else { throw .EINVAL }
            let time = (value.loadUnaligned(as: Int64.self), value.loadUnaligned(fromByteOffset: 8, as: Int64.self))
            guard 0..<1_000_000 ~= time.1 else { throw .EDOM }
            let isReceive = name.name == 20 || name.name == 66
            let kept = time.0 < 0 ? (0, 0) : time
            state.withLock {
                if isReceive { $0.options.timeouts.receive = kept } else { $0.options.timeouts.send = kept }
            }
        case (1, 25):
            let device = value.prefix { $0 != 0 }
            guard device.isEmpty || device.elementsEqual("lo".utf8) else { throw .ENODEV }
            state.withLock { $0.options.device = [UInt8](device) }
        case (6, 13) where isTcp:
            let congestion = value.prefix { $0 != 0 }
            guard congestion.elementsEqual("cubic".utf8) || congestion.elementsEqual("reno".utf8) else { throw .ENOENT }
            state.withLock { $0.options.congestion = [UInt8](congestion) }
        case (6, 31) where isTcp: throw .ENOENT  // TCP_ULP: none is there
        case (0, 32) where family.isInet:
            guard value.count >= 4 else { throw .EINVAL }  // IP_MULTICAST_IF: the loop is all there is
        case (0, 35) where family.isInet, (0, 36) where family.isInet:
            guard value.count >= 8 else { throw .EINVAL }
            let group = UInt32(bigEndian: value.loadUnaligned(as: UInt32.self))
            try setMembership(InetHost(v4: group), joined: name.name == 35)
        case (41, 20) where family == .inet6, (41, 21) where family == .inet6:
            guard value.count >= 20 else { throw .EINVAL }
            let host = InetHost(
                high: UInt64(bigEndian: value.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: value.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
            try setMembership(host, joined: name.name == 20)
        case (270, _) where family == .netlink: return  // groups: nothing changes here that could be told
        default:
            guard let rule = OptionTable.rule(name, self) else { throw .ENOPROTOOPT }
            if rule.needsPrivilege && !isPrivileged { throw .EPERM }
            if case .readOnly = rule.range { throw .ENOPROTOOPT }
            try set(name, rule, try number())
        }
    }

    private func set(_ name: Options.Name, _ rule: OptionRule, _ value: Int32) throws(Errno) {
        var (name, kept) = (name, value)
        switch rule.range {
        case .flag: kept = value == 0 ? 0 : 1
        case .number(let range): guard range.contains(value) else { throw .EINVAL }
        case .clamped(let range): kept = min(max(value, range.lowerBound), range.upperBound)
        case .buffer(let most, let least):
            kept = max(min(max(value, 0), most) * 2, least)
            if name.name == 32 { name = .sendBuffer }
            if name.name == 33 { name = .receiveBuffer }
        case .readOnly: throw .ENOPROTOOPT
        }
        if name == .onlyV6, state.withLock({ $0.binding != nil }) { throw .EINVAL }
        if name == Options.Name.socket(42), family.isInet && isStream { throw .EOPNOTSUPP }
        change { state, effects in
            state.options[name] = kept
            if name == Options.Name.socket(42) { state.peekOffset = Int(kept) }
            if name == .receiveLowWater { state.watches.fire(Poll.input, &effects.postings) }
        }
    }
}
