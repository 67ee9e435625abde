/// Models that have to do with what lies outside: another device, the host.
extension DeviceDescription {
    mutating func makeNet(_ cables: Cables) throws(DeviceProblem) -> any DeviceModel {
        var address = MacAddress(derivedFrom: name)
        if let text = settings.removeValue(forKey: "address") {
            guard let given = MacAddress(text) else {
                throw DeviceProblem("\(name): address=\(text) is no address of a station; such as 52:54:00:12:34:56")
            }
            address = given
        }
        let mtu = try number("mtu", Ethernet.leastMtu...Ethernet.mostMtu) ?? 1500
        let pcap = try settings.removeValue(forKey: "pcap").map { path throws(DeviceProblem) in try PcapFile(path) }
        var link: (cable: Cable, end: Int)?
        if let wanted = settings.removeValue(forKey: "cable") {
            link = cables.end(wanted)
            if link == nil { throw DeviceProblem("\(name): cable \(wanted) has a device at both ends") }
        }
        return VirtioNet(address: address, mtu: mtu, link: link, pcap: pcap)
    }

    mutating func makeConsole() throws(DeviceProblem) -> any DeviceModel {
        let columns = try number("columns", 1...1000) ?? 80
        let rows = try number("rows", 1...1000) ?? 24
        return VirtioConsole(far: try farEnd(), columns: UInt16(columns), rows: UInt16(rows))
    }

    mutating func makeSerial() throws(DeviceProblem) -> any DeviceModel { Uart16550(far: try farEnd()) }

    /// A UNIX socket of the host, or a loop plug.
    private mutating func farEnd() throws(DeviceProblem) -> any LineEnd {
        guard let path = settings.removeValue(forKey: "far") else { return LoopPlug() }
        return try LineSocket(path)
    }

    private mutating func number(_ key: String, _ range: ClosedRange<Int>) throws(DeviceProblem) -> Int? {
        guard let text = settings.removeValue(forKey: key) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw DeviceProblem("\(name): \(key)=\(text) is not in \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }
}
