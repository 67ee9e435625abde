/// A network device (VIRTIO 1.2, section 5.1) at an end of a cable: one pair of queues, no offloads, no merged buffers. It sends
/// whatever its driver gives it and never waits: a frame for which the far end has no buffer is lost and counted there.
final class VirtioNet: VirtioTransport {
    private let address: MacAddress
    private let mtu: Int
    private let link: (cable: Cable, end: Int)?
    private var pcap: PcapFile?
    private var counters = LinkCounters()
    private var wasUp = false
    private var hasLeft = false
    /// A frame between its driver's memory and the cable.
    private let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: Ethernet.mostFrame + 1, alignment: 16)

    private static let (macBit, mtuBit, statusBit): (UInt64, UInt64, UInt64) = (1 << 5, 1 << 3, 1 << 16)
    private static let (receiveQueue, transmitQueue) = (0, 1)
    /// struct virtio_net_hdr with num_buffers (section 5.1.6).
    private static let head = 12

    init(address: MacAddress, mtu: Int, link: (cable: Cable, end: Int)?, pcap: PcapFile?) {
        self.address = address
        self.mtu = mtu
        self.link = link
        self.pcap = pcap
    }

    deinit {
        leave()
        frame.deallocate()
    }

    override var id: UInt32 { 1 }
    override var queueCount: Int { 2 }
    override var offered: UInt64 { Self.macBit | Self.mtuBit | Self.statusBit }
    override var configuration: [UInt8] {
        // mac, status (VIRTIO_NET_S_LINK_UP), max_virtqueue_pairs, mtu.
        address.bytes + [isUp ? 1 : 0, 0, 1, 0, UInt8(mtu & 0xff), UInt8(mtu >> 8)]
    }

    private var isUp: Bool { link?.cable.isUp == true }

    // MARK: sending

    override func notified(_ queue: Int, _ bus: DeviceBus) {
        guard queue == Self.transmitQueue else { return }  // buffers for frames to come lie there until one comes
        while let chain = next(queue, bus) {
            send(chain, bus)
            done(chain, queue, written: 0, bus)
        }
        bus.settleLater()
    }

    private func send(_ chain: VirtChain, _ bus: DeviceBus) {
        var head: (flags: UInt8, segmentation: UInt8) = (0, 0)
        let isPlain = withUnsafeMutableBytes(of: &head) { chain.read($0) } == 2 && head == (0, 0)
        let size = chain.read(frame, at: Self.head)
        let bytes = UnsafeRawBufferPointer(rebasing: frame[..<size])
        // Offloads were not negotiated, so nothing but frames as they are.
        guard isPlain, size >= Ethernet.header, size <= Ethernet.most(mtu, bytes) else {
            return counters.malformed &+= 1
        }
        counters.sent &+= 1
        capture(bytes)
        if bus.fails(.writeError) { return counters.lost &+= 1 }
        if let link, link.cable.send(to: 1 - link.end, bytes) { return }
        counters.noCarrier &+= 1
    }

    private func capture(_ bytes: UnsafeRawBufferPointer) {
        if let pcap, !pcap.put(bytes) { counters.captureFailed = true }
    }

    /// What was sent is handed over.
    override func settle() {
        guard let link else { return }
        link.cable.device(1 - link.end)?.arrive()
    }

    // MARK: receiving

    override func arrived(_ bus: DeviceBus) {
        if isUp != wasUp {
            wasUp.toggle()
            configurationChanged(bus)
        }
        guard let link else { return }
        while let size = link.cable.receive(at: link.end, frame) {
            receive(UnsafeRawBufferPointer(rebasing: frame[..<size]), bus)
        }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer, _ bus: DeviceBus) {
        guard bytes.count <= Ethernet.most(mtu, bytes) else { return counters.tooLong &+= 1 }
        if bus.fails(.readError) { return counters.lost &+= 1 }
        guard isReady(Self.receiveQueue), let chain = next(Self.receiveQueue, bus) else {
            return counters.noBuffer &+= 1
        }
        guard chain.writableCount >= Self.head + bytes.count else {
            done(chain, Self.receiveQueue, written: 0, bus)
            return counters.noBuffer &+= 1
        }
        // All zero but num_buffers, the last two bytes.
        var head: (UInt64, UInt16, UInt16) = (0, 0, UInt16(1).littleEndian)
        _ = withUnsafeBytes(of: &head) { chain.write(UnsafeRawBufferPointer(rebasing: $0[..<Self.head])) }
        _ = chain.write(bytes, at: Self.head)
        counters.received &+= 1
        capture(bytes)
        done(chain, Self.receiveQueue, written: UInt32(Self.head + bytes.count), bus)
    }

    // MARK: coming and going

    override func plugged(_ device: BusDevice) {
        guard let link else { return }
        link.cable.plug(link.end, device)
        device.arrive()
        settle()
    }

    override func unplugged() {
        pcap = nil
        leave()
        settle()
    }

    /// Once: the end may be another's soon.
    private func leave() {
        guard let link, !hasLeft else { return }
        hasLeft = true
        link.cable.leave(link.end)
    }

    override var notes: String {
        let name = link.map { "cable \($0.cable.name), \(isUp ? "up" : "down")" } ?? "no cable"
        return name + counters.text(overruns: link.map { $0.cable.overruns($0.end) } ?? 0)
    }
}

/// What a network device counts.
private struct LinkCounters {
    var (sent, received): (UInt64, UInt64) = (0, 0)
    /// Sent: too short, too long, or with an offload nobody agreed on.
    var malformed: UInt64 = 0
    /// Sent where nobody is.
    var noCarrier: UInt64 = 0
    /// Came and had to be dropped.
    var (noBuffer, tooLong): (UInt64, UInt64) = (0, 0)
    /// On purpose.
    var lost: UInt64 = 0
    var captureFailed = false

    func text(overruns: UInt64) -> String {
        let dropped = [
            ("no buffer", noBuffer &+ overruns), ("too long", tooLong), ("malformed", malformed),
            ("no carrier", noCarrier), ("lost", lost),
        ].filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        return ", sent \(sent), received \(received)" + (dropped.isEmpty ? "" : ", dropped: \(dropped)")
            + (captureFailed ? ", capture failed" : "")
    }
}
