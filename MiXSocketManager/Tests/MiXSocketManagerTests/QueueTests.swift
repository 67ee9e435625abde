import CMiXSocket
import Testing

@testable import MiXSocketManager

private func receive(_ queue: inout ReceiveQueue, _ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let got = bytes.withUnsafeMutableBytes { queue.peek($0) }
    queue.take(got, all: false)
    return [UInt8](bytes.prefix(got))
}

@Suite struct QueueTests {
    @Test func ringGrowsAndWraps() {
        var ring = ByteRing()
        var expected: [UInt8] = []
        var next: UInt8 = 0
        for step in 0..<2000 {
            let piece = (0..<(step * 37 % 900)).map { _ -> UInt8 in
                next &+= 1
                return next
            }
            piece.withUnsafeBytes { ring.append($0) }
            expected += piece
            let taken = min(expected.count, step * 53 % 1100)
            var got = [UInt8](repeating: 0, count: taken)
            got.withUnsafeMutableBytes { ring.copy(from: 0, to: $0) }
            #expect(got == [UInt8](expected.prefix(taken)))
            ring.drop(taken)
            expected.removeFirst(taken)
            #expect(ring.count == expected.count)
        }
    }

    @Test func streamBytesJoinButNotAcrossDescriptors() {
        var queue = ReceiveQueue()
        var withRight = Ancillary()
        withRight.rights = [MixSocketRight(token: 7, socket: 0)]
        Array("ab".utf8).withUnsafeBytes { queue.append(stream: $0, Ancillary()) }
        Array("cd".utf8).withUnsafeBytes { queue.append(stream: $0, Ancillary()) }
        Array("ef".utf8).withUnsafeBytes { queue.append(stream: $0, withRight) }
        Array("gh".utf8).withUnsafeBytes { queue.append(stream: $0, Ancillary()) }
        #expect(receive(&queue, 9) == Array("abcd".utf8))
        #expect(queue.ancillary.rights.map(\.token) == [7])
        #expect(receive(&queue, 1) == Array("e".utf8))
        #expect(queue.ancillary.rights.isEmpty)
        #expect(queue.removeAll().isEmpty)
    }

    @Test func messagesStayApartAndEmptyOnesCount() {
        var queue = ReceiveQueue()
        for text in ["one", "", "three"] { Array(text.utf8).withUnsafeBytes { queue.append(message: $0, Ancillary()) } }
        #expect(queue.messages == 3 && queue.firstSize == 3)
        queue.take(1, all: true)
        #expect(queue.firstSize == 0 && queue.messages == 2)
        queue.take(0, all: true)
        #expect(receive(&queue, 9) == Array("three".utf8))
        #expect(queue.isEmpty)
    }
}
