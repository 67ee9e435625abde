import CMiXFile
import Testing

@testable import MiXProcessManager

struct ProcInfoTests {
    @Test func statHas52Fields() throws {
        var now = ProcessSnapshot()
        now.pid = 12
        now.command = "a b) c"
        now.parent = 3
        now.group = 12
        now.session = 3
        now.terminal = 136 << 32 | 1
        now.foreground = 12
        now.user = 1_230_000_000
        now.start = 50_000_000_000
        now.virtualSize = 8192
        now.resident = 4096
        now.exitStatus = 256
        let text = StatText.stat(now)
        #expect(text.hasPrefix("12 (a b) c) S 3 12 3 34817 12 "))
        let close = try #require(text.lastIndex(of: ")"))
        let fields = text[text.index(close, offsetBy: 2)...].dropLast().split(
            separator: " ", omittingEmptySubsequences: false)
        #expect(fields.count == 50)  // pid and comm are in front
        func field(_ number: Int) -> Substring { fields[number - 3] }
        #expect(field(14) == "123" && field(18) == "20" && field(20) == "1" && field(22) == "5000")
        #expect(field(23) == "8192" && field(24) == "1" && field(25) == "18446744073709551615")
        #expect(field(38) == "17" && field(52) == "256")
        #expect(text.last == "\n")
    }

    @Test func statm() {
        var now = ProcessSnapshot()
        now.virtualSize = 40960
        now.resident = 8192
        now.codeSize = 4096
        now.dataSize = 12288
        #expect(StatText.statm(now) == "10 2 0 1 0 3 0\n")
    }

    @Test func statusLines() {
        var now = ProcessSnapshot()
        now.command = "x\ny"
        now.state = "Z"
        now.blocked = 0x10000
        let lines = StatusText.status(now).split(separator: "\n").map(String.init)
        #expect(lines.first == "Name:\tx\\ny")
        #expect(lines.contains("Umask:\t0022") && lines.contains("State:\tZ (zombie)"))
        #expect(lines.contains("SigBlk:\t0000000000010000") && lines.contains("Uid:\t0\t0\t0\t0"))
        #expect(!lines.contains { $0.hasPrefix("VmSize") })
        now.state = "S"
        now.virtualSize = 1 << 20
        #expect(StatusText.status(now).contains("\nVmSize:\t    1024 kB\n"))
    }

    @Test func mapLines() {
        var area = MappedArea(start: 0x40_0000, end: 0x40_1000, protection: 5)
        let plain = String(decoding: MapsText.line(area, device: 0, inode: 0, path: []), as: UTF8.self)
        #expect(plain == "00400000-00401000 r-xp 00000000 00:00 0 \n")
        area.isShared = true
        area.file = Probe(TestSite())
        area.offset = 0x2000
        let named = String(
            decoding: MapsText.line(area, device: 8 << 32 | 1, inode: 42, path: Array("/bin/x".utf8)), as: UTF8.self)
        #expect(named.hasPrefix("00400000-00401000 r-xs 00002000 08:01 42 ") && named.hasSuffix(" /bin/x\n"))
        #expect(named.utf8.count == 73 + 7)
    }

    @Test func limitColumns() {
        let lines = LimitsText.limits(Limits()).split(separator: "\n").map(String.init)
        #expect(lines.count == 17)
        #expect(lines[0] == "Limit                     Soft Limit           Hard Limit           Units     ")
        #expect(lines[8] == "Max open files            1024                 1048576              files     ")
        #expect(lines[14] == "Max nice priority         0                    0                    ")
    }

    @Test func siteTexts() {
        var counts = SiteCounts()
        counts.threads = 9
        counts.running = 2
        counts.lastPid = 77
        counts.bootTime = 1000
        #expect(counts.loadText(LoadAverage(since: 0)) == "0.00 0.00 0.00 2/9 77\n")
        #expect(counts.statText.split(separator: "\n").contains("btime 1000"))
    }

    @Test func requests() throws {
        let site = TestSite()
        let process = site.process(5)
        site.manager.processes[5] = process
        _ = try process.files.insert(Probe(site), closeOnExec: true, limit: 9)
        let pipe = PipeEnd(site.manager, Pipe(inode: 99), flags: FileFlags.readOnly)
        _ = try process.files.insert(pipe, closeOnExec: false, limit: 9)
        process.auxiliary = Array("sh\0-c\0".utf8)

        func ask(_ op: UInt32, _ what: UInt32 = 0, fd: UInt64 = 0, uid: UInt32 = 0, offset: UInt64 = 0) -> (
            Int64, [UInt8], MixObjReply
        ) {
            var request = MixObjRequest()
            request.op = op
            request.arg = (5, 0, UInt64(what), fd)
            request.offset = offset
            request.cred.uid = uid
            request.cred.capabilities = uid == 0 ? MIX_CAP_ROOT : 0
            var reply = MixObjReply()
            var room = [UInt8](repeating: 0, count: 4096)
            let size = room.withUnsafeMutableBytes {
                site.manager.serveProcessInfo(
                    request, body: UnsafeRawBufferPointer(start: nil, count: 0), reply: &reply, room: $0)
            }
            return (reply.diag, Array(room.prefix(size ?? 0)), reply)
        }
        #expect(ask(PROC_LIST).1 == [1, 0, 0, 0, 5, 0, 0, 0])  // 1: the manager itself
        #expect(ask(PROC_FDS).1 == [0, 0, 0, 0, 1, 0, 0, 0])
        #expect(ask(PROC_FDS, uid: 1000).0 == -13)
        #expect(ask(PROC_FILE, PROC_F_AUXV).1 == Array("sh\0-c\0".utf8))
        #expect(ask(PROC_FILE, PROC_F_AUXV, offset: 3).1 == Array("-c\0".utf8))
        #expect(ask(PROC_FILE, PROC_F_AUXV, offset: 6).0 == 0)
        #expect(String(decoding: ask(PROC_FILE, PROC_F_FDINFO, fd: 0).1, as: UTF8.self).contains("flags:\t02000002\n"))
        #expect(ask(PROC_LINK, PROC_L_FD, fd: 1).1 == Array("pipe:[99]".utf8))
        #expect(ask(PROC_LINK, PROC_L_FD, fd: 7).0 == -2)
        #expect(ask(PROC_LINK, PROC_L_CWD).1 == [47])
        let key = ask(PROC_KEY, PROC_L_FD, fd: 1).2
        #expect(LocalKey.find(site.manager, key.key) === pipe)
        #expect(key.mode & FileMode.typeMask == FileMode.fifo)
        site.manager.processes[5] = nil
        #expect(ask(PROC_FDS).0 == -3)
    }
}
