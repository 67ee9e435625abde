import CMiXFile
import Glibc
import Testing

@testable import FileCore

@Suite(.enabled(if: getenv("MIX_FILE_SPEED") != nil)) struct SpeedTests {
    static func nanoseconds() -> UInt64 {
        var t = timespec()
        clock_gettime(CLOCK_MONOTONIC, &t)
        return UInt64(t.tv_sec) * 1_000_000_000 + UInt64(t.tv_nsec)
    }

    /// Minimum over batches, in ns an operation.
    static func measure(_ body: () -> Void) -> Double {
        var best = Double.infinity
        for _ in 0..<40 {
            let start = nanoseconds()
            for _ in 0..<2000 { body() }
            best = min(best, Double(nanoseconds() - start) / 2000)
        }
        return best
    }

    /// Prints what the hot requests cost beside the host's own calls.
    @Test func hotRequests() throws {
        let c = try Client("")
        c.put("/tmp/f", "x")
        var annex = [UInt8](repeating: 0, count: 256)
        var replyAnnex = [UInt8](repeating: 0, count: 256)
        var replyBody = [UInt8](repeating: 0, count: 4096)
        let server = c.server
        func send(_ request: MixObjRequest, _ body: [UInt8]) -> MixObjReply {
            annex.withUnsafeMutableBytes { $0.storeBytes(of: request, as: MixObjRequest.self) }
            var size: UInt32 = 4096
            _ = annex.withUnsafeBytes { a in
                body.withUnsafeBytes { b in
                    replyAnnex.withUnsafeMutableBytes { ra in
                        replyBody.withUnsafeMutableBytes { rb in
                            server.message(
                                a.baseAddress, b.baseAddress, UInt32(b.count), ra.baseAddress, rb.baseAddress, &size)
                        }
                    }
                }
            }
            return replyAnnex.withUnsafeBytes { $0.load(as: MixObjReply.self) }
        }
        for path in ["/usr/bin/env", "/tmp/f"] {
            let body = Client.strings(path)
            let ask = c.request(FILE_STAT)
            let open = c.request(FILE_OPEN)
            var close = c.request(OBJ_CLOSE)
            let statNs = Self.measure { _ = send(ask, body) }
            let openNs = Self.measure {
                close.key = send(open, body).key
                _ = send(close, [])
            }
            var s = stat()
            let hostStat = Self.measure { _ = stat("/usr/bin/env", &s) }
            let hostOpen = Self.measure { Glibc.close(Glibc.open("/usr/bin/env", O_RDONLY)) }
            let missing = Client.strings(path + "-none")
            let missNs = Self.measure { _ = send(ask, missing) }
            print(
                "\(path): stat \(statNs) ns (host \(hostStat)), missing \(missNs), open+close \(openNs) (host \(hostOpen))"
            )
        }
    }
}
