import CMiXFile
import Glibc
import Testing

@testable import FileCore

enum HostProbe {
    static func exists(_ path: String) -> Bool { Glibc.access(path, F_OK) == 0 }
}

@Suite struct ProcfsTests {
    let c: Client

    init() throws {
        c = try Client("mount.0=/ tmpfs mode=755\nmount.1=/proc proc")
        c.put("/program", "ELF")
        let exe = c.open("/program").reply.key
        c.fake.provider = { request, body in
            var reply = MixObjReply()
            let pid = Int32(truncatingIfNeeded: request.arg.0)
            func numbers(_ all: [Int32]) -> [UInt8] { all.withUnsafeBytes { Array($0) } }
            func fail(_ error: Errno) -> (MixObjReply, [UInt8]) {
                reply.diag = e(error)
                return (reply, [])
            }
            if pid != 0, pid != 1, pid != 42 { return fail(.ESRCH) }
            switch request.op {
            case PROC_LIST: return (reply, numbers([1, 42]))
            case PROC_TASKS: return (reply, numbers([pid, pid + 100]))
            case PROC_FDS:
                if request.cred.uid != 0 { return fail(.EACCES) }
                return (reply, numbers([0, 3, 4]))
            case PROC_OWNER:
                reply.value = (pid == 1 ? 0 : 1000, 1000, 99, 0)
                return (reply, [])
            case PROC_FILE:
                if request.arg.2 == UInt64(PROC_F_UNAME) {
                    return (reply, Array("Linux\0node\01.2\0#3\0x86_64\0domain\0".utf8))
                }
                if request.arg.2 == UInt64(PROC_F_MAPS) {  // larger than one piece
                    let all = [UInt8](repeating: 0x6d, count: 200_000)
                    return (reply, Array(all.dropFirst(Int(request.offset)).prefix(65536)))
                }
                let text = Array("\(pid) file \(request.arg.2) tid \(request.arg.1)\n".utf8)
                return (reply, Array(text.dropFirst(Int(request.offset))))
            case PROC_LINK: return (reply, Array((request.arg.2 == UInt64(PROC_L_EXE) ? "/program" : "pipe:[7]").utf8))
            case PROC_KEY:
                if request.arg.2 == UInt64(PROC_L_CWD) {  // the root: zeros
                    reply.serverHead = 0x46494c45
                    reply.serverTail = 1
                } else if request.arg.2 == UInt64(PROC_L_EXE) {
                    reply.key = exe
                    reply.serverHead = 0x46494c45
                    reply.serverTail = 1
                } else if request.arg.3 == 4 {  // a device, served by whom the pipes are of here
                    reply.key = MixKey(object: 9, tag: 0)
                    reply.mode = Linux.S_IFCHR | 0o666
                } else {
                    reply.key = MixKey(object: 5, tag: 6)
                    reply.mode = Linux.S_IFIFO | 0o600
                }
                return (reply, [])
            case PROC_WRITE:
                reply.diag = body == Array("name".utf8) ? 0 : e(.EINVAL)
                return (reply, [])
            case OBJ_STAT:
                var s = MixStat()
                s.mode = request.key.object == 9 ? Linux.S_IFCHR | 0o666 : Linux.S_IFIFO | 0o600
                s.rdev = request.key.object == 9 ? 1 << 32 | 3 : 0
                s.ino = 7
                return (reply, withUnsafeBytes(of: s) { Array($0) })
            default: return fail(.ENOSYS)
            }
        }
    }

    @Test func processes() {
        #expect(c.names("/proc").filter { Int($0) != nil } == ["1", "42"])
        #expect(c.get("/proc/1/stat") == "1 file 1 tid 0\n")
        #expect(c.readlink("/proc/self").text == "42")
        #expect(c.get("/proc/self/status") == "42 file 3 tid 0\n")
        #expect(c.readlink("/proc/thread-self").text == "42/task/42")
        var link = c.request(FILE_READLINK)
        link.size = 100
        link.owner = 142
        #expect(c.call(link, Client.strings("/proc/thread-self")).text == "42/task/142")
        #expect(c.stat("/proc/self/cwd").stat.ino == c.stat("/").stat.ino)
        #expect(c.get("/proc/self/task/142/comm") == "42 file 8 tid 142\n")
        #expect(c.names("/proc/self/task") == ["142", "42"])
        #expect(c.tryOpen("/proc/7") == e(.ENOENT))
        #expect(c.tryOpen("/proc/007") == e(.ENOENT))
        #expect(c.tryOpen("/proc/self/nothing") == e(.ENOENT))
        #expect(c.stat("/proc/42").stat.uid == 1000 && c.stat("/proc/1").stat.uid == 0)
        #expect(c.put("/proc/new", "x") < 0)
        #expect(c.mkdir("/proc/new") < 0)
        #expect(c.unlink("/proc/meminfo") < 0)
        #expect(c.stat("/proc/self/..").stat.ino == c.stat("/proc").stat.ino)
        #expect(c.stat("/proc/..").stat.ino == c.stat("/").stat.ino)
        let d = c.open("/proc/self/fd", Linux.O_DIRECTORY)
        #expect(c.path(d.reply.key) == "/proc/42/fd")
        #expect(c.names("/proc/self/fd") == ["0", "3", "4"])
        #expect(c.names("/proc/self").contains("oom_score_adj"))
        c.cred.uid = 5
        #expect(c.names("/proc/self/fd") == [])
    }

    @Test func magicLinks() {
        #expect(c.readlink("/proc/self/exe").text == "/program")
        #expect(c.get("/proc/self/exe") == "ELF")
        #expect(c.stat("/proc/self/exe").stat.ino == c.stat("/program").stat.ino)
        #expect(c.readlink("/proc/self/fd/3").text == "pipe:[7]")
        let pipe = c.open("/proc/self/fd/3", Linux.O_WRONLY)
        #expect(pipe.diag == 0 && pipe.reply.key.object == 5 && pipe.reply.mode == Linux.S_IFIFO | 0o600)
        #expect(pipe.reply.serverHead == 0x50524f43)
        #expect(c.open("/proc/self/fd/3", Linux.O_WRONLY | Linux.O_CREAT).reply.key.object == 5)
        #expect(c.stat("/proc/self/fd/3").stat.ino == 7)
        #expect(c.tryOpen("/proc/self/fd/3/x") == e(.ENOTDIR))
        #expect(c.tryOpen("/proc/self/exe", resolve: Linux.RESOLVE_NO_MAGICLINKS) == e(.ELOOP))
        c.unlink("/program")
        #expect(c.get("/proc/self/exe") == "ELF")  // no text is walked: a deleted program still opens
    }

    /// Whoever was opened and whoever is named are one: ttyname(3) compares.
    @Test func devicesKeepTheirIdentity() {
        #expect(c.mkdir("/dev") == 0 && c.mount("none", "/dev", "devtmpfs") == 0)
        var register = c.request(FILE_DEV_REGISTER, key: MixKey(object: 9, tag: 0))
        register.arg = (UInt64(Linux.S_IFCHR | 0o666), 1 << 32 | 3, 0x5052_4f43, 1)
        #expect(c.call(register, Client.strings("null")).diag == 0)
        let named = c.stat("/dev/null").stat
        let opened = c.stat("/proc/self/fd/4").stat
        #expect(named.ino == opened.ino && named.dev == opened.dev && opened.rdev == 1 << 32 | 3)
    }

    @Test func texts() {
        #expect(c.get("/proc/meminfo").contains("MemTotal:"))
        #expect(c.get("/proc/stat").hasPrefix("cpu "))
        #expect(c.get("/proc/stat").contains("0 file \(PROC_F_SYSSTAT)"))
        #expect(c.get("/proc/loadavg") == "0 file \(PROC_F_LOADAVG) tid 0\n")
        #expect(c.get("/proc/version").hasPrefix("Linux version 1.2 ") && c.get("/proc/version").hasSuffix(" #3\n"))
        #expect(c.get("/proc/sys/kernel/hostname") == "node\n" && c.get("/proc/sys/kernel/osrelease") == "1.2\n")
        #expect(c.get("/proc/sys/kernel/version") == "#3\n" && c.get("/proc/sys/kernel/domainname") == "domain\n")
        #expect(c.get("/proc/mounts") == c.call(c.request(FILE_MOUNTS)).text)
        #expect(c.get("/proc/self/mountinfo").contains(" /proc rw,relatime - proc proc rw\n"))
        #expect(c.get("/proc/filesystems").contains("overlay"))
        #expect(c.names("/proc/sys/vm").contains("overcommit_memory"))
        #expect(c.get("/proc/uptime").split(separator: " ").count == 2)
        let key = c.open("/proc/self/maps").reply.key
        var total: UInt64 = 0
        while true {
            let part = c.read(key, total, 8192)
            if part.diag <= 0 { break }
            total += UInt64(part.diag)
        }
        #expect(total == 200_000)
        let comm = c.open("/proc/self/comm", Linux.O_RDWR).reply.key
        #expect(c.write(comm, "name") == 4)
        #expect(c.write(comm, "other") == e(.EINVAL))
    }

    @Test func nobodyAnswers() {
        c.fake.provider = nil
        #expect(c.names("/proc").contains("meminfo"))
        #expect(c.tryOpen("/proc/self/stat") == e(.ENOENT))
        #expect(c.get("/proc/loadavg").split(separator: " ").count == 5)
        #expect(c.get("/proc/stat").contains("btime"))
    }
}
