import CChorus
import CMiXFile
import CMiXProcess
import Foundation
import Testing

@testable import Loader

@Suite struct TraceTests {
    /// Process 7 `sh` in actor 0x70, the Process Manager in 0x10 with port 0x11, the File Manager's group 0x20.
    private var names: TraceNames {
        var names = TraceNames()
        names.actors[0x70] = TraceNames.Someone(name: "sh", isUnix: true, pid: 7)
        names.actors[0x10] = TraceNames.Someone(name: "process-manager")
        names.ports[0x11] = 0x10
        names.groups[0x20] = "FILE"
        return names
    }

    private func event(
        _ kind: UInt32, _ a: UInt64, _ b: UInt64, _ c: UInt64 = 0, _ d: UInt64 = 0, took: UInt64 = 0
    ) -> KnTraceEvent {
        KnTraceEvent(
            sequence: 1, time: 1_000_123_456_789, duration: took, thread: 5, kind: kind, value: (a, b, c, d))
    }

    private func text(_ event: KnTraceEvent) -> String {
        setenv("TZ", "UTC0", 1)
        var names = names
        names.learn([event])
        // Noon of the first day, less the 1000 s that the clock shows.
        return TraceText(names: names, clock: TraceClock(epoch: (12 * 3600 - 1000) * 1_000_000_000)).line(event)
    }

    @Test func systemCallsReadAsFromStrace() {
        #expect(
            text(event(K_TR_TRAP, 0, 12, 3, 0x70, took: 2_000)) == "12:00:00.123456 [pid 7 sh] read(3, …) = 12 <2 us>")
        #expect(
            text(event(K_TR_TRAP, 257, UInt64(bitPattern: -2), 0xffff_ff9c, 0x70, took: 12_345))
                == "12:00:00.123456 [pid 7 sh] openat(-100, …) = -2 ENOENT <12 us>")
        #expect(
            text(event(K_TR_TRAP, 39, 7, 99, 0x70, took: 800)) == "12:00:00.123456 [pid 7 sh] getpid() = 7 <0.8 us>")
        #expect(text(event(K_TR_TRAP_END, 231, 0, 3, 0x70)) == "12:00:00.123456 [pid 7 sh] exit_group(3) = ?")
        #expect(
            text(event(K_TR_TRAP, 9, 0x7f00_0000_0000, 0, 0x70, took: 25_000_000))
                == "12:00:00.123456 [pid 7 sh] mmap(0, …) = 0x7f0000000000 <25 ms>")
        #expect(text(event(K_TR_TRAP, 9999, 0, 0, 0x70)).contains("syscall_9999("))
    }

    @Test func messagesSayWhoToWhomAndWhat() {
        let read = event(K_TR_CALL, 0x11, 0x20, UInt64(OBJ_READ), 4096 << 32, took: 3_000)
        #expect(text(read) == "12:00:00.123456 process-manager → FILE OBJ_READ 4096 B 3 us")
        let failed = event(K_TR_CALL, 0x11, 0x20, 8 << 32 | 77, UInt64(UInt32(bitPattern: K_EPORTDELETED)), took: 900)
        #expect(text(failed) == "12:00:00.123456 process-manager → FILE op 77 8 B = K_EPORTDELETED 0.9 us")
        #expect(text(event(K_TR_SEND, 0x11, 0x20, 1)) == "12:00:00.123456 process-manager ⇢ FILE OBJ_OPEN 0 B")
    }

    @Test func namesOfThoseThatAreGoneComeFromEvents() {
        var names = TraceNames()
        let ash: (UInt64, UInt64) = (0x687361, 0)  // "ash"
        names.learn([
            event(K_TR_ACTOR, 0x90, UInt64(K_UNIXACTOR), ash.0, ash.1), event(MIX_TR_PROCESS, 9, 0x90),
            event(K_TR_TRAP, 0, 0, 0, 0x90),
        ])
        #expect(names.actor(0x90) == "pid 9 ash")
        #expect(names.thread(5) == "pid 9 ash")
        #expect(names.actor(0x91) == "0000000000000091")
    }

    @Test func systemCallsHaveTheirNames() {
        let wanted: [UInt64: String] = [
            0: "read", 1: "write", 56: "clone", 59: "execve", 202: "futex", 231: "exit_group", 334: "rseq",
            424: "pidfd_send_signal", 435: "clone3", 439: "faccessat2", 335: "syscall_335",
        ]
        for (number, name) in wanted { #expect(SystemCallNames.name(number) == name) }
        #expect(SystemCallNames.name(UInt64.max) == "syscall_\(UInt64.max)")
    }

    @Test func jsonIsWhatPerfettoReads() throws {
        var names = names
        names.actors[0x70]?.name = "a \"quoted\\ \u{1}\u{7f}ü name"
        let events = [
            event(K_TR_TRAP, 0, 12, 3, 0x70, took: 2_345),
            event(K_TR_CALL, 0x11, 0x20, UInt64(OBJ_READ), 4096 << 32, took: 3_000),
            event(K_TR_DROPPED, 0x99, UInt64(bitPattern: Int64(K_EUNKNOWN))),
        ]
        let lines = TraceJson(names: names).lines(events)
        #expect(lines.allSatisfy { !$0.contains("\n") })
        let text = "{\"traceEvents\":[" + lines.joined(separator: ",") + "]}"
        let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        let all = try #require(parsed?["traceEvents"] as? [[String: Any]])
        let spans = all.filter { $0["ph"] as? String == "X" }
        #expect(spans.count == 2)
        #expect(spans[0]["name"] as? String == "read(3, …)" && spans[0]["cat"] as? String == "trap")
        #expect(spans[0]["pid"] as? Int == 7 && spans[0]["tid"] as? Int == 5)
        #expect(spans[0]["ts"] as? Double == 1_000_123_456.789 && spans[0]["dur"] as? Double == 2.345)
        #expect((spans[1]["args"] as? [String: Any])?["what"] as? String == "process-manager → FILE OBJ_READ 4096 B")
        #expect(all.contains { $0["ph"] as? String == "i" && $0["cat"] as? String == "message" })
        let people = all.filter { $0["ph"] as? String == "M" }.compactMap { ($0["args"] as? [String: String])?["name"] }
        #expect(people == ["pid 7 a \"quoted\\ \u{1}\u{7f}ü name", "process-manager", "nucleus"])
    }
}
